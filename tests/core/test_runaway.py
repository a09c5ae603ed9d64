"""All detectors together, and what is paused."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.calls import call
from core.steps_in_a_row import DOLLAR, SECOND, step, use
from underspend.core.alerts import MINUTE, Kind
from underspend.core.call import Identity, Role
from underspend.core.runaway import FanOut, FanOutRules, Runaway, RunawayRules
from underspend.core.steps import step_of
from underspend.core.velocity import Pace
from underspend.core.verdict import Level
from underspend.formats import anthropic_request
from underspend.formats.anthropic_blocks import Anatomist
from underspend.testing.demo.client import Conversation
from underspend.testing.demo.recording import sessions

ALL = frozenset({Kind.LOOP, Kind.FAN_OUT, Kind.VELOCITY})


def of(session="s", agent=None, turn="t"):
    return call(identity=Identity(session=session, agent=agent, turn=turn))


def looped(may_pause=ALL, agent=None, session="s"):
    runaway = Runaway(RunawayRules(may_pause=may_pause))
    for number in range(8):
        runaway.watch(step(number, use(), agent=agent, session=session))
    return runaway, 7 * 10 * SECOND


def test_a_loop_is_only_told_unless_pausing_was_asked_for():
    runaway, now = looped(may_pause=frozenset())
    assert runaway.paused(of(), now) is None


def test_a_loop_pauses_its_own_conversation_and_no_other():
    runaway, now = looped(agent="a")
    pause = runaway.paused(of(agent="a"), now)
    assert pause is not None
    assert pause.words == (
        "The same step (Bash) came 8 times in a row with the same results, for $8.00. The conversation is paused for "
        "10 minutes, or until the next prompt is typed."
    )
    assert runaway.pauses(now) == [pause]
    assert runaway.paused(of(), now) is None
    assert runaway.paused(of(agent="b"), now) is None
    assert runaway.paused(of(session="other"), now) is None


def test_a_typed_prompt_ends_a_loops_pause():
    runaway, now = looped()
    assert runaway.paused(of(turn="next"), now) is None
    assert runaway.paused(of(), now) is None


def test_a_pause_ends_with_time_and_one_more_try_brings_it_back():
    runaway, now = looped()
    assert runaway.paused(of(), now + 10 * MINUTE) is None
    runaway.watch(step(100, use()))
    assert runaway.paused(of(), 100 * 10 * SECOND) is not None


def test_a_pause_can_be_lifted():
    runaway, now = looped()
    assert runaway.lift("s", now) == 1
    assert runaway.lift("s", now) == 0
    assert runaway.paused(of(), now) is None


def test_what_was_lifted_is_not_paused_again_until_a_pause_would_be_over():
    runaway, now = looped()
    runaway.lift("s", now)
    (verdict,) = runaway.watch(step(8, use()))
    assert verdict.level is Level.PAUSE
    assert "paused" not in verdict.words
    assert runaway.paused(of(), now + 10 * SECOND) is None
    for number in range(9, 69):
        runaway.watch(step(number, use()))
    assert runaway.paused(of(), 68 * 10 * SECOND) is not None


def test_a_sub_agents_call_neither_falls_under_the_main_loops_pause_nor_ends_it():
    runaway, now = looped()
    assert runaway.paused(of(agent="a", turn="its own"), now) is None
    assert runaway.paused(of(), now) is not None


def test_what_is_only_observed_is_told_and_never_paused():
    runaway = Runaway(RunawayRules(may_pause=ALL))
    for number in range(8):
        found = runaway.watch(step(number, use()), may_pause=False)
    assert [verdict.level for verdict in found] == [Level.PAUSE]
    assert runaway.pauses(7 * 10 * SECOND) == []


def test_of_too_many_that_were_lifted_the_oldest_is_forgotten(monkeypatch):
    monkeypatch.setattr("underspend.core.runaway._PAUSES", 1)
    runaway, now = looped()
    runaway.lift("s", now)
    for number in range(8):
        runaway.watch(step(number, use(), session="other"))
    runaway.lift("other", now)
    runaway.watch(step(8, use()))
    assert runaway.paused(of(), now + 10 * SECOND) is not None


def test_a_clock_that_was_set_back_ends_a_pause():
    runaway, _ = looped()
    assert runaway.paused(of(), 0) is None


def test_nobodys_session_is_never_paused():
    runaway, now = looped(session=None)
    assert runaway.paused(call(), now) is None


def test_many_sub_agents_within_ten_minutes_are_told_and_pause_the_session():
    runaway = Runaway(RunawayRules(may_pause=ALL))
    found = [runaway.watch(step(number, agent=f"a{number}", at=number * SECOND)) for number in range(60)]
    assert [verdicts[0].level if verdicts else Level.NONE for verdicts in found] == (
        [Level.NONE] * 19 + [Level.WARN] * 40 + [Level.PAUSE]
    )
    assert found[-1][0].words == (
        "60 sub-agents were at work within 10 minutes: $60.00. The session is paused for 10 minutes."
    )
    assert runaway.paused(of(agent="a99"), 60 * SECOND) is not None
    assert runaway.paused(of(turn="next"), 60 * SECOND) is not None


def test_sub_agents_one_after_another_are_none_too_many():
    fan = FanOut(FanOutRules())
    assert not any(fan.take(step(0, agent=f"a{number}", at=number * MINUTE)) for number in range(300))


def test_spending_too_fast_pauses_all():
    runaway = Runaway(RunawayRules(may_pause=ALL, pace=Pace(least=100)))
    stretch = Pace().stretch
    runaway.remember((number * stretch, DOLLAR) for number in range(100))
    (verdict,) = runaway.watch(step(0, cost=50 * DOLLAR, at=0), known_at=100 * stretch)
    assert (verdict.kind, verdict.level) == (Kind.VELOCITY, Level.PAUSE)
    assert runaway.paused(of(session="any"), 100 * stretch) is not None
    assert runaway.lift(None, 100 * stretch) == 1


@pytest.mark.parametrize("role", [Role.SIDE, Role.COMPACTION])
def test_the_clients_own_calls_are_no_loop(role):
    runaway = Runaway(RunawayRules(pace=None))
    assert not any(runaway.watch(step(number, use(), prompt=b"p"), role) for number in range(99))


def test_what_is_off_is_not_watched():
    runaway = Runaway(RunawayRules(loops=None, fan_out=None, pace=None))
    assert not runaway.looks_at_steps
    assert not any(runaway.watch(step(number, use(), agent=f"a{number}")) for number in range(99))


def test_of_too_many_sessions_the_oldest_is_forgotten():
    runaway = Runaway(RunawayRules(pace=None))
    for number in range(3):
        runaway.watch(step(number, use()))
    for number in range(4_001):
        runaway.watch(step(number, use(), session=f"s{number}", agent="a"))
    assert not runaway.watch(step(3, use()))


def test_a_fan_out_that_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match="fan-out"):
        FanOutRules(warn=5, pause=4)


def bodies(session, thread, times=0):
    """The bytes of a recorded thread's requests, as the client makes them; then its last step so many times again."""
    talk = Conversation(session=session, thread=thread, session_id=session.id)
    for recorded in thread.calls:
        yield recorded, talk.request(recorded)[2]
        talk.answered(recorded)
    for number in range(times):
        call_id = f"toolu_again{number}"
        reply = [{"type": "tool_use", "id": call_id, "name": "Bash", "input": {"command": "make test"}}]
        result = [{"type": "tool_result", "tool_use_id": call_id, "content": "make: error 2", "is_error": True}]
        again = replace(thread.calls[-1], reply=reply, add=[{"role": "user", "content": result}], fresh=False)
        talk.answered(again)
        yield again, talk.request(again)[2]


