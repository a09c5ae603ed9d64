from audit.calls_in_a_row import MINUTE, START, line, loop, reply, typed
from audit.histories import history
from audit.replay.policies import Lifetime, Nothing, Trim, on, reads, steady
from underspend.audit.replay.traffic import traffic
from underspend.audit.whatif import Replays, outcome
from underspend.audit.whatif_findings import findings
from underspend.core.engine import Step
from underspend.core.evidence import Evidence
from underspend.core.strategy import State


def found(made, steps=()):
    replays = Replays(made)
    return {each.id: each for each in findings(replays, outcome(replays, steps), steps)}


def test_a_strategy_that_is_not_on_is_a_finding_with_its_config():
    made = traffic(history(line(*reads(3000, 100, 100))))
    each = found(made, [*on(Nothing()), Step(Trim(tokens=100), State.OFF)])["whatif/trim"]
    assert each.amount > 0
    assert each.fix == "underspend config set strategies.trim.state on"
    assert each.evidence is Evidence.ESTIMATED
    assert "At first entry" in each.why


def test_one_that_would_cost_is_none():
    assert "whatif/lifetime" not in found(steady(), [Step(Lifetime(), State.OFF)])


def test_the_lifetime_that_fits_the_rhythm_names_its_variable():
    pauses = loop(*[(0, 90_000 + n, 0, 0, 9) for n in range(4)], gap=9 * MINUTE)
    each = found(traffic(history(line(*pauses))))["whatif/lifetime-main"]
    assert "CLAUDE_CODE_PROMPT_CACHE_TTL=1h" in each.fix
    assert [row["lifetime"] for row in each.rows] == ["5m", "1h"]
    hours = loop(*[(0, 0, 9000 if not n else 100, 8900 + 100 * n if n else 0, 9) for n in range(4)])
    agents = found(traffic(history(line(*hours, agent="a", agent_type="Plan"))))["whatif/lifetime-agents"]
    assert "CLAUDE_CODE_SUBAGENT_PROMPT_CACHE_TTL=5m" in agents.fix


def test_sub_agents_on_the_next_cheaper_model():
    made = traffic(history(line(*reads(1000, model="claude-opus-5-5"), agent="a", agent_type="Explore")))
    each = found(made)["whatif/sub-agents"]
    assert 'model = "claude-opus-5-5"' in each.fix
    assert each.fix.endswith("underspend config set strategies.model_rules.state on")
    assert each.amount > 0


def test_the_habit_of_starting_afresh_is_a_curve():
    events = reads(20_000, 20_000, 20_000)
    for number in range(4):
        at = START + (10 + number) * MINUTE
        events += [typed(at), reply(f"t{number}", at + 1, (0, 240, 0, 70_120 + 240 * number, 200), text_chars=700)]
    each = found(traffic(history(line(*events))))["whatif/fresh-starts"]
    assert [row["context above"] for row in each.rows] == [25_000, 50_000]
    assert each.amount > 0


def test_nothing_recorded_nothing_found():
    assert found(traffic(history())) == {}
