"""Reading a request: who asks, for which model, and what strategies may see of it, in whatever dialect it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from underspend.core.call import BillingMode, Call, Identity
from underspend.core.errors import CannotCarryError
from underspend.core.ports import Clock
from underspend.formats import anthropic_request, chat_request
from underspend.formats.anthropic_blocks import Anatomy
from underspend.formats.anthropic_request import MessagesRequest
from underspend.formats.chat_request import ChatRequest
from underspend.formats.client_identity import billing_mode
from underspend.formats.translation import Exchange
from underspend.gateway.acting import Acting
from underspend.gateway.asked import Asked
from underspend.gateway.carrying import Carrier
from underspend.gateway.destinations import Candidate, Destinations, is_auto
from underspend.gateway.entries import new_id
from underspend.gateway.following import Following
from underspend.gateway.identity import Identifier
from underspend.gateway.routes import Route
from underspend.gateway.status import Status
from underspend.gateway.transport import Request
from underspend.gateway.wishes import preferred, tags_of
from underspend.providers.provider import ANTHROPIC
from underspend.tokens.estimate import Calibration

_PROMPT_CEILING_EXTRA = 1_024  # what the provider adds around a prompt (tool-use preambles) is less


class NobodyHereError(Exception):
    """No provider here has the model that was asked for, or can be asked so: `status` and words for the client."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(slots=True, kw_only=True)
