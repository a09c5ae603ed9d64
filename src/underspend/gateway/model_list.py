"""`GET /v1/models`: what can be asked for here, in the shape of the client's dialect.

Anthropic's clients get the upstream's own list as long as nothing else is configured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from urllib.parse import unquote

import msgspec

from underspend.core.ports import Clock
from underspend.gateway import refusals
from underspend.gateway.destinations import Destinations
from underspend.gateway.routes import Route
from underspend.gateway.transport import Request, Responder
from underspend.pricing.catalogue import Catalogue
from underspend.pricing.table import Model
from underspend.providers.provider import ANTHROPIC, CHAT

_AUTO = ("auto", "auto:cheapest", "auto:balanced", "auto:quality")
_PATH = "/v1/models"


@dataclass(frozen=True, slots=True)
class _Listed:
    id: str
    owner: str
    known: Model | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelList:
    """Answers from the settings and the catalogue, without asking anybody. `auto` is whether we may be left to choose.

    With `forward` the upstream answers those whose dialect it speaks too.
    """

    destinations: Destinations
    catalogue: Catalogue
    clock: Clock
    auto: bool = False
    forward: bool = False

    def ours(self, request: Request, route: Route) -> bool:
        """Whether the answer is ours to give."""
        alone = self.destinations.plain and not self.auto
        if dialect_of(request.fields, route) == ANTHROPIC:
            return not alone
        return not (alone and self.forward)

    async def handle(self, request: Request, responder: Responder, route: Route) -> None:
        """Answer with the list, or with the one model that the path names."""
        dialect = dialect_of(request.fields, route)
        wanted = unquote(route.target.rstrip("/").removeprefix(_PATH).removeprefix("/"))
        listed = list(self._models())
        shown = [_shown(each, dialect) for each in listed]
        if wanted:
            at = next((n for n, each in enumerate(listed) if each.id == wanted), None)
            if at is None:
                await refusals.not_carried(responder, 404, f"model: {wanted}", dialect=dialect)
                return
            body = msgspec.json.encode(shown[at])
        else:
            body = msgspec.json.encode(_page(shown, dialect))
        told = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await responder.start(200, told)
        await responder.write(body)
        await responder.end()

    def _models(self) -> Iterator[_Listed]:
        """What we choose, what the upstream has, what each provider lists (by its own name, and as provider/model)."""
        home = self.destinations.home.provider
        if self.auto:
            yield from (_Listed(name, "underspend", None) for name in _AUTO)
        for model in self._current(home.price_list):
            yield _Listed(model.id, home.name, model)
        for other in self.destinations.others:
            provider = other.provider
            for name in provider.models:
                known = self.catalogue.find(name, provider=provider.price_list)
                yield _Listed(name, provider.name, known)
            named = set(provider.models)
            listed = [*provider.models, *(m.id for m in self._current(provider.price_list) if m.id not in named)]
            for name in listed:
                known = self.catalogue.find(name, provider=provider.price_list)
                yield _Listed(f"{provider.name}/{name}", provider.name, known)

    def _current(self, provider: str) -> Iterator[Model]:
        today = datetime.fromtimestamp(self.clock.now() / 1_000_000, UTC).date()
        for model in self.catalogue.models(provider=provider):
            if model.retired_on is None or today < model.retired_on:
                yield model


def dialect_of(fields: Mapping[str, str], route: Route) -> str:
    """Who asks for a list: as the path says; else Anthropic's clients name a version or show `x-api-key`.

    Others that show a Bearer speak OpenAI's dialect; who shows nothing is taken for Anthropic's.
    """
    if route.said is not None:
        return CHAT if route.said == "openai" else ANTHROPIC
    if "anthropic-version" in fields or "x-api-key" in fields:
        return ANTHROPIC
    return CHAT if fields.get("authorization", "").lower().startswith("bearer ") else ANTHROPIC


def _shown(model: _Listed, dialect: str) -> dict[str, Any]:
    released = model.known.released_on if model.known is not None else None
    since = datetime.combine(released, time(), UTC) if released is not None else datetime.fromtimestamp(0, UTC)
    if dialect == ANTHROPIC:
        created = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"type": "model", "id": model.id, "display_name": model.id, "created_at": created}
    return {"id": model.id, "object": "model", "created": int(since.timestamp()), "owned_by": model.owner}


def _page(shown: list[dict[str, Any]], dialect: str) -> dict[str, Any]:
    if dialect != ANTHROPIC:
        return {"object": "list", "data": shown}
    first, last = (shown[0]["id"], shown[-1]["id"]) if shown else (None, None)
    return {"data": shown, "has_more": False, "first_id": first, "last_id": last}
