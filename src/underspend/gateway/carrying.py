"""A planned call as it is sent to one destination: in whose dialect, to which path, under which key.

Where client and provider speak alike, only the model's name differs from what came; else the call is translated, and
what could not be carried is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from underspend.core.call import Call
from underspend.core.errors import CannotCarryError
from underspend.formats import anthropic_request, chat_request
from underspend.formats.chat_stream import WithoutUsage
from underspend.formats.client_identity import credential
from underspend.formats.translation import Exchange, Translator
from underspend.formats.translators import target_of
from underspend.gateway.asked import Asked
from underspend.gateway.destinations import Candidate, Destination, Destinations
from underspend.gateway.tap import AT_HOME, Billing
from underspend.gateway.transport import RawHeaders, Request
from underspend.providers.keys import Secret
from underspend.providers.provider import ANTHROPIC, CHAT, GEMINI, RESPONSES, Outgoing
from underspend.routing.beliefs import Arm

Translators = Callable[[str, str], Translator | None]

_ENDPOINTS = {ANTHROPIC: "messages", CHAT: "chat", RESPONSES: "responses", GEMINI: "generate"}
_TELLING = frozenset(
    {b"accept", b"accept-encoding", b"anthropic-beta", b"anthropic-version", b"content-type", b"user-agent"}
)
"""What goes along to another provider than the client came for: how the body is meant, nothing of who sent it."""

_OF_ANTHROPIC = frozenset({b"anthropic-beta", b"anthropic-version"})
_OF_A_LOGIN = b"oauth-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What is sent. `exchange` leads back where it was translated, `left_out` says what was not carried.

    `filters` is true where the client did not ask for the usage that the stream will hold.
    """

    to: Destination
    model: str
    target: str
    headers: RawHeaders = field(repr=False)
    body: bytes = field(repr=False)
    billing: Billing = AT_HOME
    exchange: Exchange | None = None
    left_out: tuple[str, ...] = ()
    filters: bool = False

    def usage_filter(self) -> WithoutUsage | None:
        """A new filter of the stream, where it has to be filtered."""
        return WithoutUsage() if self.filters else None


