from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from audit.calls_in_a_row import MINUTE, START, STEADY, line, loop, mark, reply, result, tool, typed
from audit.replay.policies import reads
from underspend.audit.replay.conversations import common_prefixes, conversation, fitted
from underspend.audit.replay.pieces import Draft
from underspend.core.call import Role, Section


def calls(*events, prefixes=None, **more):
    made = line(*events, **more)
    return list(conversation(made, 0, common_prefixes([made]) if prefixes is None else prefixes))


def total(recorded):
    return sum(block.tokens for block in recorded.base)


def test_the_blocks_of_a_call_add_up_to_its_prompt():
    found = calls(*loop(*STEADY))
    assert [total(each) for each in found] == [15_003, 15_403, 16_003, 16_703]
    assert [each.call.prompt_tokens for each in found] == [total(each) for each in found]


def test_a_prompt_is_the_one_before_with_more_behind():
    found = calls(*reads(1000, 2000))
    for earlier, later in pairwise(found):
        assert later.base[: len(earlier.base)] == earlier.base
        assert later.shared == len(earlier.base)
    kinds = [block.kind for block in found[-1].base]
    assert kinds == ["text", "text", "tool_use", "tool_result", "tool_use", "tool_result"]
    assert [block.tokens for block in found[-1].base[2:]] == [40, 1000, 40, 2000]
    assert [block.message for block in found[-1].base] == [-1, 1, 2, 3, 4, 5]


def test_what_first_calls_read_is_what_stands_before_the_messages():
    first = line(typed(START), reply("a", START, (3, 4000, 0, 0, 5)), session="a")
    second = line(typed(START + MINUTE), reply("b", START + MINUTE, (3, 900, 0, 3000, 5)), session="b")
    prefixes = common_prefixes([first, second])
    assert list(prefixes.values()) == [3000]
    front = [next(iter(conversation(each, row, prefixes))).base[0] for row, each in enumerate((first, second))]
    assert front[0] == front[1]
    assert (front[0].tokens, front[0].section) == (3000, Section.SYSTEM)


def test_breakpoints_stand_where_the_client_puts_them():
    found = calls(*loop((3, 100, 5000, 0, 5), (3, 0, 700, 5100, 5), (900, 0, 0, 0, 5)))
    assert found[0].marks == ((0, "1h"), (len(found[0].base) - 1, "5m"))
    assert found[1].marks == ((0, "1h"), (len(found[1].base) - 1, "1h"))
    assert [block.breakpoint for block in found[1].call.blocks if block.breakpoint] == ["1h", "1h"]
    assert found[2].marks == ()


def test_a_compaction_leaves_only_what_stands_before_the_messages():
    after = [
        mark("compaction", START + 5 * MINUTE),
        typed(START + 5 * MINUTE),
        reply("z", START + 6 * MINUTE, (3, 2000, 0, 5000, 9)),
    ]
    found = calls(*loop(*STEADY), *after)
    last = found[-1]
    assert (total(last), last.shared) == (7003, 1)
    assert last.base[0] == found[0].base[0]
    assert [block.kind for block in last.base[1:]] == ["text", "text"]


def test_a_prompt_that_shrank_lost_its_end():
    back = [typed(START + 4 * MINUTE), reply("z", START + 5 * MINUTE, (3, 300, 0, 15_400, 9))]
    found = calls(*loop(*STEADY), *back)
    last = found[-1]
    assert total(last) == 15_703
    assert last.base[: last.shared] == found[-2].base[: last.shared]
    assert 0 < last.shared < len(found[-2].base)


def test_a_sub_agent_is_a_conversation_of_its_own_kind():
    found = calls(*loop(*STEADY[:1]), agent="x1", agent_type="Explore")
    assert (found[0].call.kind, found[0].call.identity.role) == ("Explore", Role.SUBAGENT)
    assert calls(*loop(*STEADY[:1]))[0].call.kind == "main"


def test_replies_of_agents_in_their_parents_file_are_no_calls_of_the_parent():
    assert calls(typed(START), reply("n", START, (3, 100, 0, 0, 5), nested=True)) == []


def test_what_nothing_explains_is_a_reminder():
    events = [
        *loop(*STEADY[:1]),
        result("m0", START + MINUTE, size=350),
        reply("b", START + 2 * MINUTE, (3, 5000, 0, 15_003, 5)),
    ]
    last = calls(*events)[-1]
    assert [(block.kind, block.tokens) for block in last.base[-2:]] == [("tool_result", 140), ("text", 4813)]
    assert last.base[-1].size == 0


def draft(kind, guess):
    return Draft(kind=kind, label="", name="", guess=guess)


def test_results_get_what_replies_leave():
    drafts = [draft("text", 100), draft("tool_result", 300), draft("tool_result", 100)]
    assert fitted(drafts, 500) == [100, 300, 100]
    assert fitted(drafts, 560) == [100, 345, 115]
    assert fitted(drafts, 2000) == [100, 420, 140]
    assert fitted(drafts, 200) == [100, 75, 25]
    assert fitted(drafts, 50) == [10, 30, 10]


usages = st.tuples(
    st.integers(0, 500), st.integers(0, 9000), st.integers(0, 9000), st.integers(0, 40_000), st.integers(0, 900)
)
steps = st.tuples(usages, st.sampled_from(["result", "typed", "compaction", "microcompaction", "clear", "nothing"]))


@given(st.lists(steps, max_size=12))
def test_whatever_is_recorded_adds_up(rows):
    events, at = [], START
    for number, (usage, before) in enumerate(rows):
        at += MINUTE
        if before == "result":
            events.append(result(f"u{number - 1}", at, size=usage[0] * 7))
        elif before == "typed":
            events.append(typed(at))
        elif before != "nothing":
            events.append(mark(before, at))
        events.append(reply(f"m{number}", at, usage, tools=(tool("Read", "a", 9, f"u{number}"),), text_chars=50))
    earlier = None
    for each in calls(*events):
        assert total(each) == each.step.usage.prompt
        assert all(block.tokens >= 0 for block in each.base)
        assert all(0 <= at < len(each.base) for at, _ in each.marks)
        assert [block.message for block in each.base] == sorted(block.message for block in each.base)
        if earlier is not None:
            assert each.base[: each.shared] == earlier.base[: each.shared]
        earlier = each
