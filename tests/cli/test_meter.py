import json
from decimal import Decimal

USAGE = {
    "input_tokens": 3,
    "cache_read_input_tokens": 100,
    "cache_creation_input_tokens": 10,
    "output_tokens": 7,
    "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6},
}
REPLY = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-5-5", "content": []}
BODY = json.dumps({**REPLY, "stop_reason": "end_turn", "usage": USAGE})


def metered(found):
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout, parse_float=Decimal)


def test_the_exact_bill(run):
    found = metered(run("meter", "--at", "2026-11-20", text=BODY))
    usage = {
        "input_tokens": 3,
        "cache_write_5m_tokens": 4,
        "cache_write_1h_tokens": 6,
        "cache_read_tokens": 100,
        "output_tokens": 7,
    }
    assert found == {
        "model": "claude-haiku-5-5",
        "usage": usage,
        "cost_usd": Decimal("0.0000065"),
        "evidence": "billed",
        "notes": [],
        "units": [
            {
                "kind": "message",
                "model": "claude-haiku-5-5",
                "usage": usage,
                "billed": True,
                "cost_usd": Decimal("0.0000065"),
            }
        ],
        "extras": [],
        "unpriced": [],
    }


def test_the_cost_is_a_plain_number_literal(run):
    assert '"cost_usd": 0.0000065,' in run("meter", "-", "--at", "2026-11-20", text=BODY).stdout


def test_an_unpriced_model_costs_null(run):
    found = metered(run("meter", "--model", "nobodys-model", text=BODY))
    assert (found["cost_usd"], found["units"][0]["cost_usd"]) == (None, None)
    assert (found["model"], found["unpriced"]) == ("nobodys-model", ["nobodys-model"])


def test_batch_is_half_price(run):
    assert metered(run("meter", "--batch", "--at", "2026-11-20", text=BODY))["cost_usd"] == Decimal("0.00000325")


def test_from_a_file(run, home):
    (home / "reply.json").write_text(BODY)
    assert metered(run("meter", str(home / "reply.json")))["usage"]["output_tokens"] == 7


def test_the_users_own_price_wins(run, home):
    (home / "config.toml").write_text('[prices."claude-haiku-5-5"]\ninput = "1"\noutput = "1"\n')
    assert metered(run("meter", text=BODY))["cost_usd"] == Decimal("0.00012")


def test_what_is_no_reply_is_one_line(program, home):
    (home / "x").write_text("hello")
    for name, says in (("x", "it is neither JSON nor a stream of server-sent events"), ("y", "No such file")):
        found = program("meter", str(home / name))
        assert found.returncode == 6
        assert says in found.stderr
        assert found.stderr.count("\n") == 1
