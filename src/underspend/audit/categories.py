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
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from operator import add, sub

from underspend.audit.bills import LANES, Billed
from underspend.audit.totals import COST, FIRST_LANE, FIRST_TOKENS, Counts, Totals, counts_of, nothing
from underspend.core.history import Answered, Mark, MarkKind, Timeline, ToolUse
from underspend.core.money import scale

MUCH_THOUGHT = 1_000
LARGE_EDIT = 400
LONG_ANSWER = 2_000
CHARS_PER_TOKEN = 4
_REMEMBERED = 4_096
_FRESH, _SHORT, _LONG, _READ, _ = range(len(LANES))
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
_SHELLS = frozenset({"Bash", "PowerShell"})
_OF_TOOL = {
    **dict.fromkeys(_EDITS, Category.ROUTINE),
    **dict.fromkeys(_PLANS, Category.COMPLEX),
    **dict.fromkeys(_LOOKS, Category.SIMPLE),
}
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
    tools = reply.tools
    if not tools:
        return None
    if len(tools) == 1 and tools[0].name not in _EDITS:
        own = _kind_of_use(tools[0])
        return own if own is Category.COMPLEX or not _has_thought(reply) else Category.COMPLEX
    kinds = [_kind_of_use(use) for use in tools]
    edited = sum([use.size for use in tools if use.name in _EDITS])
    if edited >= LARGE_EDIT:
        kinds.append(Category.PRODUCTIVE)
    elif not edited and _has_thought(reply):
        kinds.append(Category.COMPLEX)
    return max(kinds, key=_WEIGHT.__getitem__) if len(kinds) > 1 else kinds[0]


def _kind_of_use(use: ToolUse) -> Category:
    name = use.name
    return kind_of_command(use.target) if name in _SHELLS else _OF_TOOL.get(name, Category.UNCLASSIFIED)


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


def _has_thought(reply: Answered) -> bool:
    """Whether a reply thought much."""
    return reply.thinking_chars >= MUCH_THOUGHT * CHARS_PER_TOKEN or reply.metered.thinking_tokens >= MUCH_THOUGHT


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
    long = _has_thought(reply) or reply.text_chars >= LONG_ANSWER
    return Category.COMPLEX if long else Category.UNCLASSIFIED


def resent(timelines: Iterable[Timeline], billed: Mapping[str, Billed]) -> Iterator[tuple[Billed, int]]:
    """The replies with what of each one's prompt was context sent before, in tokens; not those that sent none of it."""
    for line in timelines:
        before = 0
        for event in line.events:
            if type(event) is Answered:
                each = billed.get(event.message_id)
                if each is not None:
                    if before:
                        yield each, before
                    usage = event.metered.reported
                    before = usage.input + usage.cache_write_5m + usage.cache_write_1h + usage.cache_read
            elif type(event) is Mark and event.kind in _ANEW:
                before = 0


def move_resent(each: Billed, before: int, to: Counts) -> None:
    """Count a reply's prompt tokens that had been sent before, and their dollars, into a row.

    `before` is how many there were: what was read is taken first, then what was written again, then what was sent.
    """
    usage, amounts = each.usage, each.bill.by_lane
    # Spelled out for what is read: nearly all of it is, in each reply of years.
    left, have = before, usage.cache_read
    if have:
        took = have if have < left else left  # noqa: FURB136
        amount = amounts[_READ] if took == have else scale(amounts[_READ], took, have)
        to[FIRST_TOKENS + _READ] += took
        to[FIRST_LANE + _READ] += amount
        to[COST] += amount
        left -= took
    if left:
        for lane, have in ((_SHORT, usage.cache_write_5m), (_LONG, usage.cache_write_1h), (_FRESH, usage.input)):
            if have:
                took = min(have, left)
                amount = scale(amounts[lane], took, have)
                to[FIRST_TOKENS + lane] += took
                to[FIRST_LANE + lane] += amount
                to[COST] += amount
                left -= took
                if not left:
                    break


def by_category(
    billed: Iterable[Billed], timelines: Iterable[Timeline], places: Mapping[str, Category]
) -> dict[str, Totals]:
    """Totals by category, all six always there; they add up to the totals, and replies count where their work was.

    `places` are the categories of the replies' own work, as `kinds` gives them.
    """
    known = {each.reply.message_id: each for each in billed}
    those: dict[Category, list[Billed]] = {}
    for message, each in known.items():
        those.setdefault(places[message], []).append(each)
    own = {category: counts_of(found) for category, found in those.items()}
    return {name: Totals.of(counts) for name, counts in less_resent(own, timelines, known, places).items()}


def less_resent(
    own: Mapping[Category, Counts],
    timelines: Iterable[Timeline],
    billed: Mapping[str, Billed],
    places: Mapping[str, Category],
) -> dict[str, Counts]:
    """Counts by category, with what was sent before moved to the overhead; `own` are those of the replies' own work."""
    moved = {category: nothing() for category in Category}
    for each, before in resent(timelines, billed):
        move_resent(each, before, moved[places[each.reply.message_id]])
    found = {category.value: list(map(sub, own.get(category, nothing()), moved[category])) for category in Category}
    overhead = [*found[Category.CONTEXT.value]]
    for row in moved.values():
        overhead = list(map(add, overhead, row))
    return {**found, Category.CONTEXT.value: overhead}
