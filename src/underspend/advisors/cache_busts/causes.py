"""Why a prefix was lost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from underspend.advisors.reading import MINUTE, Step
from underspend.core.history import MarkKind

HOUR = 60 * MINUTE
"""The longest lifetime on sale: past it no setting keeps a prefix."""


class Cause(StrEnum):
    """The reasons that are told apart; the value is part of the finding's id."""

    COMPACTION = "compaction"
    MICROCOMPACTION = "microcompaction"
    MODEL_SWITCH = "model-switch"
    EFFORT_CHANGE = "effort-change"
    SHORT_BREAK = "short-break"
    LONG_BREAK = "long-break"
    RESUME = "resume"
    CLIENT_UPDATE = "client-update"
    TOOLS_CHANGED = "tools-changed"
    SYSTEM_CHANGED = "system-changed"
    HISTORY_CHANGED = "history-changed"
    COPIED_HISTORY = "copied-history"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Reason:
    """A cause with its particulars. `said` is the provider's own word for it, empty where we infer."""

    cause: Cause
    detail: str = ""
    said: str = ""


_SAID = {
    "model_changed": Cause.MODEL_SWITCH,
    "tools_changed": Cause.TOOLS_CHANGED,
    "system_changed": Cause.SYSTEM_CHANGED,
    "messages_changed": Cause.HISTORY_CHANGED,
}
"""The provider's diagnoses. Its other words say that it cannot tell."""


def reason(earlier: Step, step: Step, ttl: int, *, timed: bool = True) -> Reason:
    """Why `step` could not read what `earlier` had left in the cache, which lives `ttl` microseconds.

    `timed` is False where the recorded times are not those of the calls.

    The provider's word comes first. What changes the cache's key comes before the clock, since no lifetime would have
    helped; what merely goes with a new start (resuming, an update, another set of tools) comes after it, since past
    its lifetime the prefix was gone in any case.
    """
    said = step.reply.miss_reason or ""
    cause = _SAID.get(said)
    inferred = _noted(step) or _rekeyed(earlier, step)
    if inferred is None:
        inferred = _late(earlier, step, ttl) or _restarted(earlier, step) if timed else Reason(Cause.COPIED_HISTORY)
    if cause is None:
        return Reason(inferred.cause, inferred.detail, said) if inferred else _unexplained(earlier, step, said)
    refined = inferred is not None and inferred.cause in _NARROWER.get(cause, ())
    if inferred is not None and refined:
        return Reason(inferred.cause, inferred.detail, said)
    return Reason(cause, _models(earlier, step) if cause is Cause.MODEL_SWITCH else "", said)


_NARROWER = {
    Cause.HISTORY_CHANGED: (Cause.COMPACTION, Cause.MICROCOMPACTION, Cause.EFFORT_CHANGE),
    Cause.SYSTEM_CHANGED: (Cause.CLIENT_UPDATE, Cause.RESUME),
}
"""What the client noted that says more precisely what the provider saw."""


def _noted(step: Step) -> Reason | None:
    for kind, cause in (
        (MarkKind.COMPACTION, Cause.COMPACTION),
        (MarkKind.MICROCOMPACTION, Cause.MICROCOMPACTION),
    ):
        mark = step.mark(kind)
        if mark is not None:
            return Reason(cause, mark.detail)
    return None


def _rekeyed(earlier: Step, step: Step) -> Reason | None:
    models = _models(earlier, step)
    if models:
        return Reason(Cause.MODEL_SWITCH, models)
    before, after = earlier.reply.effort, step.reply.effort
    if before and after and before != after:
        return Reason(Cause.EFFORT_CHANGE, f"{before} → {after}")
    return None


def _late(earlier: Step, step: Step, ttl: int) -> Reason | None:
    gap = step.gap(earlier)
    if gap <= ttl:
        return None
    also = "resumed" if step.mark(MarkKind.RESUME) else ""
    return Reason(Cause.SHORT_BREAK if gap <= HOUR else Cause.LONG_BREAK, also)


def _restarted(earlier: Step, step: Step) -> Reason | None:
    resume = step.mark(MarkKind.RESUME)
    if resume is not None:
        return Reason(Cause.RESUME, resume.detail)
    before, after = earlier.reply.version, step.reply.version
    if before and after and before != after:
        return Reason(Cause.CLIENT_UPDATE, f"{before} → {after}")
    tools = step.mark(MarkKind.TOOLS_CHANGED)
    if tools is not None:
        return Reason(Cause.TOOLS_CHANGED, tools.detail)
    return None


def _unexplained(earlier: Step, step: Step, said: str) -> Reason:
    version = step.reply.version or "unknown version"
    return Reason(Cause.UNEXPLAINED, f"{version}, {step.gap(earlier) // MINUTE} min after the call before", said)


def _models(earlier: Step, step: Step) -> str:
    before = earlier.reply.metered.model or earlier.reply.asked_model
    after = step.reply.metered.model or step.reply.asked_model
    return f"{before} → {after}" if before and after and before != after else ""
