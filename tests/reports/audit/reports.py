"""Audits of the small sample, with an advisor of two findings, for tests of what shows them."""

from dataclasses import replace
from typing import ClassVar
from zoneinfo import ZoneInfo

from audit.histories import DAY, START, history, line, reply, sample, tool
from underspend.audit.plan import Paying, Plan
from underspend.audit.whole import Context, audit
from underspend.core.advisor import Advisor, Confidence, Finding, Seen, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import ClientTotal, Place, Skipped
from underspend.core.usage import Lane

NOW = START + 2 * DAY


class TwoFindings(Advisor[int]):
    name: ClassVar[str] = "two"
    facts: ClassVar[type] = int

    def look(self, history, around):
        return Seen(10**10, {"two/gap": [("m1", Lane.CACHE_WRITE_5M, 10**10)]})

    def sum_up(self, facts, around):
        rows = [{"file": "/t/s.jsonl", "line": 3, "tokens": 10_000, "why": "idle gap | of 70 minutes"}]
        yield Finding(
            id="two/gap",
            urgency=Urgency.FIX_NOW,
            title="Prefixes written again after a pause",
            amount=10**10,
            confidence=Confidence.HIGH,
            evidence=Evidence.BILLED,
            why="After 70 minutes the cache was gone, and the whole prefix was written again.",
            fix="export ENABLE_PROMPT_CACHING_1H=1\nclaude",
            claimed=("two/gap",),
            rows=rows,
        )
        yield Finding(
            id="two/due",
            urgency=Urgency.FYI,
            title="3 files will be deleted",
            amount=0,
            confidence=Confidence.MEDIUM,
            evidence=Evidence.MEASURED,
            why="They are 29 days old.",
        )


class Broken(Advisor[int]):
    name: ClassVar[str] = "broken"
    facts: ClassVar[type] = int

    def look(self, history, around):
        raise RuntimeError("boom")

    def sum_up(self, facts, around):
        return ()


def report(source=None, **more):
    advisors = more.pop("advisors", (TwoFindings, Broken))
    return audit(source or sample(), Context(now=NOW, zone=ZoneInfo("UTC"), advisors=advisors, **more))


def rich_report():
    """Everything a report can show: a plan, a week before, a client total, skipped pieces, more rows than fit."""
    earlier = line(
        *(reply(f"e{n}", START - 7 * DAY + n, (10, 0, 0, 0, 1), tools=(tool(f"Tool{n}"),)) for n in range(15)),
        session="s-early",
        project="a-project-with-a-very-long-name-that-no-table-of-a-terminal-has-any-room-for-at-all",
    )
    cut = line(reply("k1", START, (0, 1000, 0, 0, 5)), reply("k2", START + 1, (0, 0, 0, 1200, 7)), session="s-cut")
    made = replace(
        sample(),
        totals=[
            ClientTotal(session="s-one", place=Place(file="f", line=1), usd="1", by_model={"x": {"inputTokens": 10**6}})
        ],
        skipped=[Skipped(place=Place(file="/t/s.jsonl", line=n), why="is no JSON") for n in range(7)],
        unknown={"new-kind": 3},
    )
    made.timelines += [earlier, cut]
    return report(made, paying=Paying(plan=Plan.MAX20, why="you said so"))


def empty_report():
    return report(history(), advisors=())
