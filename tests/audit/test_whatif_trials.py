from audit.calls_in_a_row import MINUTE, START, line, reply, typed
from audit.histories import history
from audit.replay.policies import cost_of, on, reads, steady
from underspend.audit.replay.play import play
from underspend.audit.replay.traffic import traffic
from underspend.audit.whatif_trials import AgentsOn, ClientLifetime, FreshStarts
from underspend.core.call import Role


def test_a_setting_of_the_client_is_for_one_role():
    made = steady()
    assert play(made, on(ClientLifetime(role=Role.MAIN, ttl="1h"))).deeds["client_lifetime"].calls == 4
    assert play(made, on(ClientLifetime(role=Role.SUBAGENT, ttl="1h"))).deeds["client_lifetime"].calls == 0
    assert play(made, on(ClientLifetime(role=Role.MAIN, ttl="5m"))).costs == [None] * 4


def test_only_sub_agents_go_to_the_other_model():
    rule = AgentsOn(models=(("claude-opus-4-5", "claude-sonnet-4-5"),))
    main = traffic(history(line(*reads(1000, model="claude-opus-4-5"))))
    agent = traffic(history(line(*reads(1000, model="claude-opus-4-5"), agent="a", agent_type="Explore")))
    assert play(main, on(rule)).costs == [None, None]
    assert cost_of(agent, play(agent, on(rule))) < agent.recorded


def long_talk():
    events = reads(20_000, 20_000)
    for number in range(2):
        at = START + (10 + number) * MINUTE
        held = 50_080 + 240 * number
        events += [typed(at), reply(f"t{number}", at + 1, (0, 240, 0, held, 200), text_chars=700)]
    return traffic(history(line(*events)))


def test_a_fresh_start_leaves_out_what_stands_before_the_prompt():
    made = long_talk()
    played = play(made, on(FreshStarts(above=40_000)))
    assert played.costs[:3] == [None] * 3
    assert played.deeds["fresh_starts"].calls == 2
    assert cost_of(made, played) < made.recorded


def test_below_the_size_nothing_is_left_out():
    made = long_talk()
    assert play(made, on(FreshStarts(above=60_000))).costs == [None] * 5
