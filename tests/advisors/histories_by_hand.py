"""Small histories with prices that can be worked out in the head: $1 is 10**12."""

from underspend.core.advisor import RateSource, Surroundings
from underspend.core.call import Role
from underspend.core.history import Answered, History, Place, Result, Timeline, ToolUse, Typed
from underspend.core.reply import Bill, Line
from underspend.core.usage import Lane, Metered, Unit, Usage

OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"
NOV = 1_795_000_000_000_000
"""An instant on 2026-11-18, in microseconds."""
MINUTE, DAY = 60_000_000, 86_400_000_000
USD = 10**12
PLACE = Place(file="a.jsonl", line=1)

RATES = {
    # input, write 5m, write 1h, read, output: pico-dollars per token
    OPUS: (4_000_000, 5_000_000, 8_000_000, 200_000, 20_000_000),
    SONNET: (2_000_000, 2_500_000, 4_000_000, 100_000, 10_000_000),
    HAIKU: (100_000, 125_000, 200_000, 10_000, 500_000),
}
ORDER = (Lane.INPUT, Lane.CACHE_WRITE_5M, Lane.CACHE_WRITE_1H, Lane.CACHE_READ, Lane.OUTPUT)


class Rates(RateSource):
    def rate(self, model, lane, at, prompt_tokens):
        return dict(zip(ORDER, RATES[model], strict=True))[lane] if model in RATES else None

    def ttl_micros(self, reply):
        return 5 * MINUTE


def reply(name, usage, *, model=OPUS, at=NOV, tools=(), text=0, file="a.jsonl"):
    unit = Unit("message", usage)
    metered = Metered(provider="anthropic", model=model, units=(unit,), reported=usage, message_id=name)
    uses = tuple(ToolUse(id=f"{name}-{index}", name=tool) for index, tool in enumerate(tools))
    return Answered(
        message_id=name, at=at, place=Place(file=file, line=1), metered=metered, tools=uses, text_chars=text
    )


def bill(answered):
    usage, model = answered.metered.usage, answered.metered.model
    if model not in RATES:
        return Bill(unpriced=(str(model),))
    lines = tuple(
        Line(
            unit=0, kind="message", model=model, lane=lane, tokens=usage.lane(lane), rate=rate,
            amount=usage.lane(lane) * rate,
        )
        for lane, rate in zip(ORDER, RATES[model], strict=True)
        if usage.lane(lane)
    )  # fmt: skip
    return Bill(lines=lines, total=sum(line.amount for line in lines))


def line(*events, session="s", agent=None, agent_type=None, role=None, directory="/home/u/p", parent_use=None):
    return Timeline(
        session=session,
        project="p",
        directory=directory,
        agent=agent,
        agent_type=agent_type,
        parent_use=parent_use,
        role=role or (Role.SUBAGENT if agent else Role.MAIN),
        events=list(events),
    )


def typed(at=NOV):
    return Typed(at=at, place=PLACE, turn=None, size=10)


def result(use_id, size, at=NOV):
    return Result(at=at, place=PLACE, use_id=use_id, size=size)


def around(history, **known):
    bills = {each.message_id: bill(each) for _, each in history.replies()}
    return Surroundings(now=known.pop("now", NOV), bills=bills, rates=Rates(), **known)


def history(*timelines, **known):
    return History(timelines=list(timelines), **known)


def look(advisor, past, **known):
    """The findings by id; every claim is held against the bills, and the claims of a finding against its amount."""
    surroundings = around(past, **known)
    found = list(advisor().advise(past, surroundings))
    for finding in found:
        check(finding, surroundings)
    assert len({finding.id for finding in found}) == len(found)
    return {finding.id: finding for finding in found}


def check(finding, surroundings):
    claimed = {}
    for claim in finding.claims:
        assert claim.amount > 0
        key = claim.message_id, claim.lane
        assert key not in claimed
        claimed[key] = claim.amount
        assert claim.amount <= surroundings.bills[claim.message_id].lane(claim.lane)
    assert finding.amount >= 0
    assert not claimed or sum(claimed.values()) == finding.amount
    assert finding.id.startswith(f"{finding.id.split('/')[0]}/")
    assert finding.title
    assert finding.why
    for row in finding.rows:
        assert all(isinstance(cell, (str, int)) for cell in row.values())


def usage(read=0, w5m=0, w1h=0, fresh=0, out=0):
    return Usage(fresh, w5m, w1h, read, out)
