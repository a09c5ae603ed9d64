"""The fake provider without its sockets: every endpoint as a function from a request to an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from underspend.testing.fake_upstream.answered import JSON_TYPE, Answered, json_answer
from underspend.testing.fake_upstream.api_error import ApiError
from underspend.testing.fake_upstream.batches import Batches
from underspend.testing.fake_upstream.clock import FakeClock
from underspend.testing.fake_upstream.faults import fault_in
from underspend.testing.fake_upstream.files import Files
from underspend.testing.fake_upstream.ledger import Ledger
from underspend.testing.fake_upstream.limits import RateLimiter
from underspend.testing.fake_upstream.messages import Messages, fault_answer
from underspend.testing.fake_upstream.paging import page
from underspend.testing.fake_upstream.pieces import Piece
from underspend.testing.fake_upstream.prices import Model, PriceList
from underspend.testing.fake_upstream.view import RequestView

MAX_BODY = {"/v1/messages/batches": 256 << 20, "/v1/files": 500 << 20}
DEFAULT_MAX_BODY = 32 << 20
TOO_MANY = 429
_ITEM = r"([A-Za-z0-9_.@-]+)"
Endpoint = Callable[[RequestView, str, str], Answered]
"""A request, its workspace and the id in its path ('' when the path has none)."""


@dataclass(slots=True, kw_only=True)
class Provider:
    """Routes requests to endpoints. `base_url` is what absolute links start with; `prefix` goes before /v1."""

    clock: FakeClock
    ledger: Ledger
    limiter: RateLimiter
    messages: Messages
    tag: str
    prefix: str = ""
    base_url: str = ""
    batch_seconds: float | None = 0
    files: Files = field(init=False)
    batches: Batches = field(init=False)
    _routes: list[tuple[str, re.Pattern[str], Endpoint]] = field(init=False)

    def __post_init__(self) -> None:
        self.files = Files(self.clock, self.tag)
        self.batches = Batches(clock=self.clock, tag=self.tag, run_item=self._run_item, seconds=self.batch_seconds)
        self._routes = [
            (method, re.compile(re.escape(self.prefix) + path), endpoint)
            for method, path, endpoint in self._endpoints()
        ]

    def answer(self, view: RequestView) -> Answered:
        """The answer to any request; errors come in the API's shape."""
        try:
            return self._route(view)
        except ApiError as error:
            extra = [("retry-after", str(self.limiter.retry_after(now=self.clock.now())))]
            told = extra if error.status == TOO_MANY else []
            return Answered(
                status=error.status,
                headers=[("content-type", JSON_TYPE), *told],
                pieces=[Piece(error.body(view.request_id))],
            )

    def _route(self, view: RequestView) -> Answered:
        fault = fault_in(view.headers)
        if fault is not None:
            return fault_answer(fault, view.request_id)
        matches = [(method, found, end) for method, path, end in self._routes if (found := path.fullmatch(view.path))]
        if not matches:
            raise ApiError(404, "Not Found")
        for method, found, endpoint in matches:
            if method == view.method:
                return self._admitted(view, endpoint, found.group(1) if found.groups() else "")
        raise ApiError(405, "Method Not Allowed", "invalid_request_error")

    def _admitted(self, view: RequestView, endpoint: Endpoint, item: str) -> Answered:
        if view.path.removeprefix(self.prefix).startswith("/v1/"):
            if view.credential is None:
                raise ApiError(401, "x-api-key header is required")
            limit = MAX_BODY.get(view.path.removeprefix(self.prefix), DEFAULT_MAX_BODY)
            if len(view.body) > limit:
                raise ApiError(413, "Request exceeds the maximum size")
        return endpoint(view, self.messages.workspace(view), item)

    def _endpoints(self) -> list[tuple[str, str, Endpoint]]:
        files, batches = self.files, self.batches
        return [
            ("POST", "/v1/messages", self._create),
            ("POST", "/v1/messages/count_tokens", lambda view, _ws, _id: self.messages.count(_json(view))),
            ("POST", "/v1/messages/batches", self._create_batch),
            ("GET", "/v1/messages/batches", lambda view, ws, _id: batches.listed(view, ws)),
            ("GET", f"/v1/messages/batches/{_ITEM}", lambda _view, ws, item: batches.get(item, ws)),
            ("DELETE", f"/v1/messages/batches/{_ITEM}", lambda _view, ws, item: batches.delete(item, ws)),
            ("POST", f"/v1/messages/batches/{_ITEM}/cancel", lambda _view, ws, item: batches.cancel(item, ws)),
            ("GET", f"/v1/messages/batches/{_ITEM}/results", lambda _view, ws, item: batches.results(item, ws)),
            ("GET", "/v1/models", lambda view, _ws, _id: json_answer(page(self._models(), view.query))),
            ("GET", f"/v1/models/{_ITEM}", lambda _view, _ws, item: self._model(item)),
            ("POST", "/v1/files", lambda view, ws, _id: files.upload(view, ws)),
            ("GET", "/v1/files", lambda view, ws, _id: files.listed(view, ws)),
            ("GET", f"/v1/files/{_ITEM}", lambda _view, ws, item: files.get(item, ws)),
            ("DELETE", f"/v1/files/{_ITEM}", lambda _view, ws, item: files.delete(item, ws)),
            ("GET", f"/v1/files/{_ITEM}/content", lambda _view, ws, item: files.content(item, ws)),
            ("HEAD", "/?", lambda _view, _ws, _id: Answered()),
            ("GET", "/api/hello", lambda _view, _ws, _id: json_answer({"message": "hello"})),
        ]

    def _create(self, view: RequestView, workspace: str, _item: str) -> Answered:
        self.limiter.enter(workspace, now=self.clock.now())
        return self.messages.create(_json(view))

    def _create_batch(self, view: RequestView, workspace: str, _item: str) -> Answered:
        return self.batches.create(_json(view), workspace, self.base_url + self.prefix)

    def _run_item(self, view: RequestView, _custom_id: str) -> dict[str, Any]:
        seen = self.ledger.open(view, request_id=view.request_id, now=self.clock.now(), batch=True)
        try:
            answered = self.messages.create(view, batch=True)
        except ApiError as error:
            seen.status = error.status
            raise
        seen.status = answered.status
        body = b"".join(piece.data for piece in answered.pieces)
        payload: dict[str, Any] = msgspec.json.decode(body)
        if "error" in payload:
            raise ApiError(answered.status, payload["error"]["message"], payload["error"]["type"])
        answered.began()
        seen.settle(answered.settle(answered.pieces))
        seen.sent_in_full = True
        return payload

    def _models(self) -> list[dict[str, Any]]:
        newest = sorted(self.messages.facts.models, key=lambda model: model.released, reverse=True)
        return [_shown(model) for model in newest]

    def _model(self, name: str) -> Answered:
        found = self.messages.facts.find(name)
        if found is None:
            raise ApiError(404, f"model: {name}")
        return json_answer(_shown(found))


def default_provider(parts: Mapping[str, Any]) -> Provider:
    """A provider from keyword parts; see `FakeUpstream` for what they mean."""
    clock: FakeClock = parts["clock"]
    facts = PriceList()
    limiter = RateLimiter(parts["limits"])
    messages = Messages(
        clock=clock,
        facts=facts,
        prices=parts["prices"] or facts,
        limiter=limiter,
        tag=parts["tag"],
        script=parts["script"],
        serve_unknown=parts["serve_unknown"],
        max_prompt_tokens=parts["max_prompt_tokens"],
        bind_thinking=parts["bind_thinking"],
        bill_aborts_whole=parts["bill_aborts"] == "whole",
        workspaces=parts["workspaces"],
    )
    return Provider(
        clock=clock,
        ledger=Ledger(keep_bodies=parts["keep_bodies"]),
        limiter=limiter,
        messages=messages,
        tag=parts["tag"],
        prefix=parts["prefix"],
        batch_seconds=parts["batch_seconds"],
    )


def _json(view: RequestView) -> RequestView:
    if not view.json:
        raise ApiError(400, "The request body is not valid JSON")
    return view


def _shown(model: Model) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": f"{model.released}T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": model.context_window,
        "max_tokens": model.max_output,
    }
