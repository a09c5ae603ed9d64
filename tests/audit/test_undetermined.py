import pytest

from audit.calls_in_a_row import MINUTE, START, STEADY, line, loop, mark, reply, result, tool, typed
from audit.histories import HAIKU, history
from underspend.audit.prediction import predict
from underspend.audit.undetermined import Open
from underspend.core.usage import Unit, Usage

LAST = START + 4 * MINUTE
NEXT = (3, 800, 0, 16_700, 50)


def why(*before, usage=NEXT, base=None, **more):
    """Why the call after a steady loop is not determined, given what came before it."""
    events = [*(base or loop(*STEADY)), *(before or [result("m3", LAST)])]
    return predict(history(line(*events, reply("last", LAST + 5_000_000, usage, **more))))[-1].undetermined


def test_the_next_round_of_a_tool_loop_is_determined():
    assert why() is None


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ([mark("resume", LAST), result("m3", LAST)], Open.NOTED),
        ([result("m3", LAST), typed(LAST)], Open.NEW_TURN),
        ([result("m3", LAST, images=1)], Open.IMAGES),
        ([result("other", LAST)], Open.UNCONNECTED),
        ([typed(LAST)], Open.NEW_TURN),
    ],
)
def test_what_came_between_leaves_it_open(before, reason):
    assert why(*before) is reason


def test_another_key_leaves_it_open():
    assert why(model=HAIKU) is Open.REKEYED
    assert why(effort="low") is Open.REKEYED
    assert why(speed="fast") is Open.REKEYED
    assert why(version="2.0.0") is Open.REKEYED


def test_a_prompt_that_shrank_leaves_it_open():
    assert why(usage=(3, 100, 0, 15_000, 50)) is Open.SHORTENED


def test_time_leaves_it_open():
    assert why(base=loop(*STEADY, gap=20 * MINUTE)) is not None
    late = [*loop(*STEADY), result("m3", LAST)]
    found = predict(history(line(*late, reply("last", START + 8 * MINUTE, NEXT))))
    assert found[-1].undetermined is Open.LIFETIME
    copied = predict(history(line(*loop(*STEADY), reply("last", START + 3 * MINUTE + 5_000_000, NEXT))))
    assert copied[-1].undetermined is Open.UNTIMED


def test_a_failure_within_five_minutes_leaves_it_open():
    events = loop(*STEADY)
    events.insert(3, mark("api_error", START + MINUTE - 1))
    assert why(base=events) is Open.FAILED


def test_a_prefix_that_nothing_has_read_back_leaves_it_open():
    assert why(base=loop(*STEADY[:3], (3, 11_700, 0, 5000, 50))) is Open.UNSETTLED
    found = predict(history(line(*loop(*STEADY))))
    assert [each.undetermined for each in found[:2]] == [Open.FIRST, Open.UNSETTLED]


@pytest.mark.parametrize(("used", "name", "reason"), [(9, "Read", Open.LOOKBACK), (2, "Task", Open.ORDER)])
def test_many_blocks_or_parallel_agents_leave_it_open(used, name, reason):
    events = loop(*STEADY)
    uses = tuple(tool(name, use=f"u{number}") for number in range(used))
    events[-1] = reply("m3", START + 3 * MINUTE + 5_000_000, STEADY[-1], tools=uses)
    assert why(*(result(use.id, LAST) for use in uses), base=events) is reason


def test_several_passes_leave_it_open():
    units = (Unit("message", Usage(*NEXT)), Unit("message", Usage(0, 100, 0, 17_500, 5)))
    assert why(units=units) is Open.PASSES