class Carrier:
    """Makes planned calls ready for destinations."""

    def __init__(self, translators: Translators) -> None:
        self._translators = translators

    def carry(self, request: Request, asked: Asked, call: Call, body: bytes, candidate: Candidate) -> Carried:
        """The call for a candidate. `body` is what edits were made to, as edited.

        Raises CannotCarryError for what the candidate cannot be asked, ValueError for a body that is no request.
        May take long where the provider signs: call it in a thread then.
        """
        provider = candidate.to.provider
        model = provider.model_id(candidate.model)
        dialect, exchange, sent = self._in_dialect(asked, body, candidate)
        filters = False
        if dialect == CHAT and asked.endpoint not in _COUNTED:
            sent, filters = self._with_usage(asked, candidate, sent, translated=exchange is not None)
        outgoing = Outgoing(
            dialect=dialect,
            endpoint=asked.endpoint if asked.endpoint in _COUNTED else _ENDPOINTS[dialect],
            model=model,
            body=sent,
            stream=call.stream,
            headers=_told(request.headers, dialect, translated=exchange is not None),
        )
        made = provider.addressed(outgoing, _key(request, candidate.to))
        return Carried(
            to=candidate.to,
            model=model,
            target=made.target,
            headers=made.headers,
            body=made.body,
            billing=Billing(dialect, provider.price_list, model),
            exchange=exchange,
            left_out=exchange.dropped if exchange is not None else (),
            filters=filters,
        )

    def translate(self, client: str, provider: str, body: bytes, candidate: Candidate) -> Exchange:
        """A request in another dialect. Raises CannotCarryError, and ValueError for what is no request."""
        try:
            translator = self._translators(client, provider)
        except KeyError:
            translator = None
        if translator is None:
            raise CannotCarryError(
                what=f"A request in the dialect {client}",
                provider=candidate.to.name,
                problem=f"it speaks {provider}, and there is no translator",
                mend="Ask another provider.",
            )
        to = candidate.to.provider
        target = target_of(candidate.model, to.price_list, sent_as=to.model_id(candidate.model))
        return translator.translate(body, target)

    def problem(self, asked: Asked, candidate: Candidate) -> str | None:
        """Why a conversation had better not go to another provider of its own accord; None where it may.

        Claude Code's auto mode has its own safety checks, which another dialect cannot carry: it would stop and ask.
        """
        body = asked.body or b""
        if b'"safeguards"' in body and ANTHROPIC not in candidate.to.provider.speaks:
            return "it has safeguards, which cannot be carried there"
        try:
            self._in_dialect(asked, body, candidate)
        except (CannotCarryError, ValueError) as error:
            return str(error)
        return None

    def _in_dialect(self, asked: Asked, body: bytes, candidate: Candidate) -> tuple[str, Exchange | None, bytes]:
        """The dialect to speak, the way back, and the body in it."""
        speaks = candidate.to.provider.speaks
        model = candidate.to.provider.model_id(candidate.model)
        if asked.message is not None and ANTHROPIC in speaks:
            return ANTHROPIC, asked.exchange, anthropic_request.with_model(body, model)
        raw = body if asked.exchange is None else asked.raw or b""
        if asked.dialect in speaks:
            return asked.dialect, None, anthropic_request.with_model(raw, model)
        if asked.endpoint in _COUNTED:
            raise CannotCarryError(
                what=f"A {asked.endpoint} request",
                provider=candidate.to.name,
                problem="it has nothing like it",
                mend="Ask another provider.",
            )
        exchange = self.translate(asked.dialect, speaks[0], raw, candidate)
        return speaks[0], exchange, exchange.body

    def _with_usage(self, asked: Asked, candidate: Candidate, body: bytes, *, translated: bool) -> tuple[bytes, bool]:
        """A Chat request that asks for its stream's usage, where it can; and whether the client did not ask for it."""
        if not candidate.to.provider.reports_stream_usage:
            return (chat_request.without(body, frozenset({"stream_options"})) if translated else body), False
        chat = asked.chat
        if translated or chat is None or not chat.stream or chat.wants_usage:
            return body, False
        return chat_request.with_stream_usage(body), True


class Refusing:
    """Why calls cannot go to another provider, for the router. `destinations` are all there are."""

    def __init__(self, destinations: Destinations, carrier: Carrier) -> None:
        self._destinations, self._carrier = destinations, carrier

    def why(self, asked: Asked, arm: Arm) -> str | None:
        """Why a call cannot be made to an arm; None where it can."""
        there = replace(asked.call, model=arm.model, provider=arm.provider)
        try:
            to = self._destinations.planned(asked.call, there, asked.to)
        except LookupError as error:
            return str(error)
        return self._carrier.problem(asked, Candidate(to=to, model=arm.model))


_COUNTED = frozenset({"count_tokens", "embeddings"})


def _told(fields: RawHeaders, dialect: str, *, translated: bool) -> RawHeaders:
    kept = [(name, value) for name, value in fields if name in _TELLING]
    if dialect != ANTHROPIC:
        kept = [pair for pair in kept if pair[0] not in _OF_ANTHROPIC]
    if translated:
        kept = [pair for pair in kept if pair[0] not in {b"accept-encoding", b"accept", b"content-type"}]
        kept.append((b"accept-encoding", b"identity"))
    return [pair for name, value in kept if (pair := _without_login(name, value)) is not None]


def _without_login(name: bytes, value: bytes) -> tuple[bytes, bytes] | None:
    """A header without the beta that goes with a subscription's token, which is not sent along."""
    if name != b"anthropic-beta" or _OF_A_LOGIN not in value:
        return name, value
    left = b",".join(beta for beta in value.split(b",") if not beta.strip().startswith(_OF_A_LOGIN))
    return (name, left) if left else None


def _key(request: Request, to: Destination) -> Secret | None:
    if to.key is not None or not to.shows_clients_key:
        return to.key
    fields: Mapping[str, str] = request.fields
    shown = credential(fields)
    return Secret(shown) if shown else None
