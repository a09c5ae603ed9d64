from audit.histories import HOUR, MINUTE, START
from underspend.audit.replay.habits import Past
from underspend.core.call import Call, Identity, Role


def call(at, prompt=1000, role=Role.MAIN, kind="main"):
    return Call(
        id="c",
        time=at,
        provider="anthropic",
        endpoint="messages",
        model="m",
        prompt_tokens=prompt,
        kind=kind,
        identity=Identity(role=role),
    )


def test_gaps_growth_and_outputs_are_sorted_and_by_role():
    past = Past()
    for at, prompt, output in ((0, 1000, 90), (9, 1500, 10), (11, 1400, 50)):
        past.add(1, call(START + at * MINUTE, prompt), output)
    past.add(2, call(START, role=Role.SUBAGENT, kind="Explore"), 7)
    habits = past.habits
    assert habits.gaps == {Role.MAIN: [2 * MINUTE, 9 * MINUTE]}
    assert habits.growth == {Role.MAIN: [500]}
    assert habits.outputs == {"main": [10, 50, 90], "Explore": [7]}


def test_a_conversation_has_finished_after_an_hour_without_a_call_and_not_before():
    past = Past()
    past.add(1, call(START), 1)
    past.add(1, call(START + MINUTE), 1)
    past.until(START + HOUR)
    assert past.habits.lengths == {}
    past.until(START + HOUR + MINUTE)
    assert past.habits.lengths == {Role.MAIN: [2]}


def test_one_that_goes_on_later_begins_to_count_anew():
    past = Past()
    past.add(1, call(START), 1)
    past.until(START + 2 * HOUR)
    past.add(1, call(START + 2 * HOUR), 1)
    past.add(1, call(START + 2 * HOUR + 1), 1)
    past.until(START + 4 * HOUR)
    assert past.habits.lengths == {Role.MAIN: [1, 2]}
