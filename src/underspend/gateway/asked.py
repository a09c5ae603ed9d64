"""A request as it was understood: all that is known of it before anything is decided."""

from __future__ import annotations

from dataclasses import dataclass, field

from underspend.core.call import Call
from underspend.core.plan import Decision
from underspend.core.ports import PromptParts
from underspend.formats.adaptation import Written
from underspend.formats.anthropic_request import MessagesRequest
from underspend.formats.chat_request import ChatRequest
from underspend.formats.translation import Exchange
from underspend.gateway.destinations import Destination


@dataclass(slots=True, kw_only=True)
class Asked:
    """A request as it was understood.

    `endpoint` is the route's. To strategies every call for a reply is a "messages" call, in whatever dialect: no limit
    can be slipped by another path. `login` is whether the client came with a subscription's token. `dialect` is the
    client's, `named` the model as it said it, `to` where that goes. `raw` are the bytes that came, None where the body
    is passed on as it comes. `body` is what edits are made to: `raw`, or it in Anthropic's dialect where a client of
    another one asks for Claude; `exchange` then leads back. `follows` is whether strategies may know its conversation.
    """

    call: Call
    endpoint: str
    login: bool
    dialect: str
    named: str
    to: Destination
    raw: bytes | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)
    message: MessagesRequest | None = field(default=None, repr=False)
    chat: ChatRequest | None = field(default=None, repr=False)
    exchange: Exchange | None = field(default=None, repr=False)
    follows: bool = False
    noted: tuple[Decision, ...] = ()
    """What limits said of the call without stopping it."""

    _written: Written | None = field(default=None, repr=False)

    @property
    def written(self) -> Written:
        """The body, taken apart once. Raises ValueError for one that cannot be."""
        if self._written is None:
            self._written = Written(self.body or b"")
        return self._written

    @property
    def talks(self) -> bool:
        """Whether it is a turn of a conversation that we can read; counting tokens is none."""
        return self.message is not None and self.endpoint != "count_tokens"

    @property
    def followed(self) -> bool:
        """Whether it is a turn of a conversation that strategies may know."""
        return self.follows and self.talks

    @property
    def parts(self) -> PromptParts | None:
        """What the ledger keeps digests of."""
        message = self.message
        if message is None:
            return None
        blocks = tuple(self.call.blocks) or None
        return PromptParts(tools=message.tools, system=message.system, messages=message.messages, blocks=blocks)
