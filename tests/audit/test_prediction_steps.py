from audit.calls_in_a_row import MINUTE, START, STEADY, line, loop, mark, reply, result, tool, typed
from underspend.audit.prediction_steps import steps
from underspend.core.usage import Unit, Usage
from underspend.promptcache import Reset


def walk(*events, **more):
    return list(steps(line(*events, **more), 0))


def test_each_call_knows_what_came_before():
    first, second, *_ = walk(*loop(*STEADY))
    assert first.earlier is None
    assert second.earlier is first
    assert [found.use_id for found in second.results] == ["m0"]
    assert (first.is_new_turn, second.is_new_turn) == (True, False)
    assert second.start == START + MINUTE
    assert second.tail == 3


def test_a_retry_leaves_after_the_failed_attempt():
    failed = mark("api_error", START + 3_000_000)
    (only,) = walk(typed(START), failed, reply("a", START + 9_000_000, (0, 9000, 0, 0, 1)))
    assert only.start == START + 3_000_000
    assert only.failed_at == failed.at


def test_what_the_client_did_to_the_messages():
    events = loop(*STEADY)
    for kind, reset in (("compaction", "compacted"), ("microcompaction", "thinned"), ("clear", "cleared")):
        found = walk(*events[:2], mark(kind, START + 9_000_000), *events[2:])
        assert found[1].reset is Reset(reset)
        assert found[1].has_mark()
    assert walk(*events)[1].reset is None


def parallel(order, name="Read"):
    """A call that used three tools at once, whose results of 3000, 2000 and 1000 characters came in this order."""
    uses = tuple(tool(name, use=f"u{number}") for number in range(3))
    came = [result(f"u{n}", START + MINUTE, size=3000 - 1000 * n, row=row) for row, n in enumerate(order)]
    asked = reply("a", START + 1, (3, 9000, 0, 0, 100), tools=uses)
    return walk(typed(START), asked, *came, reply("b", START + 2 * MINUTE, (3, 1600, 0, 9000, 9)))[1]


def test_results_behind_the_one_that_came_last_stand_behind_the_breakpoint():
    assert parallel((0, 1, 2)).tail == 3
    assert parallel((1, 2, 0)).tail == 3 + 1500 * 3000 // 6000
    assert parallel((0, 2, 1)).tail == 3 + 1500 * 1000 // 6000


def test_of_sub_agents_the_order_is_unknown():
    assert parallel((1, 2, 0), "Task").has_parallel_agents
    assert parallel((1, 2, 0), "Task").tail == 3


def test_with_caching_off_everything_is_fresh():
    found = walk(*loop((9000, 0, 0, 0, 5), (9500, 0, 0, 0, 5)))
    assert found[1].tail == 9500


def test_copied_calls_bear_one_time_and_so_no_time_passed_between_them():
    events = [reply(f"c{n}", START + MINUTE, (0, 100, 0, 9000 + 100 * n, 1)) for n in range(3)]
    found = walk(typed(START), *events)
    assert [step.is_untimed for step in found] == [False, True, True]
    assert {step.start for step in found} == {START}


def test_the_lifetime_in_force_is_the_last_one_written():
    found = walk(*loop((0, 0, 900, 0, 1), (0, 0, 0, 900, 1), (0, 5, 0, 900, 1), (0, 0, 0, 905, 1)))
    assert [step.lifetime // MINUTE for step in found] == [5, 60, 60, 5]


def test_the_prompt_is_the_first_pass_of_the_calls_own():
    units = (
        Unit("advisor_message", Usage(5, 0, 0, 0, 5), model="x"),
        Unit("message", Usage(1, 2, 0, 0, 5)),
        Unit("message", Usage(1, 0, 0, 2, 5)),
    )
    (only,) = walk(reply("a", START, (2, 2, 0, 2, 10), units=units), reply("error", START + 1))
    assert (only.unit, only.usage.prompt) == (1, 3)


def test_without_tails_the_calls_are_the_same():
    made = line(*loop(*STEADY))
    plain = list(steps(made, 0, tails=False))
    assert [step.start for step in plain] == [step.start for step in steps(made, 0)]
    assert [step.tail for step in plain] == [0] * len(plain)
