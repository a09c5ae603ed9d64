"""The bars of replay: `scripts/check_replay.py DATA [--calls N] [--retimed]`.

DATA is a folder with `transcripts/` or `claude-code-*/`. Prints each bar with its figure; an aim that is not reached
says so. Ends with 1 if any bar fails.

With --retimed it also replays the same conversations at other paces and with either lifetime asked for, as the rules
would have billed them: what a policy does on traffic that nobody has tuned it to.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from underspend.audit.bills import price
from underspend.audit.replay.money import would_cost
from underspend.audit.replay.play import play
from underspend.audit.replay.traffic import Asked, Traffic, traffic
from underspend.audit.replay.undisturbed import undisturbed
from underspend.audit.whatif import BOUND_PERCENT, Outcome, Replays, outcome
from underspend.audit.whatif_policy import policy
from underspend.core.engine import Step
from underspend.core.history import History, Timeline
from underspend.core.money import show
from underspend.core.strategy import State
from underspend.core.usage import Usage
from underspend.promptcache import Cache, Growing, Names, Split
from underspend.readers.claude_code import read_history

HARMLESS_AIM, ALL_AIM = 5, 20
SECONDS, CALLS = 10, 25_000
NOT_OF_ONE_MODEL = frozenset({"model_rules", "model_choice"})

Row = tuple[str, bool, str]


def rows(data: Path, calls: int, *, retimed: bool) -> Iterator[Row]:
    """Each bar: its name, whether it holds, its figure."""
    folders = [folder for folder in sorted(data.iterdir()) if _is_recorded(folder)]
    for folder in folders:
        yield from _of(folder)
    if retimed:
        yield from _retimed(folders)
    yield _speed(folders, calls)


def _is_recorded(folder: Path) -> bool:
    return folder.is_dir() and (folder.name == "transcripts" or folder.name.startswith("claude-code-"))


def _of(folder: Path) -> Iterator[Row]:
    history = read_history([folder], cache=None)
    made = traffic(history)
    name = folder.name
    billed = sum(each.bill.total for each in price(history))
    unedited = sum(cost is not None for cost in play(made, []).costs)
    yield f"{name}: unedited replay is the recorded bill", billed == made.recorded and not unedited, show(billed)
    chosen = policy().steps
    default = outcome(Replays(made), chosen, others=False)
    yield from _harmless(name, default)
    every = [replace(step, state=State.ON) for step in chosen if step.strategy.name not in NOT_OF_ONE_MODEL]
    yield _aim(f"{name}: all strategies at unchanged models", outcome(Replays(made), every, others=False), ALL_AIM)
    for step in every:
        if step.strategy.edits:
            yield _alone(name, outcome(Replays(made), [step], others=False), step)


def _harmless(name: str, made: Outcome) -> Iterator[Row]:
    saved = made.saved.expected
    yield f"{name}: the default policy costs no more than none", saved >= 0, f"{show(saved)} saved"
    dearer = [group for group in made.projects if group.saved < 0]
    figure = ", ".join(f"{group.name} {show(-group.saved)} dearer" for group in dearer) or "none dearer"
    yield f"{name}: nor in any of {len(made.projects)} projects", not dearer, figure
    worst = max(made.sessions, key=lambda group: -group.saved / max(group.recorded, 1))
    share = -worst.saved / max(worst.recorded, 1)
    out = any(group.is_out_of_bounds for group in made.sessions)
    yield f"{name}: no session more than {BOUND_PERCENT} % dearer", not out, f"worst {share:+.2%} ({worst.name})"
    yield _aim(f"{name}: strategies that preserve meaning, alone", made, HARMLESS_AIM)


def _aim(name: str, made: Outcome, percent: int) -> Row:
    share = made.saved.expected / max(made.recorded, 1)
    out = sum(group.is_out_of_bounds for group in made.sessions)
    reached = "" if share * 100 >= percent else ", not reached"
    figure = f"{share:.1%} ({show(made.saved.expected)}; aim {percent} %{reached}); {out} sessions out of bounds"
    return f"{name} (an aim)", True, figure


def _alone(name: str, made: Outcome, step: Step) -> Row:
    if not made.parts:
        return f"{name}: {step.strategy.name} alone (for information)", True, "cannot be replayed"
    worst = made.sessions[0] if made.sessions else None
    figure = f"{show(made.saved.expected)} in {made.parts[0].deeds.edits:,} edits"
    if worst is not None and worst.saved < 0:
        figure += f"; worst session {show(worst.saved)} of {show(worst.recorded)}"
    return f"{name}: {step.strategy.name} alone (for information)", True, figure


def _retimed(folders: Sequence[Path]) -> Iterator[Row]:
    made = traffic(read_history(folders, cache=None))
    for ttl in ("5m", "1h"):
        for pace in (0.3, 1, 2, 4, 10):
            other = at_another_pace(made, pace, ttl, seed=1)
            found = outcome(Replays(other), policy().steps, others=False)
            out = [group for group in found.sessions if group.is_out_of_bounds]
            worst = max(found.sessions, key=lambda group: -group.saved / max(group.recorded, 1))
            figure = f"{found.saved.expected / max(found.recorded, 1):+.1%} of {show(found.recorded)} saved;"
            figure += f" {len(out)} of {len(found.sessions)} sessions out of bounds, the worst {worst.name[:8]}"
            figure += f" {-worst.saved / max(worst.recorded, 1):+.1%}"
            yield f"retimed × {pace:g}, {ttl} asked for (for information)", True, figure


def at_another_pace(made: Traffic, pace: float, ttl: str, seed: int) -> Traffic:
    """The same prompts with pauses `pace` times as long, give or take, billed as the cache's rules have it."""
    chance, last, shifted = random.Random(seed), dict[int, tuple[int, int]](), list[tuple[int, int, Asked]]()
    for asked in made.calls:
        step = asked.recorded.step
        was, now = last.get(step.row, (step.start, step.start + chance.randrange(3 * 86_400_000_000)))
        now += int(max(0, step.start - was) * pace * chance.lognormvariate(0, 0.7))
        took = min(max(0, step.reply.at - step.start), 1_000_000)
        shifted.append((now, took, asked))
        last[step.row] = (step.start, now + took)  # a conversation's next call follows on the reply to this one
    shifted.sort(key=lambda each: each[0])
    cache, names, prompts = Cache(), Names(), dict[int, Growing]()
    other = Traffic(calls=[], prices=made.prices)
    for start, took, asked in shifted:
        row = asked.recorded
        marks = tuple((at, ttl) for at, _ in row.marks)
        growing = prompts.setdefault(row.row, Growing(names))
        growing.follow(row.base, asked.settings)
        split = cache.admit(growing.prompt(marks, asked.minimum), start)
        cache.began(split, start + took)
        other.calls.append(replace(_rebilled(asked, made, start, split, marks), visible=start + took))
    return other


