import json
from types import SimpleNamespace

from doubles import Upstream, body, pipeline

from underspend.core.call import Call, Identity, Role
from underspend.core.plan import Plan
from underspend.core.reply import Outcome
from underspend.core.usage import Metered, Unit, Usage
from underspend.gateway.books import guessed
from underspend.gateway.entries import End

CALL = Call(
    id="c1",
    time=1_795_160_000_000_000,
    provider="anthropic",
    endpoint="messages",
    model="claude-opus-5-5",
    max_output=10**12,
    prompt_tokens=1000,
    identity=Identity(session="s" * 500, role=Role.MAIN),
)


def books():
    return pipeline(Upstream([])).books


def metered(model="claude-opus-5-5", **changes):
    usage = Usage(input=10, cache_write_5m=20, cache_write_1h=30, cache_read=40, output=50)
    made = {"provider": "anthropic", "model": model, "units": (Unit("message", usage),), "reported": usage}
    return Metered(**{**made, **changes})


def settled(end, call=CALL, *, plan=None, forwarded=True, holding=None):
    made = books()
    made.holding = holding
    entry = made.open(plan or Plan(asked=call, call=call), prompt=None, body=body())
    entry.forwarded = forwarded
    made.settle(entry, end)
    return made, made.ledger.settlements[call.id]


def test_lanes_lines_and_total_agree():
    _, made = settled(End(outcome=Outcome.OK, status=200, metered=metered()))
    row = made.call
    lanes = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
    assert [row[f"{lane}_tokens"] for lane in lanes] == [10, 20, 30, 40, 50]
    assert [row[f"{lane}_pico"] for lane in lanes] == [
        10 * 4_000_000,
        20 * 5_000_000,
        30 * 8_000_000,
        40 * 200_000,
        50 * 20_000_000,
    ]
    assert row["cost_pico"] == sum(line["amount_pico"] for line in made.lines) == row["without_us_pico"]


def test_an_end_that_was_never_seen_is_estimated_from_the_request():
    for outcome in (Outcome.ABORTED, Outcome.CUT, Outcome.INTERRUPTED):
        _, made = settled(End(outcome=outcome))
        assert (made.call["evidence"], made.call["input_tokens"]) == ("estimated", 1000)
        assert "estimated" in json.loads(made.call["notes"])[0]


def test_what_was_not_forwarded_or_was_refused_upstream_costs_nothing():
    for end, forwarded in ((End(outcome=Outcome.ABORTED), False), (End(outcome=Outcome.ERROR, status=500), True)):
        _, made = settled(end, forwarded=forwarded)
        assert (made.call["cost_pico"], made.call["evidence"]) == (0, "billed")


def test_budgets_count_an_unknown_model_at_the_dearest_known_price():
    counted = []
    holding = SimpleNamespace(settle=lambda call, amount, *, sent: counted.append(amount))
    _, settlement = settled(End(outcome=Outcome.OK, status=200, metered=metered("claude-next")), holding=holding)
    assert settlement.call["cost_pico"] == 0
    assert settlement.call["unpriced"] == "claude-next"
    opus = 10 * 4_000_000 + 50 * 20_000_000
    assert counted[0] > opus


def test_the_ratio_of_bytes_to_tokens_is_learned_from_whole_replies_only():
    made = books()
    before = made.calibration.tokens("claude-opus-5-5", 10_000)
    call = Call(**{**{f: getattr(CALL, f) for f in CALL.__slots__}, "size": 10_000})
    usage = Usage(input=5_000, output=1)
    for complete in (False, True):
        entry = made.open(Plan(asked=call, call=call), prompt=None, body=None)
        reply = metered(units=(Unit("message", usage),), reported=usage, complete=complete)
        made.settle(entry, End(outcome=Outcome.OK, status=200, metered=reply))
        learned = made.calibration.tokens("claude-opus-5-5", 10_000)
        assert learned == (5_000 if complete else before)


def test_a_guess_says_that_it_is_one():
    made = guessed(CALL)
    assert (made.complete, made.usage) == (False, Usage(input=1000))