class Asking:
    """Reads requests. What it cannot read of an Anthropic-style call is forwarded all the same.

    With `forward`, calls of another dialect that no provider is configured for go to the upstream as they came.
    `preference` is that of clients that leave the model to us and say nothing more, `first` the model that each
    preference has without knowing more: tokens are counted for that one.
    """

    identifier: Identifier
    destinations: Destinations
    carrier: Carrier
    calibration: Calibration
    status: Status
    clock: Clock
    acting: Acting | None = None
    following: Following | None = None
    forward: bool = False
    preference: str = "balanced"
    first: Mapping[str, str] = field(default_factory=dict)

    def read(self, request: Request, route: Route, raw: bytes | None) -> Asked:
        """The request. Raises NobodyHereError for a call of another dialect that cannot be served."""
        if route.dialect != ANTHROPIC:
            return self._strange(request, route, raw or b"")
        message, came, wanted = self._message(raw), raw, ""
        if message is not None and raw is not None and is_auto(message.model):
            wanted, raw = self._left_to_us(request, message.model, raw)
            if route.endpoint == "count_tokens":
                raw = anthropic_request.with_model(raw, self.first.get(wanted, message.model))
            message = self._message(raw) if raw is not came else message
        named = message.model if message is not None else ""
        candidate = self.destinations.for_client(named)
        call, follows = self._call(request, route, message, candidate, len(raw) if raw is not None else 0, wanted)
        return Asked(
            call=call,
            endpoint=route.endpoint,
            login=billing_mode(request.fields) is BillingMode.OAUTH,
            dialect=ANTHROPIC,
            named=named,
            to=candidate.to,
            raw=came,
            body=raw,
            message=message,
            follows=follows,
        )

    def _strange(self, request: Request, route: Route, raw: bytes) -> Asked:
        """A call in another dialect than Anthropic's. For Claude it is translated before anything is decided."""
        chat = chat_request.read(raw)
        if chat is None:
            raise NobodyHereError(400, "the request's body is no JSON object")
        candidate = self.destinations.for_stranger(chat.model)
        wanted = ""
        if is_auto(chat.model) and route.endpoint in _WITH_BLOCKS:
            wanted, raw = self._left_to_us(request, chat.model, raw)
        elif self.forward and (candidate is None or candidate.to.home):
            return self._forwarded(request, route, raw, chat)
        if candidate is None:
            problem = f"no provider is configured for the model {chat.model!r}; add one to config.toml"
            raise NobodyHereError(404, problem)
        speaks = candidate.to.provider.speaks
        exchange, message = None, None
        if route.dialect not in speaks and ANTHROPIC in speaks and route.endpoint != "embeddings":
            exchange = self._translated(route.dialect, raw, candidate)
            message = self._message(exchange.body)
        call, follows = self._call(request, route, message or chat, candidate, len(raw), wanted)
        return Asked(
            call=call,
            endpoint=route.endpoint,
            login=billing_mode(request.fields) is BillingMode.OAUTH,
            dialect=route.dialect,
            named=chat.model,
            to=candidate.to,
            raw=raw,
            body=raw if exchange is None else exchange.body,
            message=message,
            chat=chat,
            exchange=exchange,
            follows=follows,
        )

    def _forwarded(self, request: Request, route: Route, raw: bytes, chat: ChatRequest) -> Asked:
        """A call for an upstream that speaks this dialect too: it goes as it came."""
        home = self.destinations.home
        call, _ = self._call(request, route, chat, Candidate(to=home, model=chat.model), len(raw))
        found = self.destinations.vendor(chat.model)
        return Asked(
            call=call if found is None else replace(call, provider=found),
            endpoint=route.endpoint,
            login=billing_mode(request.fields) is BillingMode.OAUTH,
            dialect=route.dialect,
            named=chat.model,
            to=home,
            raw=raw,
            body=raw,
            chat=chat,
        )

    def _translated(self, dialect: str, raw: bytes, candidate: Candidate) -> Exchange:
        try:
            return self.carrier.translate(dialect, ANTHROPIC, raw, candidate)
        except (CannotCarryError, ValueError) as error:
            raise NobodyHereError(400, str(error)) from error

    def _message(self, raw: bytes | None) -> MessagesRequest | None:
        try:
            return anthropic_request.read(raw) if raw is not None else None
        except Exception as error:  # noqa: BLE001  # fail open: a call that we cannot read is forwarded all the same
            self.status.fault("reader", f"{type(error).__name__}: {error}")
            return None

    def _left_to_us(self, request: Request, named: str, raw: bytes) -> tuple[str, bytes]:
        """What a client prefers that leaves the model to us, and its body without what says so. Raises as `read`."""
        try:
            return preferred(named, request.fields, raw, default=self.preference)
        except ValueError as error:
            raise NobodyHereError(400, str(error)) from error

    def _follows(self, call: Call, message: MessagesRequest | None) -> bool:
        """Whether a call is to be taken apart before it is sent."""
        if self.acting is None:
            return False
        if self.acting.everything or is_auto(call.model):
            return True
        try:
            return message is not None and self.following is not None and self.following.wants(call, message)
        except Exception as error:  # noqa: BLE001  # fail open: nothing is then done to the call
            self.status.fault("following", f"{type(error).__name__}: {error}")
            return False

    def _identify(self, request: Request, route: Route, asked: MessagesRequest | ChatRequest | None) -> Identity:
        try:
            message = asked if isinstance(asked, MessagesRequest) else None
            identity = self.identifier.identify(request.fields, message, route)
            if isinstance(asked, ChatRequest) and identity.user is None and asked.user is not None:
                identity = replace(identity, user=asked.user)
            tags = tags_of(request.fields)
            return replace(identity, tags=(*identity.tags, *tags)) if tags else identity
        except Exception as error:  # noqa: BLE001  # fail open: an unknown caller is served too
            self.status.fault("identity", f"{type(error).__name__}: {error}")
            return Identity()

    def _call(  # noqa: PLR0913, PLR0917  # what a call is made of
        self,
        request: Request,
        route: Route,
        asked: MessagesRequest | ChatRequest | None,
        to: Candidate,
        size: int,
        preference: str = "",
    ) -> tuple[Call, bool]:
        """The call, with its blocks where it is taken apart, and whether it is."""
        message = asked if isinstance(asked, MessagesRequest) else None
        identity = self._identify(request, route, asked)
        if to.to.key is not None and identity.billing is not BillingMode.API_KEY:
            identity = replace(identity, billing=BillingMode.API_KEY)  # our key pays, whoever asks
        call = Call(
            id=new_id(),
            time=self.clock.now(),
            provider=to.to.provider.price_list,
            endpoint=_NEUTRAL.get(route.endpoint, route.endpoint),
            model=to.model,
            stream=bool(asked is not None and asked.stream),
            max_output=_limit(asked),
            prompt_tokens=self.calibration.tokens(to.model, size),
            prompt_ceiling=size + _PROMPT_CEILING_EXTRA,
            size=size,
            effort=asked.effort if asked is not None else None,
            speed=message.speed if message is not None else None,
            thinking_budget=message.thinking_budget if message is not None else 0,
            automatic=message.automatic if message is not None else None,
            identity=identity,
            kind=identity.agent_type or identity.role.value,
            preference=preference,
        )
        follows = self._follows(call, message)
        if not follows or route.endpoint not in _WITH_BLOCKS:
            return call, follows
        anatomy = self._anatomy(message)
        if identity.turn is None and anatomy.turn is not None:
            identity = replace(identity, turn=anatomy.turn)
        return replace(call, identity=identity, blocks=anatomy.blocks), True

    def _anatomy(self, message: MessagesRequest | None) -> Anatomy:
        """The request's blocks; none where no strategy would look at them."""
        if self.acting is None or message is None:
            return Anatomy()
        try:
            return self.acting.anatomy(message)
        except Exception as error:  # noqa: BLE001  # fail open: strategies then have nothing to edit
            self.status.fault("anatomy", f"{type(error).__name__}: {error}")
            return Anatomy()


_WITH_BLOCKS = frozenset({"messages", "chat", "responses"})
_NEUTRAL = dict.fromkeys(("chat", "responses", "embeddings"), "messages")


def _limit(asked: MessagesRequest | ChatRequest | None) -> int:
    if isinstance(asked, ChatRequest):
        return asked.max_output
    return asked.max_tokens if asked is not None else 0
