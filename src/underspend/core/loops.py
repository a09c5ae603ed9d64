"""Loops of one conversation: the same steps again and again, a tool that goes on failing, one request sent many times.

Three things are looked for, and a typed prompt (a new turn) ends each of them:

- *the same steps*: the last one to four steps used the same tools on the same and got the same results, over and over.
  A successful edit is progress, so that "edit, test" with other edits is none of it;
- *failing*: the same command (or, for other tools, the same tool) failed step after step, with no success of it and no
  edit in between; or it failed with word for word the same result, whatever was edited in between;
- *the same request*: byte for byte the same prompt, answered each time. Without a session this is only ever a warning:
  programs that draw many answers to one prompt mean to.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from underspend.core.alerts import MINUTE, Kind
from underspend.core.call import Verb
from underspend.core.evidence import Evidence
from underspend.core.money import Money, show
from underspend.core.steps import Step, Use
from underspend.core.verdict import Level, Verdict

LONGEST_CYCLE = 4
_REQUESTS = 16
_FAILING = 256
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopRules:
    """From how many times on a loop is one: `*_warn` is said, from `*_pause` on pausing is advised.

    `same_*` are for equal steps, `failing_*` for failures in a row, `requests_*` for equal requests within `window`.
    The defaults are what real sessions stay below: see docs/alerts.md.
    """

    same_warn: int = 4
    same_pause: int = 8
    failing_warn: int = 4
    failing_pause: int = 8
    requests_warn: int = 10
    requests_pause: int = 30
    window: int = 10 * MINUTE

    def __post_init__(self) -> None:
        """Refuse what cannot be meant. Raises ValueError."""
        pairs = (
            (self.same_warn, self.same_pause),
            (self.failing_warn, self.failing_pause),
            (self.requests_warn, self.requests_pause),
        )
        if any(warn < 2 or pause < warn for warn, pause in pairs):  # noqa: PLR2004  # once is no loop
            raise ValueError("a loop is warned of from 2 times on, and pausing is advised no earlier than warning")


@dataclass(slots=True)
class _Tries:
    """Failures of one kind: how many steps, what they cost, how sure that is."""

    count: int = 0
    cost: Money = 0
    evidence: Evidence = Evidence.BILLED

    def add(self, step: Step) -> None:
        self.count += 1
        self.cost += step.cost
        self.evidence = self.evidence.weaker(step.evidence)


@dataclass(slots=True)
class _Sent:
    since: int
    tries: _Tries = field(default_factory=_Tries)


class Loops:
    """What one conversation (a session's main loop, or one sub-agent) has done in its present turn."""

    def __init__(self, rules: LoopRules) -> None:
        self._rules = rules
        self._turn: str | None = None
        self._prompt = b""
        self._steps: deque[Step] = deque(maxlen=LONGEST_CYCLE * rules.same_pause)
        self._failing: OrderedDict[tuple[str, bytes], _Tries] = OrderedDict()
        self._unmoved: OrderedDict[tuple[str, bytes, bytes], _Tries] = OrderedDict()
        self._sent: OrderedDict[bytes, _Sent] = OrderedDict()

    def take(self, step: Step) -> list[Verdict]:
        """Take in a step; what it shows, the gravest first. Steps are given in their order."""
        if step.turn != self._turn:
            self._turn = step.turn
            self._forget()
        found = list(self._again(step))
        if not step.prompt or step.prompt != self._prompt:  # sent again, it shows the same results once more
            found += [*self._failed(step), *self._cycle(step)]
        self._prompt = step.prompt
        return sorted(found, key=lambda verdict: verdict.level is not Level.PAUSE)

    def _forget(self) -> None:
        self._steps.clear()
        self._failing.clear()
        self._unmoved.clear()

    def _again(self, step: Step) -> Iterator[Verdict]:
        """The same request."""
        if not step.prompt:
            return
        sent = self._sent.get(step.prompt)
        if sent is None or not 0 <= step.at - sent.since <= self._rules.window:
            sent = self._sent[step.prompt] = _Sent(step.at)
        self._sent.move_to_end(step.prompt)
        while len(self._sent) > _REQUESTS:
            self._sent.popitem(last=False)
        sent.tries.add(step)
        pause = self._rules.requests_pause if step.session is not None else None
        words = f"The same request was sent {sent.tries.count:,} times in {_minutes(self._rules.window)}"
        yield from _verdict(step, sent.tries, (self._rules.requests_warn, pause), words, step.prompt.hex()[:16])

    def _failed(self, step: Step) -> Iterator[Verdict]:
        """A tool that goes on failing. Several failures in one step are one try."""
        if any(_is_progress(use) for use in step.uses):
            self._failing.clear()
        for use in step.uses:
            if not use.failed:
                self._failing.pop(_tried(use), None)
                for key in [key for key in self._unmoved if key[:2] == _tried(use)]:
                    del self._unmoved[key]
        limits = (self._rules.failing_warn, self._rules.failing_pause)
        failed = [use for use in step.uses if use.failed]
        for tried in dict.fromkeys(_tried(use) for use in failed):
            tries = _counted(self._failing, tried, step)
            words = f"{tried[0]} failed {tries.count:,} times in a row, with no edit in between"
            yield from _verdict(step, tries, limits, words, f"failing {tried[0]} {tried[1].hex()[:16]}")
        for result in dict.fromkeys((*_tried(use), use.says) for use in failed if use.verb is Verb.RUN):
            tries = _counted(self._unmoved, result, step)
            if tries.count > (self._failing.get(result[:2]) or _Tries()).count:
                words = f"{result[0]} failed {tries.count:,} times with the same result, whatever was edited in between"
                yield from _verdict(step, tries, limits, words, f"failing {result[0]} {result[1].hex()[:16]}")

    def _cycle(self, step: Step) -> Iterator[Verdict]:
        """The same steps. What fails is told as failing."""
        if not step.uses or any(_is_progress(use) for use in step.uses) or all(use.failed for use in step.uses):
            self._steps.clear()
            return
        self._steps.append(step)
        length, times = _longest_repeat([each.uses for each in self._steps])
        if times < self._rules.same_warn:
            return
        tries = _Tries()
        for each in list(self._steps)[-length * times :]:
            tries.add(each)
        tries.count = times
        names = ", ".join(dict.fromkeys(use.tool for each in list(self._steps)[-length:] for use in each.uses))
        what = "The same step" if length == 1 else f"The same {length} steps"
        words = f"{what} ({names}) came {times:,} times in a row with the same results"
        yield from _verdict(step, tries, (self._rules.same_warn, self._rules.same_pause), words, f"same {names}")


def _longest_repeat(steps: list[tuple[Use, ...]]) -> tuple[int, int]:
    """The cycle at the end that has come most often: its length, and how many times it came in a row."""
    best = (1, 1)
    for length in range(1, LONGEST_CYCLE + 1):
        tail, times = steps[-length:], 1
        while steps[-length * (times + 1) : -length * times] == tail:
            times += 1
        best = (length, times) if times > best[1] else best
    return best


def _is_progress(use: Use) -> bool:
    return use.verb is Verb.EDIT and not use.failed


def _tried(use: Use) -> tuple[str, bytes]:
    """What counts as the same try: the same command, or any use of another tool."""
    return use.tool, use.what if use.verb is Verb.RUN else b""


def _counted(kept: OrderedDict[_Key, _Tries], key: _Key, step: Step) -> _Tries:
    """The tries of a key with this step among them; of too many keys the oldest is forgotten."""
    tries = kept.setdefault(key, _Tries())
    tries.add(step)
    if len(kept) > _FAILING:
        kept.popitem(last=False)
    return tries


def _verdict(step: Step, tries: _Tries, limits: tuple[int, int | None], words: str, what: str) -> Iterator[Verdict]:
    warn, pause = limits
    if tries.count < warn:
        return
    cost = f", for {show(tries.cost)}" if tries.cost else ""
    yield Verdict(
        level=Level.PAUSE if pause is not None and tries.count >= pause else Level.WARN,
        kind=Kind.LOOP,
        words=f"{words}{cost}.",
        key=f"loop|{step.session or step.key}|{step.agent or ''}|{what}",
        at=step.at,
        session=step.session,
        agent=step.agent,
        dollars=tries.cost or None,
        evidence=tries.evidence,
    )


def _minutes(length: int) -> str:
    return f"{length // MINUTE} minutes"
