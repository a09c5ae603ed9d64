from audit.calls_in_a_row import MINUTE, START, STEADY, line, loop
from audit.histories import history
from audit.replay.policies import Broken, Lifetime, Limit, Nothing, Prune, Trim, on, reads, steady
from underspend.audit.replay.traffic import traffic
from underspend.audit.whatif import Group, Outcome, Replays, Saving, outcome
from underspend.core.engine import Step
from underspend.core.evidence import Evidence
from underspend.core.scopes import Scope
from underspend.core.strategy import State


def busy():
    first = line(*reads(3000, 100, 100), project="shop", session="s-1")
    second = line(*loop(*STEADY, name="o"), project="blog", session="s-2")
    return traffic(history(first, second))


def by_name(parts):
    return {part.name: part for part in parts}


def test_no_policy_saves_nothing():
    made = outcome(Replays(busy()), [])
    assert (made.saved, made.parts, made.replayed) == (Saving(), [], made.recorded)


def test_the_waterfall_adds_up_to_the_whole():
    replays = Replays(busy())
    made = outcome(replays, on(Nothing(), Lifetime(), Trim(tokens=100)))
    assert sum(part.step.expected for part in made.parts) == made.saved.expected
    parts = by_name(made.parts)
    assert parts["nothing"].alone == parts["nothing"].last == parts["nothing"].step == Saving()
    assert parts["lifetime"].step == parts["lifetime"].alone
    assert parts["trim"].step == parts["trim"].last
    assert parts["trim"].alone.expected > 0 > parts["lifetime"].alone.expected


def test_each_part_is_what_a_replay_of_it_says():
    replays = Replays(busy())
    trim, lifetime = on(Trim(tokens=100)), on(Lifetime())
    made = by_name(outcome(replays, [*lifetime, *trim]).parts)
    assert made["trim"].alone == Replays(busy()).saving(trim)
    assert made["lifetime"].last == replays.saving([*lifetime, *trim]) - replays.saving(trim)


def test_silent_strategies_cost_no_replay_of_their_own():
    replays = Replays(busy())
    outcome(replays, on(Nothing(), Trim(tokens=100)))
    assert len(replays._known) == 3


def test_what_is_not_on_is_tried_last():
    steps = [*on(Lifetime()), Step(Trim(tokens=100), State.SHADOW), Step(Nothing(), State.OFF)]
    made = outcome(Replays(busy()), steps)
    assert [part.name for part in made.parts] == ["lifetime"]
    assert [part.name for part in made.others] == ["trim", "nothing"]
    assert made.others[0].last.expected > 0
    assert outcome(Replays(busy()), steps, others=False).others == []


def test_a_scope_is_replayed_as_it_is():
    trim = Trim(tokens=100)
    everywhere = outcome(Replays(busy()), on(trim))
    in_shop = Step(trim, State.SHADOW, (Scope(state=State.ON, project="shop"),))
    made = outcome(Replays(busy()), [in_shop])
    assert [part.name for part in made.parts] == ["trim"]
    saved = {group.name: group.saved for group in made.projects}
    assert saved == {"shop": next(g.saved for g in everywhere.projects if g.name == "shop"), "blog": 0}
    nowhere = Step(trim, State.ON, (Scope(state=State.OFF, project="shop"), Scope(state=State.OFF, project="blog")))
    assert outcome(Replays(busy()), [nowhere]).saved == Saving()


def test_evidence_goes_by_what_was_edited():
    parts = by_name(outcome(Replays(busy()), on(Lifetime(), Trim(tokens=100))).parts)
    assert (parts["lifetime"].evidence, parts["trim"].evidence) == (Evidence.SIMULATED, Evidence.ESTIMATED)


def test_projects_are_by_dollars_and_sessions_worst_first():
    made = outcome(Replays(busy()), on(Lifetime()))
    assert [group.name for group in made.projects] == ["shop", "blog"] or made.projects[0].recorded >= made.projects[
        1
    ].recorded
    assert made.sessions[0].saved <= made.sessions[1].saved
    assert sum(group.recorded for group in made.sessions) == made.recorded
    assert sum(group.replayed for group in made.projects) == made.replayed


def test_out_of_bounds_is_dearer_by_more_than_two_percent():
    def group(now):
        return Group(name="s", project="p", calls=1, recorded=1000, replayed=now)

    assert [group(now).is_out_of_bounds for now in (900, 1020, 1021)] == [False, False, True]


def test_the_low_end_counts_on_as_many_misses_as_were_recorded():
    events = loop((0, 90_000, 0, 0, 9), (0, 90_100, 0, 0, 9), gap=9 * MINUTE)
    missed = loop(*STEADY, (3, 16_700, 0, 0, 9), name="x")
    made = outcome(Replays(traffic(history(line(*events), line(*missed, session="t")))), on(Lifetime()))
    assert made.missed > 0
    assert made.saved.low < made.saved.expected == made.saved.high


def test_what_cannot_be_replayed_and_what_failed_is_said():
    made = outcome(Replays(steady()), [*on(Broken()), Step(Limit(), State.ON)])
    assert made.left_out == ["limit"]
    assert made.faults == {"broken": {"RuntimeError: boom": 4}}
    assert isinstance(made, Outcome)


def test_replays_tell_what_they_are_at():
    heard = []
    replays = Replays(steady(), lambda name: heard.append(name) or (lambda done, of: None))
    outcome(replays, on(Prune(), Trim()))
    assert heard[0] == "prune + trim"
    assert START
