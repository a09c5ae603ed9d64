"""The gateway as one ASGI application: who is let in, what is ours (/_/) and what is the client's."""

from __future__ import annotations

import asyncio
import base64
import hmac
from dataclasses import dataclass, field

from underspend.gateway import refusals
from underspend.gateway.answers import Answers
from underspend.gateway.asgi import App, AsgiRequest, AsgiResponder, Message, Receive, Send, Watch
from underspend.gateway.feedback import Feedback
from underspend.gateway.model_list import ModelList
from underspend.gateway.pipeline import Pipeline
from underspend.gateway.relay import Relay
from underspend.gateway.resuming import PATH as RESUME
from underspend.gateway.resuming import Resuming
from underspend.gateway.routes import classify
from underspend.gateway.status import Status
from underspend.gateway.summaries import Summaries
from underspend.gateway.transport import ClientGoneError

_FEEDBACK = frozenset({b"/feedback", b"/_/feedback"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Whom to let in. A browser page of another site cannot name our host, so its requests stop here."""

    allowed_hosts: frozenset[str] = field(default_factory=frozenset)
    access_key: str = ""

    def refusal(self, fields: dict[str, str]) -> str | None:
        """Why a request is not let in; None when it is."""
        if self.access_key:
            return None if self._has_key(fields) else "this gateway wants its access key in the header x-underspend-key"
        host = _host_name(fields.get("host", ""))
        if host not in _LOOPBACK_NAMES and host not in self.allowed_hosts:
            return f"the host name {host} is not known here; add it to [gateway] allowed_hosts"
        if fields.get("sec-fetch-site") == "cross-site":
            return "pages of other sites may not use the gateway"
        return None

    def _has_key(self, fields: dict[str, str]) -> bool:
        """The key in our header, or as the password a browser asks for."""
        scheme, _, encoded = fields.get("authorization", "").partition(" ")
        shown = fields.get("x-underspend-key", "")
        if not shown and scheme.lower() == "basic":
            try:
                shown = base64.b64decode(encoded).decode().partition(":")[2]
            except ValueError:
                return False
        return hmac.compare_digest(shown.encode(), self.access_key.encode())


class GatewayApp:
    """ASGI: lifespan is the server's; requests go to the dashboard, the relay or the pipeline."""

    def __init__(  # noqa: PLR0913  # what a request may be for
        self,
        *,
        pipeline: Pipeline,
        relay: Relay,
        models: ModelList,
        feedback: Feedback,
        resuming: Resuming,
        local: App,
        door: Door,
        status: Status,
    ) -> None:
        self._pipeline = pipeline
        self._relay = relay
        self._models = models
        self._posts: dict[bytes, Resuming | Feedback] = {RESUME: resuming, **dict.fromkeys(_FEEDBACK, feedback)}
        self._local = local
        self._door = door
        self._status = status

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        request, responder = AsgiRequest(scope, receive), AsgiResponder(send)
        fields = request.fields
        why = self._door.refusal(fields)
        ours = request.path.startswith(b"/_/") or request.path == b"/_"
        if why is not None and ours and self._door.access_key:
            await refusals.ask_for_key(responder)
        elif why is not None:
            await refusals.forbidden(responder, why)
        elif request.path in self._posts and request.method == "POST":
            await self._posts[request.path].handle(request, responder)
        elif ours:
            await self._local(scope, receive, send)
        elif request.path == b"/" and request.method == "GET" and "text/html" in fields.get("accept", ""):
            await responder.start(302, [(b"location", b"/_/"), (b"content-length", b"0")])
            await responder.end()
        else:
            await self._serve(request, responder)

    @property
    def answers(self) -> Answers | None:
        """What answers calls here; None where nothing does."""
        return self._pipeline.answers

    @property
    def summaries(self) -> Summaries | None:
        """What has conversations summed up; None where nothing does."""
        return self._pipeline.summaries

    def stop(self) -> None:
        """Learn from what is left, when no call comes any more."""
        if self._pipeline.router is not None:
            self._pipeline.router.tasks.end_all()

    async def _serve(self, request: AsgiRequest, responder: AsgiResponder) -> None:
        try:
            with Watch(request, responder):
                await self._dispatch(request, responder)
        except ClientGoneError:
            return
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not responder.client_gone or task is None:
                raise
            task.uncancel()
        except Exception as error:  # noqa: BLE001  # one request's fault is recorded, not spread
            self._status.fault("gateway", f"{type(error).__name__}: {error}")
            if not responder.started:
                why = "the gateway failed; the fault is in `underspend status`"
                await refusals.respond_error(responder, 502, "api_error", why, retry=True)

    async def _dispatch(self, request: AsgiRequest, responder: AsgiResponder) -> None:
        route = classify(request.method, request.path.decode("latin-1"))
        if route.call:
            await self._pipeline.handle(request, responder, route)
        elif route.endpoint == "models" and self._models.ours(request, route):
            await self._models.handle(request, responder, route)
        else:
            await self._relay.handle(request, responder, route)


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