def _rebilled(asked: Asked, made: Traffic, start: int, split: Split, marks: tuple[tuple[int, str], ...]) -> Asked:
    row = asked.recorded
    usage = Usage(split.input, split.cache_write_5m, split.cache_write_1h, split.cache_read, row.step.usage.output)
    blocks = list(row.base)
    for at, ttl in marks:
        blocks[at] = replace(blocks[at], breakpoint=ttl)
    total = would_cost(row.step, asked.paid, usage, made.prices)
    return replace(
        asked,
        recorded=replace(
            row,
            step=replace(row.step, start=start, usage=usage),
            call=replace(row.call, time=start, blocks=tuple(blocks)),
            marks=marks,
        ),
        paid=replace(asked.paid, total=total),
        expected=split,
        at_least=-1,
        at_most=None,
    )


def _speed(folders: Sequence[Path], calls: int) -> Row:
    history = read_history(folders, cache=None)
    have = len(history.replies())
    copies = -(-calls // max(have, 1))
    many = traffic(_copied(history, copies))
    steps = policy().steps
    on = [step for step in steps if step.state is State.ON and step.strategy.edits]
    begin, spent = time.perf_counter(), time.process_time()
    with undisturbed():
        traffic(_copied(history, copies))
        outcome(Replays(many), steps, others=False)
    took, worked = time.perf_counter() - begin, time.process_time() - spent
    figure = f"{len(many.calls):,} calls, {len(on)} strategies on, each alone and last: {took:.1f} s"
    figure += f" ({worked:.1f} s of one processor); at {CALLS:,} calls {worked * CALLS / max(len(many.calls), 1):.1f} s"
    return f"{CALLS:,} calls in {SECONDS} s", min(took, worked) * CALLS <= SECONDS * len(many.calls), figure


def _copied(history: History, copies: int) -> History:
    """The same sessions many times over, under names of their own."""
    lines = [_copy(line, number) for number in range(copies) for line in history.timelines]
    return History(timelines=lines)


def _copy(line: Timeline, number: int) -> Timeline:
    events = [_renamed(event, number) if hasattr(event, "message_id") else event for event in line.events]
    return replace(line, session=f"{line.session}-{number}", project=f"{line.project}-{number}", events=events)


def _renamed(event: Any, number: int) -> Any:
    """A reader's rows are structs, a test's are dataclasses."""
    change = structs.replace if isinstance(event, Struct) else replace
    return change(event, message_id=f"{event.message_id}-{number}")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--retimed", action="store_true")
    given = parser.parse_args()
    failed = 0
    for name, held, figure in rows(given.data, given.calls, retimed=given.retimed):
        failed += not held
        print(f"{'ok  ' if held else 'FAIL'}  {name}: {figure}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
