from hypothesis import given

from advisors.histories_by_hand import HAIKU, OPUS, SONNET, history, line, look, reply, typed, usage
from advisors.random_histories import histories
from underspend.advisors.dear_models import DearModels
from underspend.core.advisor import Confidence, Urgency
from underspend.core.call import Role

TOKENS = {"w5m": 10_000, "out": 1000}
"""$0.07 on Opus 5.5, $0.035 on Sonnet 5.5, $0.00175 on Haiku 5.5."""


def explorer(name, model=OPUS, **tokens):
    return line(
        reply(name, usage(**(tokens or TOKENS)), model=model, tools=("Read",)), agent=name, agent_type="Explore"
    )


def test_exploring_sub_agents_a_step_down_and_at_the_cheapest():
    found = look(DearModels, history(explorer("a"), explorer("b")))
    assert set(found) == {"dear-models/exploring-agents"}
    one = found["dear-models/exploring-agents"]
    assert one.amount == 2 * 35 * 10**9
    assert one.title == "Exploring sub-agents ran on dear models: $0.0700 to $0.136 could be saved"
    assert one.urgency is Urgency.FIX_NOW
    assert one.confidence is Confidence.MEDIUM
    assert "CLAUDE_CODE_SUBAGENT_MODEL" in one.fix
    row = one.rows[0]
    assert (row["runs"], row["cheaper"], row["would"], row["would_equal"]) == (2, SONNET, "$0.0700", "200 %")
    assert (row["cheapest"], row["saves_at_most"]) == (HAIKU, "$0.136")


def test_background_calls_and_sessions_that_only_read():
    side = line(reply("t", usage(fresh=1000, out=10)), role=Role.SIDE)
    asked = line(reply("q", usage(**TOKENS), tools=("Grep",)), session="q")
    found = look(DearModels, history(side, asked))
    assert found["dear-models/background"].amount == 1000 * 2_000_000 + 10 * 10_000_000
    assert "ANTHROPIC_DEFAULT_HAIKU_MODEL" in found["dear-models/background"].fix
    assert found["dear-models/reading-sessions"].amount == 35 * 10**9
    assert found["dear-models/reading-sessions"].confidence is Confidence.LOW
    assert found["dear-models/reading-sessions"].urgency is Urgency.HABIT


def test_work_that_changes_things_is_left_alone():
    assert look(DearModels, history(line(reply("m", usage(**TOKENS), tools=("Read", "Edit"))))) == {}
    assert look(DearModels, history(explorer("a", HAIKU))) == {}


def test_a_timeline_with_two_models_is_left_alone():
    mixed = line(reply("a", usage(**TOKENS), tools=("Read",)), reply("b", usage(**TOKENS), model=SONNET), agent="a")
    assert look(DearModels, history(mixed)) == {}


def test_the_users_own_runs_speak_against_it():
    """On Sonnet the same exploring took so many more tokens that it cost as much."""
    there = [explorer(f"s{number}", SONNET, w5m=20_000, out=2000) for number in range(3)]
    found = look(DearModels, history(explorer("a"), *there))
    row = found["dear-models/no-gain"].rows[0]
    assert (row["model"], row["a_run"], row["cheaper"], row["a_run_there"]) == (OPUS, "$0.0700", SONNET, "$0.0700")
    assert row["because"] == "your 3 runs there cost that"
    assert found["dear-models/no-gain"].urgency is Urgency.FYI
    # Sonnet's own runs can still go down to Haiku.
    assert [row["model"] for row in found["dear-models/exploring-agents"].rows] == [SONNET]
    two = look(DearModels, history(explorer("a"), *there[:2]))
    assert "dear-models/no-gain" not in two


def test_a_cache_that_the_other_model_does_not_keep():
    """Below 512 tokens nothing is cached: on Sonnet reads at $0.20 would be input at $2."""
    tiny = explorer("a", read=400)
    found = look(DearModels, history(tiny))
    assert "dear-models/no-gain" not in found  # Haiku's input at $0.10 is still less
    assert found["dear-models/exploring-agents"].rows[0]["cheaper"] == HAIKU
    only = look(DearModels, history(explorer("a", SONNET, read=400)))
    assert only["dear-models/no-gain"].rows[0]["because"] == "the same tokens cost that"


def test_a_switch_within_a_session():
    big = line(
        reply("e", usage(read=100_000, w5m=500, out=100), tools=("Edit",)),
        typed(),
        reply("r", usage(read=100_000, w5m=500, out=100), tools=("Read",)),
    )
    found = look(DearModels, history(big))["dear-models/mid-session"]
    assert found.amount == 0
    assert found.title.startswith("Not recommended: switching models for 1 turns that only read would have cost $")
    # paid 0.02 + 0.0025 + 0.002; on Sonnet 100,500 written at 2.5 and 100 out at 10, then 500 written again at 5
    assert (found.rows[0]["paid"], found.rows[0]["would"]) == ("$0.0245", "$0.255")


@given(histories())
def test_any_history(past):
    look(DearModels, past)
    assert look(DearModels, history()) == {}
