"""What the money was spent on: five categories by a rule that anyone can follow by hand.

1. **Context overhead** is the price of what the model had been sent before: of every reply's prompt, the tokens that
   were already in the prompt before it on the same timeline (what was read from the cache first, then what was written
   to it again, then what was sent plain). A compaction or a cleared context starts anew.
2. The rest of a reply, its new prompt tokens and its output, goes where the reply itself belongs:
   *complex reasoning* when it plans or delegates (`ExitPlanMode`, `Agent`, `Task`) or thinks for at least
   `MUCH_THOUGHT` tokens without editing; *productive coding* when it edits at least `LARGE_EDIT` characters, or runs
   tests or a build; *routine code tasks* when it edits less, or runs any other command that changes something;
   *simple operations* when all its tools only look (reads, searches, listings, to-do lists).
3. A reply without tools is the answer of its turn and belongs where the weightiest reply of the turn did, in the order
   above; in a turn without tools it is complex reasoning if it thought or wrote much, else unclassified.
4. A reply whose tools are none of these (an MCP server's, say) is unclassified, and shown as that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from operator import add, sub

from underspend.audit.bills import LANES, Billed
from underspend.audit.totals import COST, FIRST_LANE, FIRST_TOKENS, Counts, Totals, count_in, nothing
from underspend.core.history import Answered, Mark, MarkKind, Timeline, ToolUse
from underspend.core.money import Money, scale
from underspend.core.usage import Lane

MUCH_THOUGHT = 1_000
LARGE_EDIT = 400
LONG_ANSWER = 2_000
CHARS_PER_TOKEN = 4
_REMEMBERED = 4_096
_FRESH, _SHORT, _LONG, _READ, _ = LANES
_COLUMN = {lane: index for index, lane in enumerate(LANES)}
_ANEW = frozenset({MarkKind.COMPACTION, MarkKind.CLEAR})


class Category(StrEnum):
    """The five of the rule, and what it cannot place."""

    CONTEXT = "context overhead"
    SIMPLE = "simple operations"
    ROUTINE = "routine code tasks"
    PRODUCTIVE = "productive coding"
    COMPLEX = "complex reasoning"
    UNCLASSIFIED = "unclassified"


_WEIGHT = {
    Category.UNCLASSIFIED: 0,
    Category.SIMPLE: 1,
    Category.ROUTINE: 2,
    Category.PRODUCTIVE: 3,
    Category.COMPLEX: 4,
}
_MOST = _WEIGHT[Category.COMPLEX]
_LOOKS = frozenset(
    [
        "Read",
        "Grep",
        "Glob",
        "LS",
        "NotebookRead",
        "TodoWrite",
        "TodoRead",
        "TaskCreate",
        "TaskUpdate",
        "TaskList",
        "TaskGet",
        "WebFetch",
        "WebSearch",
        "ToolSearch",
        "BashOutput",
        "TaskOutput",
        "AgentOutputTool",
        "KillShell",
        "KillBash",
        "TaskStop",
        "ListMcpResourcesTool",
        "ReadMcpResourceTool",
        "Skill",
        "SlashCommand",
        "AskUserQuestion",
        "LSP",
        "Monitor",
    ]
)
_EDITS = frozenset({"Edit", "Write", "MultiEdit", "NotebookEdit"})
_PLANS = frozenset({"ExitPlanMode", "EnterPlanMode", "exit_plan_mode", "Agent", "Task"})
_LOOKING = re.compile(
    r"(ls|cat|head|tail|wc|pwd|find|grep|rg|tree|stat|file|which|echo|env|date|du|df|ps|sort|uniq|diff|jq|sed -n|cd|"
    r"git (status|diff|log|show|branch|remote|rev-parse|blame|ls-files|stash list)|"
    r"gh (pr|issue|run) (view|list|diff))\b"
)
_CHECKING = re.compile(
    r"\b(pytest|unittest|jest|vitest|mocha|rspec|phpunit|tox|nox|ctest|xcodebuild|gradlew?|mvn|cmake|make|"
    r"(go|cargo|swift|dotnet|deno|bun|npm|pnpm|yarn|mise)( run)? (test\w*|build|check|vet|bench))\b"
)
_STEPS = re.compile(r"\s*(?:&&|\|\||;|\||\n)\s*")


def kind_of(reply: Answered) -> Category | None:
    """Where a reply's own tools put it; None for a reply without tools."""
    if not reply.tools:
        return None
    if len(reply.tools) == 1 and reply.tools[0].name not in _EDITS:
        own = _kind_of_use(reply.tools[0])
        return Category.COMPLEX if _thought(reply) >= MUCH_THOUGHT and _WEIGHT[own] < _MOST else own
    kinds = [_kind_of_use(use) for use in reply.tools]
    edited = sum([use.size for use in reply.tools if use.name in _EDITS])
    if edited >= LARGE_EDIT:
        kinds.append(Category.PRODUCTIVE)
    elif not edited and _thought(reply) >= MUCH_THOUGHT:
        kinds.append(Category.COMPLEX)
    return max(kinds, key=_WEIGHT.__getitem__) if len(kinds) > 1 else kinds[0]


