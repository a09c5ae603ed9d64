"""One conversation of the edited world: its prompt with the edits of earlier calls, and what the cache holds of it."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from underspend.audit.replay.traffic import Asked
from underspend.core.call import Block, Call
from underspend.core.conversation import Conversation, Kept, name_of
from underspend.core.edits import DropMessages, ReplaceContent, ReplaceMessages, SetBreakpoint, ShortenContent
from underspend.core.money import Money
from underspend.core.plan import Plan
from underspend.core.slots import Slot, after
from underspend.promptcache import Cache, Growing, Names, Settings, Split
from underspend.promptcache.cache import LIFETIMES
from underspend.promptcache.prompt import LONG

_NONE: Mapping[bytes, Kept] = {}


@dataclass(slots=True)
class Sent:
    """What of a plan concerns the cache: blocks without breakpoints, the breakpoints, and the key's settings.

    `fresh` is the first block that this plan itself changed: up to there the prompt is what an earlier call left.
    """

    blocks: Sequence[Block]
    marks: tuple[tuple[int, str], ...]
    settings: Settings
    minimum: int
    fresh: int
    is_shorter: bool = False


@dataclass(slots=True)
class Talk:
    """The state of one conversation.

    `blocks` are without breakpoints, as they were last sent or came in since; `edited` names the strategy that edited
    each of them that was.
    """

    growing: Growing
    blocks: list[Block] = field(default_factory=list)
    kept: dict[bytes, Kept] = field(default_factory=dict)
    edited: dict[int, str] = field(default_factory=dict)
    calls: int = 0
    last: int | None = None
    gaps: list[int] = field(default_factory=list)
    asked_model: str = ""
    settings: Settings | None = None
    effort: str | None = None
    minimum: int = 0
    paid: Money = 0
    saved: Money = 0
    long: int = 0
    long_until: int = 0
    followed: Settings | None = None
    slot: Slot | None = None

    @classmethod
    def new(cls, names: Names) -> Talk:
        """A conversation that has not begun."""
        return cls(Growing(names))

    def take(self, asked: Asked) -> Call:
        """The call as it comes to the strategies: with the edits of earlier calls where their blocks still stand."""
        recorded = asked.recorded
        if self.last is not None:
            insort(self.gaps, max(recorded.call.time - self.last, 0))
        shared = recorded.shared if self.calls else 0
        del self.blocks[shared:]
        self.blocks += recorded.base[shared:]
        if not self.edited:
            return recorded.call
        self.edited = {at: name for at, name in self.edited.items() if at < shared}
        if not self.edited:
            return recorded.call
        blocks, spared = list(recorded.call.blocks), 0
        for at in self.edited:
            mark = blocks[at].breakpoint
            spared += blocks[at].tokens - self.blocks[at].tokens
            blocks[at] = self.blocks[at] if mark is None else replace(self.blocks[at], breakpoint=mark)
        call = recorded.call
        return replace(call, blocks=tuple(blocks), prompt_tokens=call.prompt_tokens - spared)

    def known(self, asked: Asked, cache: Cache) -> Conversation:
        """What strategies may know before the call. What is warm goes by the rules: misses to come are not foreseen."""
        recorded, call = asked.recorded, asked.recorded.call
        same = self.settings is not None and self.asked_model == asked.settings.model
        settings, minimum = (self.settings, self.minimum) if same and self.settings else (asked.settings, asked.minimum)
        self.growing.follow(self.blocks, settings)
        self.followed = settings
        top, until = cache.find(self.growing.prompt(recorded.marks, minimum), call.time)
        warm = self.growing.sizes[top] if top >= 0 else 0
        shared = recorded.shared
        return Conversation(
            calls=self.calls,
            idle=None if self.last is None else max(call.time - self.last, 0),
            gaps=self.gaps,
            warm_tokens=warm,
            long_tokens=min(warm, self.long) if call.time < self.long_until else 0,
            cold_at=until if top >= 0 else None,
            kept=_came_back(self.kept, recorded.base[shared:]) if self.kept else _NONE,
            model=self.settings.model if self.settings else None,
            effort=self.effort,
            paid=self.paid,
            saved=self.saved,
        )

    def sent(self, asked: Asked, plan: Plan, settings: Settings, minimum: int) -> Sent:
        """Take in what a plan did: edits of content stay, what was dropped comes back with the next call."""
        if plan.call.blocks is plan.asked.blocks:
            return Sent(self.blocks, asked.recorded.marks, settings, minimum, len(self.blocks))
        marks, fresh, is_shorter = dict(asked.recorded.marks), len(self.blocks), False
        for decision in plan.decisions:
            edit = decision.edit
            if not decision.applied:
                continue
            if isinstance(edit, DropMessages | ReplaceMessages):
                is_shorter = True
            elif isinstance(edit, SetBreakpoint):
                marks[edit.at] = edit.ttl
            elif isinstance(edit, ReplaceContent | ShortenContent) and not is_shorter:
                # A block's name is that of its content as the client sent it.
                self.kept[name_of(asked.recorded.base[edit.at])] = Kept(decision.strategy, edit)
                before, after = asked.recorded.base[edit.at], plan.call.blocks[edit.at]
                self.blocks[edit.at] = replace(after, breakpoint=None, tokens=left_of(before, edit))
                self.edited[edit.at] = decision.strategy
                fresh = fresh if decision.again else min(fresh, edit.at)
        if is_shorter:
            return _shorter(plan.call, self.blocks, settings, minimum)
        return Sent(self.blocks, tuple(sorted(marks.items())), settings, minimum, fresh)

    def went(self, sent: Sent, split: Split, plan: Plan) -> None:
        """Take in how the call was split."""
        call = plan.call
        self.slot = after(self.slot, plan)
        if split.cache_write_1h:
            self.long = split.cache_read + split.cache_write_1h
            self.long_until = call.time + LIFETIMES[LONG]
        elif split.cache_read < self.long:
            self.long = 0
        elif split.cache_read == self.long:
            self.long_until = call.time + LIFETIMES[LONG]
        self.calls += 1
        self.last = call.time
        self.settings, self.minimum = sent.settings, sent.minimum


def left_of(block: Block, edit: ReplaceContent | ShortenContent) -> int:
    """The tokens a block has after an edit: a strategy guesses by characters, the record knows what those weighed."""
    if not isinstance(edit, ShortenContent) or not block.size:
        return edit.tokens
    return min(block.tokens, max(edit.tokens, (edit.head + edit.tail) * block.tokens // block.size))


def _came_back(kept: Mapping[bytes, Kept], new: Sequence[Block]) -> Mapping[bytes, Kept]:
    """Edits of blocks that come in anew; those that stand where they stood are in place already."""
    names = (name_of(block) for block in new)
    return {name: kept[name] for name in names if name in kept}


def _shorter(call: Call, before: Sequence[Block], settings: Settings, minimum: int) -> Sent:
    """A call that lost messages: compared block by block."""
    marks = tuple((at, block.breakpoint) for at, block in enumerate(call.blocks) if block.breakpoint is not None)
    bare = [block if block.breakpoint is None else replace(block, breakpoint=None) for block in call.blocks]
    same = 0
    while same < min(len(bare), len(before)) and bare[same].digest == before[same].digest:
        bare[same] = before[same]
        same += 1
    return Sent(bare, marks, settings, minimum, same, is_shorter=True)
