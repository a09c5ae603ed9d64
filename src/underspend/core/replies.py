"""Answering a call with the reply kept from an equal one: what may be answered, what may be kept, and for how long.

Pure rules. Times and lifetimes are microseconds. What a call or a reply is like is read by the wire formats
(`formats.reply_key`, `formats.reply_ends`); where replies are kept is behind `ReplyStore`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from underspend.core.call import BillingMode, Role
from underspend.core.errors import StoreError
from underspend.core.money import Money
from underspend.core.usage import Usage

SECOND = 1_000_000
TAG = r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}\Z"
"""What a tag is, as a regular expression."""

MOST_TAGS = 8
_TAG = re.compile(TAG)
_DIGITS = 12


class ReplyStoreError(StoreError):
    """The response cache at {path} cannot be used: {problem}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the user allows of the response cache.

    `longest` is the longest lifetime, `largest` the most bytes of one reply. `any_temperature` answers calls too that
    set a temperature above zero, `subscription` those made with a login.
    """

    longest: int = 30 * 86_400 * SECOND
    largest: int = 1_000_000
    any_temperature: bool = False
    subscription: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one call wants of the cache. `refresh` asks for a new reply, which then takes the place of the kept one."""

    ttl: int
    tags: tuple[str, ...] = ()
    refresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRoute:
    """Calls that the user opted in: all that match every pattern given. A pattern may end in `*`."""

    ttl: int
    tags: tuple[str, ...] = ()
    project: str = "*"
    model: str = "*"
    key: str = "*"

    def takes(self, *, project: str | None, model: str, key: str | None) -> bool:
        """Whether a call of this project, model and key is one of them."""
        given = ((self.project, project), (self.model, model), (self.key, key))
        return all(_matches(pattern, value or "") for pattern, value in given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the rules go by in a call.

    `tenant` names whose replies may answer it. `varied` says that it sets a temperature above zero. `outside` names
    what its reply depends on besides the request, empty where nothing. `safety` marks a check of the client's own.
    `output` is the limit of the reply in tokens, None where the request has none.
    """

    endpoint: str
    tenant: str
    role: Role = Role.UNKNOWN
    billing: BillingMode = BillingMode.API_KEY
    varied: bool = False
    outside: str = ""
    safety: bool = False
    output: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What the rules go by in a reply.

    `whole` says that its end was seen and that it is well formed. `stop` is the provider's reason. `uses_tools`,
    `refused` and `failed` say that any part of it is a tool's use or result, a refusal, an error. `strange` names what
    we do not know of it, empty where nothing.
    """

    status: int
    whole: bool
    stop: str = ""
    uses_tools: bool = False
    refused: bool = False
    failed: bool = False
    strange: str = ""
    size: int = 0


ENDPOINTS = frozenset({"messages", "chat", "responses", "generate"})
FINISHED = frozenset({"end_turn", "stop_sequence", "stop", "completed", "STOP"})
"""Ends of a reply that says all it had to say, in the words of the dialects. A limit that was reached is none."""


def wish_of(header: str | None, routes: Sequence[CacheRoute], rules: Rules, **call: str | None) -> Wish | None:
    """What a call wants: by its header `x-underspend-cache`, else by the first route that takes it; None is nothing.

    The header is `ttl=3600`, `ttl=3600; tag=docs`, `refresh` or `off`. `call` names the call's project, model and key.
    Raises ValueError for a header that is none of these: such a call is served without the cache.
    """
    given = {"project": call.get("project"), "key": call.get("key")}
    model = call.get("model") or ""
    route = next((each for each in routes if each.takes(model=model, **given)), None)
    wish = Wish(ttl=min(route.ttl, rules.longest), tags=route.tags) if route is not None else None
    return wish if header is None else _asked_for(header, wish, rules)


def _asked_for(header: str, wish: Wish | None, rules: Rules) -> Wish | None:
    ttl, tags, refresh = (wish.ttl, wish.tags, False) if wish is not None else (0, (), False)
    for part in filter(None, map(str.strip, re.split("[;,]", header))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        match name.lower():
            case "off" if not value:
                return None
            case "refresh" if not value:
                refresh = True
            case "ttl" if value.isascii() and value.isdigit() and len(value) <= _DIGITS:
                ttl = min(int(value) * SECOND, rules.longest)
            case "tag" if _TAG.fullmatch(value):
                tags = tuple(dict.fromkeys((*tags, value)))
            case _:
                raise ValueError(f"x-underspend-cache has no {part!r}; it takes ttl=SECONDS, tag=NAME, refresh, off")
    if len(tags) > MOST_TAGS:
        raise ValueError(f"x-underspend-cache has {len(tags)} tags; at most {MOST_TAGS}")
    return Wish(ttl=ttl, tags=tags, refresh=refresh) if ttl else None


def reason_not_to_answer(asked: Asked, rules: Rules) -> str | None:
    """Why a call may neither be answered from the cache nor have its reply kept; None where it may."""
    reasons = (
        (asked.endpoint not in ENDPOINTS, "its endpoint gives no reply of a model"),
        (not asked.tenant, "nobody is known to have asked it"),
        (asked.safety, "it is a safety check of the client"),
        (asked.role in {Role.SIDE, Role.COMPACTION}, "it is a call of the client's own"),
        (asked.billing is BillingMode.OAUTH and not rules.subscription, "calls on a subscription are only observed"),
        (asked.varied and not rules.any_temperature, "it sets a temperature above zero"),
        (asked.output == 0, "it only warms the provider's cache"),
        (bool(asked.outside), f"its reply depends on {asked.outside}"),
    )
    return next((reason for applies, reason in reasons if applies), None)


def reason_not_to_keep(ended: Ended, rules: Rules) -> str | None:
    """Why a reply may not be kept; None where it may. Whether its call may be answered is asked before."""
    reasons = (
        (ended.status != 200, f"its status is {ended.status}"),  # noqa: PLR2004  # the one status of a reply
        (ended.failed, "it holds an error"),
        (not ended.whole, "its end was not seen"),
        (ended.refused, "it is a refusal"),
        (ended.uses_tools, "it uses tools"),
        (bool(ended.strange), f"it holds {ended.strange}"),
        (ended.stop not in FINISHED, f"it stopped for {ended.stop or 'no reason'}"),
        (ended.size > rules.largest, f"it is larger than {rules.largest:,} bytes"),
    )
    return next((reason for applies, reason in reasons if applies), None)


def repeated(usage: Usage) -> Usage:
    """What an equal call would have used at the least: all that was in the provider's cache afterwards is read there.

    The provider's cache may have forgotten by then, so a price of this is a lower bound, and `estimated`.
    """
    written = usage.cache_write_5m + usage.cache_write_1h
    return Usage(input=usage.input, cache_read=usage.cache_read + written, output=usage.output)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReply:
    """One row of a store.

    `key` is the call's identity (32 bytes), `body` whatever was put there (sealed, where it is at rest). `model` is
    who wrote the reply and `cost` what it was billed at. A row answers no call from `expires_at` on.
    """

    key: bytes
    tenant: str
    kept_at: int
    expires_at: int
    body: bytes = field(repr=False)
    model: str = ""
    tags: tuple[str, ...] = ()
    cost: Money = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A row as lists show it. `size` is in bytes, `hits` counts the calls it has answered."""

    key: bytes
    tenant: str
    kept_at: int
    expires_at: int
    model: str
    tags: tuple[str, ...]
    cost: Money
    size: int
    hits: int
    used_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What a store holds: rows, their bytes, the calls that the rows there have answered, and the bound on bytes."""

    rows: int
    size: int
    hits: int
    bound: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a store says of a key: the row, None where there is none, and how often it had been cleared until then."""

    row: StoredReply | None
    clears: int


class ReplyStore(Protocol):
    """Where replies are kept. Every time is an argument, in microseconds. Raises ReplyStoreError.

    A row is found only under its own key and tenant, and not from `expires_at` on. The bodies never exceed the bound
    together: the rows longest unused go first.
    """

    async def get(self, key: bytes, tenant: str, now: int, *, use: bool = True) -> Found:
        """The row of a key. That counts as a use of it, unless `use` says otherwise."""
        ...

    async def put(self, row: StoredReply, clears: int) -> bool:
        """Keeps a row in place of one of the same key.

        `clears` is what `get` said when the call was asked. False when the row is not kept: it is larger than the
        bound, or one of its tags, or everything, has been cleared since.
        """
        ...

    async def clear(self, tag: str | None = None) -> int:
        """Forgets all rows with a tag, or all; returns how many. No reply to a call already under way is kept."""
        ...

    async def remove(self, key: bytes) -> bool:
        """Forgets one row, and says whether there was one."""
        ...

    async def listed(self, *, now: int, limit: int = 100, tag: str | None = None) -> Sequence[Listed]:
        """The rows that still answer, those used last first."""
        ...

    async def stock(self, now: int) -> Stock:
        """What is held and still answers."""
        ...

    async def close(self) -> None:
        """Writes what waits and lets go."""
        ...


def _matches(pattern: str, value: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
