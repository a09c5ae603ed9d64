from hypothesis import given
from hypothesis import strategies as st

from audit.calls_in_a_row import MINUTE, START, STEADY, line, loop, mark, reply, result, tool, typed
from audit.histories import history
from underspend.audit.bills import price
from underspend.audit.prediction import predict
from underspend.promptcache import Why


def lanes(split):
    return split.input, split.cache_read, split.cache_write_5m, split.cache_write_1h


def run(*events, **more):
    return predict(history(line(*events, **more)))


def test_a_steady_loop_is_predicted_to_the_token():
    found = run(*loop(*STEADY))
    assert [each.why for each in found] == [Why.FIRST, *[Why.CONTINUED] * 3]
    assert all(each.expected == each.recorded and each.is_close for each in found)
    assert [each.cost_recorded for each in found] == [each.cost_predicted for each in found]
    assert [each.inferred for each in found] == [True, False, False, False]
    assert [each.undetermined is None for each in found] == [False, False, True, True]


def test_a_warm_prefix_that_missed_is_far_off_and_costs_more():
    found = run(*loop(*STEADY, (3, 11_800, 0, 5000, 50)))[-1]
    assert lanes(found.expected) == (3, 16_700, 100, 0)
    assert not found.is_close
    assert found.furthest == 11_700
    assert found.cost_recorded - found.cost_predicted == 11_700 * (5_000_000 - 200_000)
    assert found.undetermined is None


def test_its_own_split_does_not_make_a_call_determined_or_expected():
    """Of its own record only the size of its prompt is used."""
    for usage in ((3, 800, 0, 16_700, 50), (3, 17_500, 0, 0, 50), (17_503, 0, 0, 0, 50)):
        found = run(*loop(*STEADY, usage))[-1]
        assert lanes(found.expected) == (3, 16_700, 800, 0)
        assert found.undetermined is None


def test_a_gap_past_the_lifetime_is_written_again():
    found = run(*loop(*STEADY[:2], gap=6 * MINUTE))[1]
    assert lanes(found.expected) == (3, 0, 15_400, 0)


def test_sub_agents_of_a_type_share_their_prefix():
    lines = [
        line(typed(at), reply(name, at, usage), agent=name, agent_type="Explore")
        for name, at, usage in (
            ("a", START, (0, 9000, 0, 0, 5)),
            ("b", START + MINUTE, (0, 1000, 0, 8000, 5)),
            ("c", START + 2 * MINUTE, (0, 1500, 0, 8000, 5)),
        )
    ]
    found = predict(history(*lines))
    assert [each.inferred for each in found] == [True, True, False]
    assert lanes(found[2].expected) == (0, 8000, 1500, 0)


def test_copied_replies_stay_in_their_order():
    copied = [reply(name, START, (0, 100, 0, 9000 + 100 * n, 1)) for n, name in enumerate(("z", "y", "x", "a"))]
    found = run(typed(START), *copied)
    assert [each.step.reply.message_id for each in found] == ["z", "y", "x", "a"]
    assert all(each.is_close for each in found)


def test_an_unlisted_model_is_predicted_without_dollars():
    found = run(*loop(*STEADY, model="claude-unheard-of"))
    assert all(each.is_close for each in found)
    assert {each.cost_recorded for each in found} == {0}


def test_a_compaction_reads_what_the_first_request_showed_to_be_shared():
    events = [
        *loop(*STEADY),
        mark("compaction", START + 4 * MINUTE),
        typed(START + 4 * MINUTE),
        reply("after", START + 5 * MINUTE, (3, 2000, 0, 5000, 9)),
    ]
    found = run(*events)[-1]
    assert (found.why, lanes(found.expected)) == (Why.RESET, (3, 5000, 2000, 0))


tokens = st.integers(0, 30_000)
calls = st.tuples(
    st.integers(0, 4000), tokens, st.booleans(), tokens, st.integers(0, 3000), st.sampled_from(["typed", "result", ""])
)


@given(st.lists(st.lists(calls, max_size=8), max_size=3))
def test_every_call_is_predicted_once_and_adds_up(rows):
    lines = []
    for number, row in enumerate(rows):
        at, events = START, []
        for index, (fresh, written, is_long, read, seconds, before) in enumerate(row):
            at += seconds * 1_000_000
            if before:
                events.append(typed(at) if before == "typed" else result(f"u{index - 1}", at))
            usage = (fresh, 0 if is_long else written, written if is_long else 0, read, 9)
            events.append(reply(f"{number}-{index}", at, usage, tools=(tool("Read", use=f"u{index}"),)))
        lines.append(line(*events, session=f"s{number}"))
    made = history(*lines)
    found = predict(made)
    prompts = {reply.message_id: reply.metered.reported.prompt for _, reply in made.replies()}
    assert {each.step.reply.message_id: each.expected.prompt for each in found} == {
        name: prompt for name, prompt in prompts.items() if prompt
    }
    bills = {each.reply.message_id: each.bill.total for each in price(made)}
    assert all(each.cost_recorded == bills[each.step.reply.message_id] for each in found)
    assert all(min(lanes(each.expected)) >= 0 for each in found)
