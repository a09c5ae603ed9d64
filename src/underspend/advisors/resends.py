"""What standing text costs: it is written once per session, then read again with every reply."""

from __future__ import annotations

from collections.abc import Iterable

from underspend.advisors.claimed import Claimed
from underspend.core.history import Answered, Timeline
from underspend.core.money import Money
from underspend.core.usage import Lane

_WRITES = (Lane.CACHE_WRITE_5M, Lane.CACHE_WRITE_1H)


def sent_in(reply: Answered, reach: int) -> Lane | None:
    """The lane in which a reply was billed for a text that ends `reach` tokens into its prompt.

    A cache is read from the front, so the text was read if the reading got that far, else written where anything was
    written, else sent as plain input. None for a reply without a prompt.
    """
    usage = reply.metered.usage
    if usage.cache_read and usage.cache_read >= reach:
        return Lane.CACHE_READ
    written = max(_WRITES, key=usage.lane)
    if usage.lane(written):
        return written
    if usage.input:
        return Lane.INPUT
    return Lane.CACHE_READ if usage.cache_read else None


def resend(timeline: Timeline, tokens: int, claimed: Claimed, *, reach: int | None = None) -> Money:
    """Claim what `tokens` of standing text cost over a timeline; gives the dollars.

    Without `reach` the text may end anywhere in the timeline's first prompt (as CLAUDE.md does).
    """
    replies = timeline.replies
    if not replies:
        return 0
    end = replies[0].metered.usage.prompt if reach is None else reach
    return sum(_one(reply, tokens, end, claimed) for reply in replies)


def resend_all(timelines: Iterable[Timeline], tokens: int, claimed: Claimed, *, reach: int | None = None) -> Money:
    """The same over several timelines."""
    return sum(resend(timeline, tokens, claimed, reach=reach) for timeline in timelines)


def _one(reply: Answered, tokens: int, reach: int, claimed: Claimed) -> Money:
    lane = sent_in(reply, reach)
    return 0 if lane is None else claimed.add_tokens(reply, lane, tokens)
