"""What the rules of the prompt cache predict for every call of a history, beside what was recorded.

A call is predicted from the calls before it and from what the client noted; of its own record only the size of its
prompt is used. The one exception is marked `inferred`: a first request whose prefix nothing in the history explains
shows what others had left in the cache, and is taken as the starting point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from underspend.audit.prediction_steps import Step, steps
from underspend.audit.undetermined import Open, open_because
from underspend.core.history import History
from underspend.core.money import Money
from underspend.core.usage import Usage
from underspend.pricing.catalogue import Catalogue, catalogue
from underspend.pricing.cost import cost
from underspend.promptcache import Ask, Commons, Conversation, Split, Why

_PARTS_OF_A_PROMPT = 50
"""Within one part of a prompt in 50 (2 %) a lane counts as predicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A call, the split the rules expect and the one recorded, and the whole bill under each.

    `undetermined` says why the rules together with the record leave the outcome open; None where they determine it.
    `inferred` marks a first request taken as it was recorded.
    """

    step: Step
    expected: Split
    recorded: Split
    why: Why
    inferred: bool
    undetermined: Open | None
    cost_recorded: Money
    cost_predicted: Money

    @property
    def is_close(self) -> bool:
        """Whether tokens read, written and fresh are each within 2 % of the prompt."""
        return self.furthest * _PARTS_OF_A_PROMPT <= self.recorded.prompt

    @property
    def furthest(self) -> int:
        """By how many tokens the lane furthest off is off."""
        expected, recorded = self.expected, self.recorded
        return max(
            abs(expected.cache_read - recorded.cache_read),
            abs(expected.written - recorded.written),
            abs(expected.input - recorded.input),
        )


def predict(history: History, prices: Catalogue | None = None) -> list[Predicted]:
    """Every call with a prompt, predicted in the order in which they were sent."""
    known = prices or catalogue()
    commons = Commons()
    found: list[Predicted] = []
    conversations: dict[int, Conversation] = {}
    surprised: dict[int, bool] = {}
    # Stable: calls of one timeline stay in its order, also where copying gave all of them one time.
    for step in sorted(_all_steps(history), key=_when):
        talk = conversations.setdefault(step.row, Conversation(step.row, commons))
        each = _predicted(step, talk, known, settled=not surprised.get(step.row, True))
        surprised[step.row] = each.why is not Why.CONTINUED or not each.is_close
        found.append(each)
    return found


def _all_steps(history: History) -> Iterator[Step]:
    for row, line in enumerate(history.timelines):
        yield from steps(line, row)


def _when(step: Step) -> int:
    return step.start


def _predicted(step: Step, talk: Conversation, prices: Catalogue, *, settled: bool) -> Predicted:
    usage, metered = step.usage, step.reply.metered
    recorded = Split(
        input=usage.input,
        cache_read=usage.cache_read,
        cache_write_5m=usage.cache_write_5m,
        cache_write_1h=usage.cache_write_1h,
    )
    ask = _ask(step, prices)
    forecast = talk.forecast(ask)
    talk.observe(ask, recorded)
    inferred = forecast.why is Why.FIRST and not forecast.known
    expected = recorded if inferred else forecast.split
    paid = cost(metered, at=step.reply.at, catalogue=prices).total
    return Predicted(
        step=step,
        expected=expected,
        recorded=recorded,
        why=forecast.why,
        inferred=inferred,
        undetermined=open_because(step, forecast.why, settled=settled),
        cost_recorded=paid,
        cost_predicted=paid if expected == recorded else _cost_of(step, expected, prices),
    )


def _ask(step: Step, prices: Catalogue) -> Ask:
    model = step.reply.metered.model or ""
    listed = prices.find(model, provider=step.reply.metered.provider)
    return Ask(
        start=step.start,
        answered=step.reply.at,
        prompt=step.usage.prompt,
        scope=step.scope,
        kind=step.kind,
        tail=step.tail,
        reset=step.reset,
        minimum=(listed.min_cache if listed else None) or 0,
    )


def _cost_of(step: Step, expected: Split, prices: Catalogue) -> Money:
    """The bill of the call had its prompt been split as expected, all else as recorded."""
    metered = step.reply.metered
    usage = Usage(
        input=expected.input,
        cache_write_5m=expected.cache_write_5m,
        cache_write_1h=expected.cache_write_1h,
        cache_read=expected.cache_read,
        output=step.usage.output,
    )
    units = list(metered.units)
    units[step.unit] = replace(units[step.unit], usage=usage)
    return cost(replace(metered, units=tuple(units)), at=step.reply.at, catalogue=prices).total
