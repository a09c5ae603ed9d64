"""Runs the runaway detectors over recorded sessions: `scripts/check_runaway.py DATA [ROWS]`.

DATA is a folder of transcripts. Each timeline is played as the gateway would see it: a step for each reply, with the
results that came before it; sub-agents of a session count for its fan-out; the speed of spending is held against what
came before in time, all of it, since recorded sessions lie months apart. Prints what each detector said with the
default rules, one row for a loop however long it went on; then how near the sessions came to them. Reads only. It ends
with 0 whatever it finds: a person judges the rows.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from underspend.audit.bills import by_message, price
from underspend.core.alerts import Kind
from underspend.core.history import Answered, Result, Timeline, ToolUse, Typed
from underspend.core.loops import LoopRules
from underspend.core.money import show
from underspend.core.reply import Bill
from underspend.core.runaway import FanOutRules, Runaway, RunawayRules
from underspend.core.steps import Step, Use
from underspend.core.velocity import DAY, Pace
from underspend.core.verdict import Level, Verdict
from underspend.formats.tool_uses import verb_of
from underspend.readers.claude_code import read_history

PACE = Pace(keep=400 * DAY)


def main(arguments: list[str]) -> int:
    if not arguments:
        print(__doc__)
        return 2
    history = read_history([Path(arguments[0])], processes=1)
    bills = by_message(price(history))
    steps = [step for line in history.timelines for step in steps_of(line, bills)]
    steps.sort(key=lambda step: step.at)
    uses = [use for step in steps for use in step.uses]
    print(
        f"{len(history.files)} files, {len({step.session for step in steps})} sessions, {len(steps):,} steps, "
        f"{len(uses):,} results ({sum(use.failed for use in uses):,} failed), "
        f"{show(sum(step.cost for step in steps))} in {len({step.at // PACE.stretch for step in steps})} stretches"
    )
    print("\nwith the default rules:")
    tell(watched(steps, RunawayRules(pace=PACE)))
    for tries in (3, 2):
        print(f"\nloops, were {tries} tries enough:")
        rules = LoopRules(same_warn=tries, failing_warn=tries, requests_warn=tries)
        tell(watched(steps, RunawayRules(loops=rules, fan_out=None, pace=None)))
    print("\nfan-out, were 3 sub-agents too many:")
    tell(watched(steps, RunawayRules(loops=None, fan_out=FanOutRules(warn=3), pace=None)))
    return 0


def watched(steps: list[Step], rules: RunawayRules) -> list[list[Verdict]]:
    """What was said, one list for each key, in the order of its first."""
    runaway, found = Runaway(rules), dict[str, list[Verdict]]()
    for step in steps:
        for verdict in runaway.watch(step):
            key = f"{verdict.key} {verdict.at // PACE.stretch}" if verdict.kind is Kind.VELOCITY else verdict.key
            found.setdefault(key, []).append(verdict)
    return list(found.values())


def tell(found: list[list[Verdict]]) -> None:
    for verdicts in found:
        print(row(verdicts))
    kinds = Counter(f"{verdicts[0].kind.value} ({worst(verdicts)})" for verdicts in found)
    print(", ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items())) or "nothing")


def steps_of(line: Timeline, bills: dict[str, Bill]) -> Iterator[Step]:
    """A timeline as the steps a gateway would see: each reply with the results that its prompt ended with."""
    made: dict[str, ToolUse] = {}
    uses: list[Use] = []
    turn = 0
    for event in line.events:
        if isinstance(event, Typed) and event.by_person:
            turn += 1
        elif isinstance(event, Result) and event.use_id in made:
            uses.append(_use(made[event.use_id], event))
        elif isinstance(event, Answered):
            bill = bills.get(event.message_id)
            yield Step(
                at=event.at,
                session=line.session,
                agent=line.agent,
                turn=f"{turn}",
                uses=tuple(uses),
                cost=bill.total if bill is not None else 0,
            )
            made.update((use.id, use) for use in event.tools)
            uses = []


def _use(use: ToolUse, result: Result) -> Use:
    what = f"{use.target}\0{use.first_line},{use.line_count}\0{use.size}".encode("utf-8", "surrogatepass")
    return Use(
        tool=use.name,
        verb=verb_of(use.name),
        what=blake2b(what, digest_size=16).digest(),
        says=result.digest,
        failed=result.is_error,
    )


def worst(verdicts: list[Verdict]) -> str:
    return "pause" if any(verdict.level is Level.PAUSE for verdict in verdicts) else "warn"


def row(verdicts: list[Verdict]) -> str:
    last = verdicts[-1]
    when = datetime.fromtimestamp(last.at / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
    whose = (last.session or "all")[:8] + (f" {last.agent[:8]}" if last.agent else "")
    return f"{when}  {whose:<18} {last.kind.value:<8} {worst(verdicts):<5} {len(verdicts):>4}×  {last.words}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
