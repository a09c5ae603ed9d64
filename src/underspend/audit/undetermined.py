"""Which calls the cache's rules determine, from what the transcript shows before their bill is looked at."""

from __future__ import annotations

from enum import StrEnum

from underspend.audit.prediction_steps import Step
from underspend.promptcache import Why
from underspend.promptcache.cache import LIFETIMES
from underspend.promptcache.prompt import SHORT

_POSITIONS_SEEN = 20


class Open(StrEnum):
    """Why the outcome of a call does not follow from the rules and what was noted before it."""

    FIRST = "first request"
    NOTED = "the client noted a change"
    REKEYED = "another model, effort, speed or version"
    NEW_TURN = "a new turn"
    UNTIMED = "copied history without its times"
    FAILED = "the API failed just before"
    LIFETIME = "near or past the cache's lifetime"
    SHORTENED = "the prompt shrank"
    IMAGES = "images"
    UNCONNECTED = "not the answer to the tools just used"
    ORDER = "results of parallel sub-agents"
    LOOKBACK = "too many blocks for the lookback"
    UNSETTLED = "nothing had read this prefix back yet"
    PASSES = "several passes over one prompt"


def open_because(step: Step, why: Why, *, settled: bool) -> Open | None:
    """Why a call is not determined; None for one that is.

    Determined is the next round of a tool loop: it answers exactly the tools its predecessor used, nothing else was
    noted between, key and version are the same, the prefix is surely within its lifetime, and it has been read back
    before (`settled`). The call's own split is not looked at, only the size of its prompt.
    """
    earlier = step.earlier
    if earlier is None:
        return Open.FIRST
    checks = {
        Open.NOTED: step.has_mark(),
        Open.REKEYED: step.scope != earlier.scope or step.kind != earlier.kind,
        Open.NEW_TURN: step.is_new_turn,
        Open.UNTIMED: step.is_untimed,
        Open.FAILED: failed_lately(step),
        Open.LIFETIME: why is Why.EXPIRED or step.reply.at - earlier.start >= step.lifetime,
        Open.SHORTENED: step.usage.prompt < earlier.usage.prompt,
        Open.IMAGES: any(result.images for result in step.results),
        Open.UNCONNECTED: not _answers_the_tools(step, earlier),
        Open.ORDER: step.has_parallel_agents,
        Open.LOOKBACK: is_beyond_lookback(step),
        Open.UNSETTLED: not settled,
        Open.PASSES: len(step.reply.metered.units) > 1 or len(earlier.reply.metered.units) > 1,
    }
    return next((reason for reason, holds in checks.items() if holds), None)


def failed_lately(step: Step) -> bool:
    """Whether the client noted an API error within the shortest lifetime: what failed may have read or written."""
    return step.failed_at is not None and step.start - step.failed_at < LIFETIMES[SHORT]


def is_beyond_lookback(step: Step) -> bool:
    """Whether the new blocks may push the last breakpoint out of reach of the one before.

    New are a use and a result for each tool, and a text and a thinking block.
    """
    used = len(step.earlier.reply.tools) if step.earlier else 0
    return 2 * used + 2 >= _POSITIONS_SEEN


def _answers_the_tools(step: Step, earlier: Step) -> bool:
    used = {use.id for use in earlier.reply.tools}
    return bool(used) and used == {result.use_id for result in step.results}