def played(session, thread, runaway, times=0):
    """What the requests show, taken apart as the gateway takes them apart."""
    anatomist, found = Anatomist(), []
    for recorded, body in bodies(session, thread, times):
        message = anthropic_request.read(body)
        assert message is not None
        anatomy = anatomist.anatomy(tools=message.tools, system=message.system, messages=message.messages)
        identity = Identity(session=session.id, agent=thread.agent, turn=anatomy.turn, role=Role(recorded.role))
        made = call(time=recorded.at * 1000, identity=identity, blocks=anatomy.blocks)
        found.append(runaway.watch(step_of(made, cost=DOLLAR // 100), identity.role))
    return found


def test_nothing_is_found_in_the_bytes_of_recorded_sessions():
    runaway, calls = Runaway(RunawayRules()), 0
    for session in sessions():
        for thread in session.threads:
            found = played(session, thread, runaway)
            calls += len(found)
            assert not any(found)
    assert calls > 100


def test_a_loop_at_the_end_of_a_recorded_session_is_found_in_its_bytes():
    session = min(sessions(), key=lambda each: each.calls)
    found = played(session, session.threads[0], Runaway(RunawayRules()), times=8)[-8:]
    assert [verdicts[0].level if verdicts else Level.NONE for verdicts in found] == (
        [Level.NONE] * 3 + [Level.WARN] * 4 + [Level.PAUSE]
    )
    assert found[-1][0].words.startswith("Bash failed 8 times in a row")
