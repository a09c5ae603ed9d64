from audit.histories import HOUR, MINUTE, START
from underspend.core import past as module
from underspend.core.call import Call, Identity, Role
from underspend.core.past import Past


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


def test_many_at_once_are_the_same_as_one_by_one(monkeypatch):
    calls = [(at % 3, call(START + at * at * MINUTE, 1000 + at * 7 % 90), at * 11 % 50) for at in range(40)]
    one, many = Past(), Past()
    for row, each, output in calls:
        one.add(row, each, output)
    many.note_all([(row, each, each.prompt_tokens, output) for row, each, output in calls])
    assert many.habits == one.habits
    monkeypatch.setattr(module, "_MOST_KEPT", 10)
    many.note_all([(9, call(START), 1000, 1)])
    assert len(many.habits.outputs["main"]) <= 10


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


def test_what_runs_for_months_keeps_the_spread_and_forgets_the_oldest(monkeypatch):
    monkeypatch.setattr(module, "_MOST_KEPT", 100)
    monkeypatch.setattr(module, "_CONVERSATIONS", 10)
    past = Past()
    for n in range(1_000):
        past.add(n % 25, call(START + n * MINUTE), n * 37 % 1_000)
    outputs = past.habits.outputs["main"]
    assert len(outputs) <= 100
    assert outputs == sorted(outputs)
    assert outputs[0] < 200
    assert outputs[-1] > 800
    past.until(START + 2_000 * MINUTE)
    assert sum(map(len, past.habits.lengths.values())) <= 1_000
