"""Summaries of conversations' old parts that are at hand, and those that stand in conversations; in memory.

Both are known by the messages that they stand for, and by their caller: a fork finds them too, nobody else does.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from underspend.core.call import THINKING, Call
from underspend.core.conversation import Kept, name_of
from underspend.core.edits import ReplaceContent, ReplaceMessages
from underspend.core.plan import Plan
from underspend.core.ports import Row
from underspend.core.summaries import Replaced, Summary, prefix_of, prefixes
from underspend.promptcache import facts

_MOST = 2_000
HISTORY = "history"
"""Stands in the ledger's `kept_edits` for a block's name where the row says what stands for old messages."""


@dataclass(slots=True)
class Histories:
    """What is known of old parts. With `stores_text` the ledger keeps the words, to be put there after a restart."""

    stores_text: bool = False
    _made: OrderedDict[bytes, Summary] = field(default_factory=OrderedDict)
    _replaced: OrderedDict[bytes, Replaced] = field(default_factory=OrderedDict)

    def of(self, call: Call) -> tuple[Summary | None, Replaced | None]:
        """The longest summary of what a call begins with that is at hand, and the longest that stands in its place.

        None of the first where it is in its place already.
        """
        summary: Summary | None = None
        replaced: Replaced | None = None
        if self._made or self._replaced:
            for _, name in prefixes(call.blocks, _whose(call)):
                summary = self._made.get(name, summary)
                replaced = self._replaced.get(name, replaced)
        if summary is not None and replaced is not None and summary.last <= replaced.edit.last:
            summary = None
        return summary, replaced

    def put(self, call: Call, summary: Summary) -> None:
        """Have a summary of what a call begins with at hand."""
        name = prefix_of(call.blocks, summary.last, _whose(call))
        if name is not None:
            self._made[name] = summary
            _limit(self._made)

    def keep(self, plan: Plan) -> Replaced | None:
        """Remember what a plan put in the place of old messages; None where it did no such thing anew."""
        for each in plan.decisions:
            edit = each.edit
            if each.applied and not each.again and isinstance(edit, ReplaceMessages):
                name = prefix_of(plan.asked.blocks, edit.last, _whose(plan.asked))
                if name is not None:
                    found = Replaced(each.strategy, edit, name)
                    self._remember(found)
                    return found
        return None

    def row(self, key: str, replaced: Replaced, at: int) -> Row:
        """The same as a row of the ledger; without the text where none is stored."""
        edit = replaced.edit
        said = {"edit": HISTORY, "prefix": replaced.prefix.hex(), "first": edit.first, "last": edit.last}
        said |= {"tokens": edit.tokens, "why": edit.why, "text": edit.text if self.stores_text else ""}
        made = json.dumps(said)
        return {
            "conversation": key[:255],
            "block": HISTORY,
            "strategy": replaced.strategy,
            "edit": made,
            "kept_at": at,
        }

    def recall(self, rows: Iterable[Row]) -> tuple[bool, int | None]:
        """Take in a conversation's rows: whether messages are replaced; where the text is lost, the last that was."""
        for row in rows:
            if row["block"] == HISTORY:
                with suppress(KeyError, TypeError, ValueError):
                    said = json.loads(str(row["edit"]))
                    first, last, text = int(said["first"]), int(said["last"]), str(said["text"])
                    if not text:
                        return False, last
                    edit = ReplaceMessages(first, last, text, int(said["tokens"]), why=str(said["why"]))
                    self._remember(Replaced(str(row["strategy"]), edit, bytes.fromhex(said["prefix"])))
                    return True, None
        return False, None

    def _remember(self, replaced: Replaced) -> None:
        self._replaced[replaced.prefix] = replaced
        _limit(self._replaced)


def thinking_lost(call: Call, last: int) -> dict[bytes, Kept]:
    """The thinking behind a summary whose text is lost, to be left out: its model would refuse it. By name of block."""
    if not facts(call.model).binds_thinking:
        return {}
    why = "what it was thought under is lost"
    return {
        name_of(block): Kept("summarise_history", ReplaceContent(0, "", 0, why=why))
        for block in call.blocks
        if block.kind in THINKING and block.message > last
    }


def _whose(call: Call) -> str:
    return f"{call.identity.key or ''} {call.identity.user or ''}"


def _limit(known: OrderedDict[bytes, Summary] | OrderedDict[bytes, Replaced]) -> None:
    if len(known) > _MOST:
        known.popitem(last=False)
