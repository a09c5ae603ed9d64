from underspend.gateway.recovery import settle_interrupted
from underspend.pricing.catalogue import catalogue
from underspend.stores.memory import MemoryLedger


class Clock:
    def now(self):
        return 99


class Left(MemoryLedger):
    def open_calls(self):
        return [
            {"id": "m", "endpoint": "messages", "model_sent": "claude-haiku-5-5", **COMMON},
            {"id": "t", "endpoint": "count_tokens", "model_sent": "claude-haiku-5-5", **COMMON},
            {"id": "u", "endpoint": "messages", "model_sent": "new-model", **COMMON},
        ]


COMMON = {"started_at": 1_795_160_000_000_000, "provider": "anthropic", "prompt_estimate": 200_000, "state": "open"}


def test_open_calls_are_settled_with_their_prompt_and_no_output():
    ledger = Left()
    assert settle_interrupted(ledger, catalogue(), Clock()) == 3
    calls = ledger.calls
    assert {row["state"] for row in calls.values()} == {"settled"}
    # Above 100,000 tokens Haiku 5.5 costs five times as much, also when it is only estimated.
    assert calls["m"]["cost_pico"] == 200_000 * 500_000
    assert (calls["t"]["cost_pico"], calls["t"]["input_tokens"]) == (0, 0)
    assert (calls["u"]["unpriced"], calls["u"]["cost_pico"]) == ("new-model", 0)
    assert {row["evidence"] for row in calls.values()} == {"estimated"}
