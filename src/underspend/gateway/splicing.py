"""Making the edits of a plan on a call's bytes. What the provider would refuse is not sent: that edit is dropped.

What the client itself got wrong stays its own business: only what an edit adds counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from underspend.core.editing import apply
from underspend.core.edits import DropMessages, ReplaceContent, SetBreakpoint, ShortenContent
from underspend.core.plan import Decision, Plan
from underspend.formats import anthropic_edits
from underspend.formats.adaptation import Written
from underspend.formats.anthropic_validity import altered_thinking, violations
from underspend.formats.lenient import Json, decode, obj

_MOST_SAID = 160
_PLACED = SetBreakpoint | ReplaceContent | ShortenContent | DropMessages


@dataclass(frozen=True, slots=True)
class Spliced:
    """The plan as it is carried out, its bytes, and what was dropped of it: strategies, and why."""

    plan: Plan
    body: bytes
    dropped: tuple[tuple[str, str], ...] = ()


def spliced(written: Written, plan: Plan) -> Spliced:
    """The body with all edits of the plan; if it would not do, with those that will."""
    applied = [each for each in plan.decisions if each.applied]
    checking = _Checking(written)
    made = checking.tried(applied)
    if isinstance(made, bytes):
        return Spliced(plan, made)
    return _without_the_bad(written.raw, plan, checking)


def _without_the_bad(raw: bytes, plan: Plan, checking: _Checking) -> Spliced:
    """One strategy after the other is added, as long as what it makes will do."""
    kept: list[Decision] = []
    left: list[Decision] = []
    dropped: list[tuple[str, str]] = []
    body = raw
    are_places_known = True
    for strategy, group in groupby(plan.decisions, key=lambda each: each.strategy):
        decisions = list(group)
        mine = [each for each in decisions if each.applied]
        is_lost = not are_places_known and any(isinstance(each.edit, _PLACED) for each in mine)
        made = "an edit before it was dropped" if is_lost else checking.tried([*kept, *mine])
        if not mine or isinstance(made, bytes):
            kept += mine
            left += decisions
            body = made if mine and isinstance(made, bytes) else body
            continue
        dropped.append((strategy, str(made)))
        left += [replace(each, applied=False) for each in decisions if not each.again]
        # Later edits count messages and blocks as they would be without those that this one leaves out.
        are_places_known = are_places_known and not any(isinstance(each.edit, DropMessages) for each in mine)
    call = plan.asked
    for each in kept:
        call = apply(each.edit, call)
    return Spliced(replace(plan, call=call, decisions=tuple(left)), body, tuple(dropped))


class _Checking:
    """Tries edits of one body."""

    def __init__(self, written: Written) -> None:
        self._written, self._raw = written, written.raw
        self._thinks = b'thinking"' in written.raw
        self._before: Json | None = None

    def tried(self, decisions: Sequence[Decision]) -> bytes | str:
        """The body after the edits, or why they will not do."""
        try:
            made = anthropic_edits.edited(self._written, [each.edit for each in decisions])
        except ValueError as error:
            return str(error)[:_MOST_SAID]
        wrong = self._wrong(made)
        return wrong[:_MOST_SAID] if wrong else made

    def _wrong(self, made: bytes) -> str:
        if self._holds_the_same(made):
            return ""
        after = obj(decode(made))
        found = violations(after)
        if not found and not self._thinks:
            return ""
        before = self._client_s
        own = violations(before) if found else []
        found = [*(each for each in found if each not in own), *altered_thinking(before, after)]
        return found[0] if found else ""

    def _holds_the_same(self, made: bytes) -> bool:
        """Whether nothing but one small member was changed (the model, a limit): tools, system and messages stay."""
        by = len(made) - len(self._raw)
        places = (self._written.top.get(name) for name in ("tools", "system", "messages"))
        return all(
            any(made[at.start + moved : at.end + moved] == self._raw[at.start : at.end] for moved in (0, by))
            for at in places
            if at is not None
        )

    @property
    def _client_s(self) -> Json:
        if self._before is None:
            self._before = obj(decode(self._raw))
        return self._before
