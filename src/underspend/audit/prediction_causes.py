"""Why a call was not billed as the cache's rules predict, as far as the transcript tells."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from underspend.audit.prediction import Predicted
from underspend.audit.prediction_steps import Step
from underspend.audit.undetermined import failed_lately, is_beyond_lookback
from underspend.core.history import MarkKind
from underspend.promptcache import Reset, Why

_EDGE_TENTHS = 2
"""So many tenths of a lifetime before and after its end count as its edge: when a request left is not recorded."""


class Cause(StrEnum):
    """The causes told apart, by the name they have in the JSON."""

    COMPACTION = "compaction"
    MICROCOMPACTION = "microcompaction"
    CLEAR = "clear"
    COPIED_HISTORY = "copied_history"
    MODEL = "model_change"
    EFFORT = "effort_change"
    VERSION = "client_version"
    TOOLS = "tools_or_mcp_change"
    SYSTEM = "system_change"
    MESSAGES = "messages_changed"
    API_ERRORS = "api_errors"
    RESUME = "resume"
    MODE = "permission_mode"
    IMAGES = "images"
    BREAKPOINT = "breakpoint_place"
    LIFETIME_EDGE = "lifetime_edge"
    ELSEWHERE = "kept_warm_elsewhere"
    UNSEEN_CALL = "unseen_call"
    MINIMUM = "minimum_size"
    LOOKBACK = "lookback"
    CONCURRENCY = "concurrency"
    SHORTENED = "history_shortened"
    UNEXPLAINED = "unexplained"


WORDS = {
    Cause.COMPACTION: "compaction: how much stands before the messages had not shown yet",
    Cause.MICROCOMPACTION: "old results dropped: from where on is not noted",
    Cause.CLEAR: "/clear: how much stands before the messages had not shown yet",
    Cause.COPIED_HISTORY: "history copied from another session, its times lost",
    Cause.MODEL: "another model",
    Cause.EFFORT: "another effort",
    Cause.VERSION: "another version of the client",
    Cause.TOOLS: "tools or MCP servers changed",
    Cause.SYSTEM: "the system prompt changed (the provider's word)",
    Cause.MESSAGES: "earlier messages changed (the provider's word)",
    Cause.API_ERRORS: "the API had just failed: overloads, retries",
    Cause.RESUME: "resumed in a new process",
    Cause.MODE: "the permission mode was changed",
    Cause.IMAGES: "images came in",
    Cause.BREAKPOINT: "the last breakpoint stood elsewhere",
    Cause.LIFETIME_EDGE: "near the end of the lifetime",
    Cause.ELSEWHERE: "kept warm by sessions not in these files",
    Cause.UNSEEN_CALL: "written by a call the transcript does not hold",
    Cause.MINIMUM: "near the shortest prefix the model caches",
    Cause.LOOKBACK: "more new blocks than the lookback sees",
    Cause.CONCURRENCY: "sent beside the call before, not after it",
    Cause.SHORTENED: "the conversation was cut back",
    Cause.UNEXPLAINED: "a warm prefix missed, for no recorded reason",
}
"""Each cause for people."""

_SAID = {
    "model_changed": Cause.MODEL,
    "tools_changed": Cause.TOOLS,
    "system_changed": Cause.SYSTEM,
    "messages_changed": Cause.MESSAGES,
}


def cause_of(each: Predicted) -> Cause:
    """The first cause that fits: the provider's own word, what was noted, what the key and the tokens show."""
    said = _SAID.get(each.step.reply.miss_reason or "")
    if said is not None:
        return said
    return next((cause for cause, fits in _CHECKS if fits(each)), Cause.UNEXPLAINED)


def _reset(kind: Reset) -> Callable[[Predicted], bool]:
    return lambda each: each.step.reset is kind and each.why is not Why.FIRST


def _marked(kind: MarkKind) -> Callable[[Predicted], bool]:
    return lambda each: each.why is not Why.FIRST and each.step.has_mark(kind)


def _differs(of: Callable[[Step], object]) -> Callable[[Predicted], bool]:
    return lambda each: each.step.earlier is not None and of(each.step) != of(each.step.earlier)


def _is_at_edge(each: Predicted) -> bool:
    earlier = each.step.earlier
    if earlier is None:
        return False
    lifetime = each.step.lifetime
    soonest, latest = each.step.start - earlier.reply.at, each.step.reply.at - earlier.start
    edge = lifetime * _EDGE_TENTHS // 10
    return soonest <= lifetime + edge and latest >= lifetime - edge


def _read_more(each: Predicted) -> bool:
    return each.recorded.cache_read > each.expected.cache_read


def _is_own(each: Predicted) -> bool:
    return each.why in {Why.CONTINUED, Why.SHORTENED}


def _is_only_the_tail(each: Predicted) -> bool:
    return each.recorded.cache_read == each.expected.cache_read


def _is_uncached(each: Predicted) -> bool:
    return not each.recorded.cache_read and not each.recorded.written


def _came_with_nothing(each: Predicted) -> bool:
    step = each.step
    return step.earlier is not None and not step.results and not step.is_new_turn


_CHECKS: tuple[tuple[Cause, Callable[[Predicted], bool]], ...] = (
    (Cause.COMPACTION, _reset(Reset.COMPACTED)),
    (Cause.MICROCOMPACTION, _reset(Reset.THINNED)),
    (Cause.CLEAR, _reset(Reset.CLEARED)),
    (Cause.COPIED_HISTORY, lambda each: each.step.is_untimed),
    (Cause.MODEL, _differs(lambda step: (step.reply.metered.model, step.scope[2]))),
    (Cause.EFFORT, _differs(lambda step: step.reply.effort)),
    (Cause.API_ERRORS, lambda each: failed_lately(each.step) or each.step.has_mark(MarkKind.API_ERROR)),
    (Cause.VERSION, _differs(lambda step: step.reply.version)),
    (Cause.TOOLS, _marked(MarkKind.TOOLS_CHANGED)),
    (Cause.RESUME, _marked(MarkKind.RESUME)),
    (Cause.BREAKPOINT, _is_only_the_tail),
    (Cause.UNSEEN_CALL, lambda each: _read_more(each) and _is_own(each)),
    (Cause.LIFETIME_EDGE, _is_at_edge),
    (Cause.ELSEWHERE, _read_more),
    (Cause.MODE, _marked(MarkKind.PERMISSION_MODE)),
    (Cause.IMAGES, lambda each: any(result.images for result in each.step.results)),
    (Cause.MINIMUM, _is_uncached),
    (Cause.LOOKBACK, lambda each: is_beyond_lookback(each.step)),
    (Cause.CONCURRENCY, _came_with_nothing),
    (Cause.SHORTENED, lambda each: each.why is Why.SHORTENED),
)