def _kind_of_use(use: ToolUse) -> Category:
    if use.name in _LOOKS:
        return Category.SIMPLE
    if use.name in _PLANS:
        return Category.COMPLEX
    if use.name in _EDITS:
        return Category.ROUTINE
    return kind_of_command(use.target) if use.name in {"Bash", "PowerShell"} else Category.UNCLASSIFIED


@lru_cache(maxsize=_REMEMBERED)
def kind_of_command(command: str) -> Category:
    """What a shell command is: looking, testing or building, or changing something."""
    if is_check(command):
        return Category.PRODUCTIVE
    steps = [step for step in _STEPS.split(command.strip()) if step]
    if not steps:
        return Category.UNCLASSIFIED
    return Category.SIMPLE if all(_LOOKING.match(step) for step in steps) else Category.ROUTINE


@lru_cache(maxsize=_REMEMBERED)
def is_check(command: str) -> bool:
    """Whether a shell command runs tests or a build."""
    return _CHECKING.search(command) is not None


def is_edit(use: ToolUse) -> bool:
    """Whether a tool changes a file."""
    return use.name in _EDITS


def _thought(reply: Answered) -> int:
    return max(reply.metered.thinking_tokens, reply.thinking_chars // CHARS_PER_TOKEN)


def kinds(billed: Iterable[Billed]) -> dict[str, Category]:
    """The category of each reply's own work, by message id."""
    found: dict[str, Category] = {}
    turns: dict[tuple[str, str | None, str | None], Category] = {}
    answers: list[Billed] = []
    for each in billed:
        own = kind_of(each.reply)
        if own is None:
            answers.append(each)
            continue
        found[each.reply.message_id] = own
        turn = _turn(each)
        known = turns.get(turn)
        if known is None or _WEIGHT[own] > _WEIGHT[known]:
            turns[turn] = own
    for each in answers:
        known = turns.get(_turn(each)) if each.reply.turn is not None else None
        found[each.reply.message_id] = known or _kind_of_answer(each.reply)
    return found


def _turn(each: Billed) -> tuple[str, str | None, str | None]:
    return each.line.session, each.line.agent, each.reply.turn


def _kind_of_answer(reply: Answered) -> Category:
    long = _thought(reply) >= MUCH_THOUGHT or reply.text_chars >= LONG_ANSWER
    return Category.COMPLEX if long else Category.UNCLASSIFIED


Resent = list[tuple[Lane, int, Money]]
"""A reply's prompt tokens that had been sent before, by lane, and the dollars of them."""


def resent(timelines: Iterable[Timeline], billed: Mapping[str, Billed]) -> dict[str, Resent]:
    """What of each reply was context sent before, by message id; nothing of those that sent none of it."""
    found: dict[str, Resent] = {}
    for line in timelines:
        before = 0
        for event in line.events:
            if isinstance(event, Answered):
                each = billed.get(event.message_id)
                if each is not None:
                    if before:
                        found[event.message_id] = _split(each, before)
                    before = event.metered.reported.prompt
            elif isinstance(event, Mark) and event.kind in _ANEW:
                before = 0
    return found


def _split(each: Billed, before: int) -> Resent:
    usage, bill = each.usage, each.bill
    left, read = min(before, usage.prompt), usage.cache_read
    if left == read:
        return [(_READ, read, bill.lane(_READ))] if read else []
    found: Resent = []
    for lane, have in (
        (_READ, read),
        (_SHORT, usage.cache_write_5m),
        (_LONG, usage.cache_write_1h),
        (_FRESH, usage.input),
    ):
        if not left:
            break
        if have:
            amount = bill.lane(lane)
            took = min(have, left)
            found.append((lane, took, amount if took == have else scale(amount, took, have)))
            left -= took
    return found


def by_category(
    billed: Iterable[Billed], timelines: Iterable[Timeline], places: Mapping[str, Category]
) -> dict[str, Totals]:
    """Totals by category, all six always there; they add up to the totals, and replies count where their work was.

    `places` are the categories of the replies' own work, as `kinds` gives them.
    """
    known = {each.reply.message_id: each for each in billed}
    own = {category: nothing() for category in Category}
    for message, each in known.items():
        count_in(own[places[message]], each)
    return {name: Totals.of(counts) for name, counts in less_resent(own, timelines, known, places).items()}


def less_resent(
    own: Mapping[Category, Counts],
    timelines: Iterable[Timeline],
    billed: Mapping[str, Billed],
    places: Mapping[str, Category],
) -> dict[str, Counts]:
    """Counts by category, with what was sent before moved to the overhead; `own` are those of the replies' own work."""
    moved = {category: nothing() for category in Category}
    for message, split in resent(timelines, billed).items():
        row = moved[places[message]]
        for lane, tokens, amount in split:
            column = _COLUMN[lane]
            row[FIRST_TOKENS + column] += tokens
            row[FIRST_LANE + column] += amount
            row[COST] += amount
    found = {category.value: list(map(sub, own.get(category, nothing()), moved[category])) for category in Category}
    overhead = [*found[Category.CONTEXT.value]]
    for row in moved.values():
        overhead = list(map(add, overhead, row))
    return {**found, Category.CONTEXT.value: overhead}
