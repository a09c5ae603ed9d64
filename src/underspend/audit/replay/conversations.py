"""A timeline as the calls its client made: each with the blocks of its prompt, as far as the record tells.

No prompt is recorded, but how many tokens each had, and what was said and brought in between. So what came in is
measured by its characters, and held to what the prompt really grew by: the blocks of a call always add up to the
prompt that was billed. What nothing in the record explains (reminders, attachments) is a block of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from underspend.audit.prediction_steps import Step, steps
from underspend.audit.replay.pieces import Draft, came_in, digest_of, said
from underspend.core.call import Block, Call, Identity, Role, Section
from underspend.core.history import Event, Mark, MarkKind, Timeline, ToolUse
from underspend.promptcache.prompt import LONG, SHORT
from underspend.tokens.estimate import tokens_in

_ANEW = frozenset({MarkKind.COMPACTION, MarkKind.CLEAR})
_STRETCH = (7, 5)
"""A result may be up to so many times the tokens its characters suggest: 2.5 characters a token, where nine in ten real
results have more (the median has 3.1). What is left over is a reminder."""


@dataclass(slots=True, kw_only=True)
class Recorded:
    """One recorded call. `base` are its blocks without breakpoints, `marks` the breakpoints its client set.

    The first `shared` blocks are those of the conversation's call before. `row` numbers the conversation.
    """

    step: Step = field(repr=False)
    call: Call = field(repr=False)
    base: tuple[Block, ...] = field(repr=False)
    marks: tuple[tuple[int, str], ...]
    shared: int
    row: int


def conversation(line: Timeline, row: int, prefixes: Mapping[object, int]) -> Iterator[Recorded]:
    """The calls of a timeline in order. `prefixes` are the tokens before the messages by kind of call, where known."""
    talk = _Talk(line, prefixes)
    for step in steps(line, row, tails=False):
        if step.reply.nested and line.agent is None:
            continue
        yield talk.recorded(step)


def common_prefixes(lines: Sequence[Timeline]) -> dict[object, int]:
    """How many tokens stand before the messages, by kind of call: as the first calls of conversations show.

    A first call can only have read what conversations of its kind share.
    """
    found: dict[object, int] = {}
    for row, line in enumerate(lines):
        first = next(steps(line, row, tails=False), None)
        if first is not None and first.usage.cache_read:
            kind = (first.kind, first.scope[0])
            found[kind] = min(found.get(kind, first.usage.cache_read), first.usage.cache_read)
    return found


class _Talk:
    """The prompt of one conversation as it grows."""

    def __init__(self, line: Timeline, prefixes: Mapping[object, int]) -> None:
        self._line, self._prefixes = line, prefixes
        self._blocks: list[Block] = []
        self._sizes: list[int] = []
        self._message = 0
        self._uses: dict[str, ToolUse] = {}
        self._lifetime = SHORT
        self._front: tuple[Block, Block] | None = None
        self._identity: Identity | None = None
        self._role = Role.MAIN if line.agent is None else Role.SUBAGENT
        self._kind = "main" if line.agent is None else line.agent_type or "agent"

    def recorded(self, step: Step) -> Recorded:
        """The next call."""
        if step.earlier is not None:
            self._uses.update((use.id, use) for use in step.earlier.reply.tools)
        anew = _last_break(step.between)
        before = len(self._blocks)
        if step.earlier is None or anew is not None:
            shared = self._begin(step, step.between if anew is None else step.between[anew + 1 :])
        else:
            shared = self._grow(step, step.earlier)
        base = tuple(self._blocks)
        marks = self._marks(step)
        return Recorded(
            step=step,
            call=self._call(step, base, marks),
            base=base,
            marks=marks,
            shared=min(shared, before),
            row=step.row,
        )

    def _begin(self, step: Step, events: Sequence[Event]) -> int:
        """A context of its own: what stands before the messages, what came in, and what else the prompt held."""
        prompt = step.usage.prompt
        has_front = bool(self._blocks) and self._blocks[0].section is Section.SYSTEM
        known = self._sizes[0] if has_front else self._prefix(step)
        drafts = came_in(events, self._uses)
        guess = sum(draft.guess for draft in drafts)
        front = min(known if known is not None else max(prompt - guess, 0), prompt)
        same = 1 if has_front and self._sizes[0] == front else 0
        del self._blocks[same:], self._sizes[same:]
        if not same:
            name = repr((step.kind, step.scope[0], front)) if known else f"{step.reply.message_id} front"
            self._put(Block(Section.SYSTEM, "text", "tools and system", digest_of(name), 0, front))
        self._message = 0
        self._fill(drafts, prompt - front, step)
        return same

    def _prefix(self, step: Step) -> int | None:
        return step.usage.cache_read or self._prefixes.get((step.kind, step.scope[0]))

    def _grow(self, step: Step, earlier: Step) -> int:
        """What was said and what came in goes behind what stood there; a prompt that shrank first loses its end."""
        output = earlier.usage.output
        if not earlier.reply.finalised:
            output = max(output, tokens_in(earlier.reply.text_chars + sum(use.size for use in earlier.reply.tools)))
        drafts = [*said(earlier.reply, output), *came_in(step.between, self._uses)]
        room = step.usage.prompt - self._sizes[-1]
        shared = len(self._blocks)
        if room < 0 or (room == 0 and drafts):
            wanted = min(sum(draft.guess for draft in drafts), step.usage.prompt)
            keep = step.usage.prompt - wanted
            # What was read from the cache is what was left as it was.
            shared = self._cut(min(keep, step.usage.cache_read) if step.usage.cache_read else keep, step.usage.prompt)
            room = step.usage.prompt - (self._sizes[-1] if self._sizes else 0)
        self._fill(drafts, room, step)
        return shared

    def _cut(self, size: int, most: int) -> int:
        """Leave the blocks that end within so many tokens; the front, wherever there is room for it."""
        kept = len(self._sizes)
        while kept and self._sizes[kept - 1] > (size if kept > 1 else most):
            kept -= 1
        del self._blocks[kept:], self._sizes[kept:]
        return kept

    def _fill(self, drafts: list[Draft], room: int, step: Step) -> None:
        """Put the drafts in, and behind them what they do not account for; all together exactly `room` tokens."""
        tokens = fitted(drafts, room)
        role = None
        for draft, share in zip(drafts, tokens, strict=True):
            if draft.role != role:
                self._message += 1
                role = draft.role
            self._put(draft.made(share, self._message))
        rest = room - sum(tokens)
        if rest or not self._blocks:
            name = digest_of(f"{step.reply.message_id} reminder")
            if role != "user":
                self._message += 1
            self._put(
                Block(Section.MESSAGES, "text", "user", name, 0, rest, None, None, self._message, "user"),
            )

    def _put(self, block: Block) -> None:
        self._sizes.append((self._sizes[-1] if self._sizes else 0) + block.tokens)
        self._blocks.append(block)

    def _marks(self, step: Step) -> tuple[tuple[int, str], ...]:
        """Where this client puts breakpoints: before the messages and on the last block; none if it does not cache."""
        usage = step.usage
        if not (usage.cache_read or usage.cache_write_5m or usage.cache_write_1h):
            return ()
        if usage.cache_write_1h:
            self._lifetime = LONG
        elif usage.cache_write_5m:
            self._lifetime = SHORT
        last = len(self._blocks) - 1
        ttl = SHORT if usage.cache_write_5m else self._lifetime
        return ((0, self._lifetime), (last, ttl)) if last else ((0, ttl),)

    def _call(self, step: Step, base: tuple[Block, ...], marks: tuple[tuple[int, str], ...]) -> Call:
        reply = step.reply
        if self._identity is None or self._identity.turn != reply.turn:
            self._identity = Identity(
                session=self._line.session,
                agent=self._line.agent,
                agent_type=self._line.agent_type,
                role=self._role,
                turn=reply.turn,
                project=self._line.project,
            )
        return Call(
            id=reply.message_id,
            time=step.start,
            provider=reply.metered.provider,
            endpoint="messages",
            model=reply.metered.model or "",
            stream=True,
            prompt_tokens=step.usage.prompt,
            prompt_ceiling=step.usage.prompt,
            effort=reply.effort,
            speed=reply.metered.speed,
            kind=self._kind,
            identity=self._identity,
            blocks=self._marked(base, marks),
        )

    def _marked(self, base: tuple[Block, ...], marks: tuple[tuple[int, str], ...]) -> tuple[Block, ...]:
        blocks = list(base)
        for at, ttl in marks:
            if at == 0:
                if self._front is None or self._front[0] is not base[0] or self._front[1].breakpoint != ttl:
                    self._front = (base[0], replace(base[0], breakpoint=ttl))
                blocks[0] = self._front[1]
            else:
                blocks[at] = replace(base[at], breakpoint=ttl)
        return tuple(blocks)


def fitted(drafts: Sequence[Draft], room: int) -> list[int]:
    """How many tokens each draft gets of `room`, in all at most that.

    Replies get what was billed for them, results what is left, up to 7/5 of what their characters suggest. Where there
    is less room than that, everything shrinks in proportion.
    """
    guesses = [draft.guess for draft in drafts]
    total = sum(guesses)
    results = sum(draft.guess for draft in drafts if draft.is_result)
    if total > room:
        others = total - results
        if others <= room and results:
            return [draft.guess * (room - others) // results if draft.is_result else draft.guess for draft in drafts]
        return [guess * room // total for guess in guesses]
    if not results:
        return guesses
    more = min(room - total, results * (_STRETCH[0] - _STRETCH[1]) // _STRETCH[1])
    return [draft.guess + (draft.guess * more // results if draft.is_result else 0) for draft in drafts]


def _last_break(events: Sequence[Event]) -> int | None:
    for at in range(len(events) - 1, -1, -1):
        event = events[at]
        if isinstance(event, Mark) and event.kind in _ANEW:
            return at
    return None
