"""Requests that are no calls (models, files, probes, batches): passed on as they are; batch results are billed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from underspend.gateway import headers, refusals
from underspend.gateway.batches import Results, rewritten
from underspend.gateway.books import Books
from underspend.gateway.gating import Gate
from underspend.gateway.identity import Identifier
from underspend.gateway.passing import pass_on
from underspend.gateway.routes import Route, target_of
from underspend.gateway.status import Status
from underspend.gateway.transport import (
    Request,
    Responder,
    Upstream,
    UpstreamCutError,
    UpstreamUnreachableError,
)


@dataclass(slots=True, kw_only=True)
class Relay:
    """Forwards both ways without reading, but for what batches need."""

    upstream: Upstream
    books: Books
    identifier: Identifier
    status: Status
    gate: Gate | None = None

    async def handle(self, request: Request, responder: Responder, route: Route) -> None:
        """Serve one request."""
        if self.gate is not None and await self._is_barred(self.gate, request, responder, route):
            return
        fields = headers.forwarded(request.headers)
        body = request.chunks() if _has_body(request) else None
        try:
            reply = await self.upstream.send(request.method, target_of(route, request.query), fields, body)
        except UpstreamUnreachableError as error:
            await refusals.unreachable(responder, str(error))
            return
        if route.endpoint == "batches":
            try:
                reply = await rewritten(reply, request.headers, route.prefix)
            except UpstreamCutError as error:
                await refusals.unreachable(responder, str(error))
                return
        elif route.endpoint == "batch_results":
            identity = self.identifier.identify(request.fields, None, route)
            results = Results(reply, self.books, identity, self.status.fault)
            reply = replace(reply, chunks=results.watched())
        try:
            await pass_on(reply, responder, None)
        except UpstreamCutError as error:
            self.status.fault("upstream", f"a reply broke off: {error}")

    async def _is_barred(self, gate: Gate, request: Request, responder: Responder, route: Route) -> bool:
        """Whether it was a new message batch, and a budget stood in its way."""
        if route.endpoint != "batches" or request.method != "POST" or not route.target.rstrip("/").endswith("/batches"):
            return False
        return await gate.bars(self.identifier.identify(request.fields, None, route), responder)


def _has_body(request: Request) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in request.headers
    )
