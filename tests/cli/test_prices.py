import json
from decimal import Decimal


def test_one_model_with_its_tier_and_source(run):
    found = run("prices", "claude-haiku-5-5", "--at", "2026-11-20").output
    assert "claude-haiku-5-5             $0.10    $0.125     $0.20  $0.01   $0.50  2026-11-20" in found
    assert "over 100,000 tokens        $0.50" in found
    assert "in force at 2026-11-20 00:00 UTC." in found
    assert "source: " in found


def test_the_whole_list_names_each_model_once(run):
    found = json.loads(run("prices", "--json", "--at", "2026-11-20").stdout, parse_float=Decimal)
    names = [each["model"] for each in found["models"]]
    assert len(names) == len(set(names)) > 10
    assert all(each["source"] and each["checked"] for each in found["models"])
    opus = next(each for each in found["models"] if each["model"] == "claude-opus-5-5")
    assert opus["usd"]["output"] == 20


def test_the_users_own_price(run, home):
    (home / "config.toml").write_text('[prices."mine"]\ninput = "1"\noutput = "2.5"\n')
    assert "your configuration" in run("prices", "mine").output


def test_unknown_names_are_said(program):
    assert program("prices", "nope").stderr.startswith(
        "underspend: No price for nope. It would be unpriced, never free;"
    )
    assert "There are: anthropic, openai" in program("prices", "--provider", "nobody").stderr
    assert "Invalid value for --at" in program("prices", "--at", "soon").stderr
