"""POST /v1/messages and count_tokens: from a request to an answer with its usage and bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from underspend.testing.fake_upstream import sse, thinking_binding, validation
from underspend.testing.fake_upstream.answered import JSON_TYPE, Answered, json_answer
from underspend.testing.fake_upstream.api_error import invalid
from underspend.testing.fake_upstream.bill import Charge, charge
from underspend.testing.fake_upstream.clock import FakeClock
from underspend.testing.fake_upstream.faults import Fault
from underspend.testing.fake_upstream.limits import RateLimiter
from underspend.testing.fake_upstream.pieces import Piece
from underspend.testing.fake_upstream.prices import Model, PriceList, PriceSource
from underspend.testing.fake_upstream.prompt_cache import Placement, Prompt, PromptCache, build_prompt
from underspend.testing.fake_upstream.recorded import SSE_TYPE, Reading, Recorded, read
from underspend.testing.fake_upstream.rendering import Rendered, render
from underspend.testing.fake_upstream.script import Script, choose
from underspend.testing.fake_upstream.view import RequestView


def workspace_of(credential: str | None) -> str:
    """The workspace of a credential: the part after its last `@`, else the credential itself."""
    return (credential or "").rpartition("@")[2]


@dataclass(slots=True, kw_only=True)
class Messages:
    """The model side of the fake provider. One instance holds one prompt cache and one script.

    `workspaces` maps credentials to workspaces. `serve_unknown` answers for models that are not on the list
    (unpriced) instead of 404. `max_prompt_tokens` lowers every model's context window.
    """

    clock: FakeClock
    facts: PriceList
    prices: PriceSource
    limiter: RateLimiter
    tag: str
    script: Script | None = None
    serve_unknown: bool = False
    max_prompt_tokens: int | None = None
    bill_aborts_whole: bool = False
    bind_thinking: bool = False
    workspaces: Mapping[str, str] = field(default_factory=dict)
    cache: PromptCache = field(default_factory=PromptCache)
    _made: int = 0

    def workspace(self, view: RequestView) -> str:
        """The workspace a request is billed and cached in: the one its header selects, or its credential's."""
        selected = view.headers.get("anthropic-workspace-id")
        credential = view.credential or ""
        return selected or self.workspaces.get(credential) or workspace_of(credential)

    def count(self, view: RequestView) -> Answered:
        """The answer of count_tokens: the same count that a message would be billed for."""
        validation.check_count(view)
        facts = self._served(view.model)
        prompt = build_prompt(view.json, workspace="", model=view.model, facts=facts)
        return json_answer({"input_tokens": prompt.total})

    def create(self, view: RequestView, *, batch: bool = False) -> Answered:
        """The answer to a message request. Raises ApiError for what the API or the script turns down."""
        facts = self._served(view.model) if "model" in view.json else None
        validation.check_message(view, facts)
        model = view.model if facts is None else facts.id
        workspace = self.workspace(view)
        prompt = build_prompt(
            view.json, workspace=workspace, model=model, facts=facts, bind_thinking=self.bind_thinking
        )
        self._check_length(prompt, facts)
        answer = choose(view, self.script)
        if isinstance(answer, Fault):
            return fault_answer(answer, view.request_id)
        if isinstance(answer, Recorded):
            return self._replay(answer)
        if prompt.signature is not None:
            answer = thinking_binding.sign(answer, prompt.signature)
        if batch:
            answer = msgspec.structs.replace(answer, service_tier="batch")
        minimum = self.prices.min_cache_tokens(model)
        placement = self.cache.admit(prompt, minimum=minimum, now=self.clock.now())
        self._made += 1
        message_id = f"msg_{self.tag}{self._made:010d}"
        rendered = render(view, answer, placement, facts, message_id=message_id)
        return self._answered(view, rendered, placement)

    def _served(self, model: str) -> Model | None:
        facts = self.facts.find(model)
        if facts is None and not self.serve_unknown:
            raise validation.unknown_model(model)
        return facts

    def _check_length(self, prompt: Prompt, facts: Model | None) -> None:
        limits = [self.max_prompt_tokens, None if facts is None else facts.context_window]
        limit = min((limit for limit in limits if limit is not None), default=None)
        if limit is not None and prompt.total > limit:
            raise invalid(f"prompt is too long: {prompt.total} tokens > {limit} maximum")

    def _answered(self, view: RequestView, rendered: Rendered, placement: Placement) -> Answered:
        delivery = rendered.reply.delivery
        if view.stream:
            whole = sse.stream(rendered)
            pieces, kind = sse.spoil(whole, delivery), SSE_TYPE
        else:
            body = msgspec.json.encode(rendered.message())
            whole = pieces = [Piece(body, rendered.final.output, "message")]
            kind = JSON_TYPE
        workspace = self.workspace(view)

        def settle(sent: list[Piece]) -> Charge:
            streamed = sent if view.stream and not self.bill_aborts_whole else None
            return rendered.charge(self.prices, self.facts.web_search, streamed)

        def began() -> None:
            now = self.clock.now()
            self.cache.began(placement, now=now)
            self.limiter.spend(workspace, rendered.final, now=now)

        return Answered(
            headers=[("content-type", kind), *rendered.reply.headers.items()],
            pieces=pieces,
            streamed=view.stream,
            delivery=delivery,
            whole=[piece.kind for piece in pieces] == [piece.kind for piece in whole],
            began=began,
            settle=settle,
        )

    def _replay(self, recorded: Recorded) -> Answered:
        reading = read(recorded)
        bill = None if reading is None else self._recorded_charge(reading)
        return Answered(
            status=recorded.status,
            headers=recorded.kept_headers(),
            pieces=recorded.pieces(),
            streamed=True,
            delivery=recorded.delivery,
            settle=lambda _sent: bill,
        )

    def _recorded_charge(self, reading: Reading) -> Charge:
        bill = charge(reading.units, reading.terms, self.prices, web_search=self.facts.web_search)
        return Charge(reading.message_id, reading.model, reading.usage, bill)


def fault_answer(fault: Fault, request_id: str) -> Answered:
    """The error answer of a fault."""
    error = fault.error()
    body = error.body(request_id) if fault.body is None else fault.body.encode()
    return Answered(
        status=error.status,
        headers=[("content-type", JSON_TYPE), *fault.extra_headers().items()],
        pieces=[Piece(body)],
        delivery=fault.delivery,
    )
