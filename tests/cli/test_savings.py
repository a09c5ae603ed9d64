import json
from decimal import Decimal

from sqlalchemy import insert

from reports.ledger_rows import add_call, add_decision
from underspend.stores.schema import effects

SHOWN = """\
Billed     $0.125 for 3 calls.
Simulated  $1.11 without us: $0.986 saved (88.7%).

strategy    edits   saved
cold_prune      0  $0.986
Each against a world without it, with a prompt cache of its own. Below zero it cost more.

Measured   nothing yet: no session was left alone. [proof] holdout = 0.1 leaves one in ten.
"""


def add_effect(engine):
    with engine.begin() as connection:
        connection.execute(
            insert(effects).values(call_id="aaaa1111", strategy="cold_prune", saved_pico=985_600_000_000)
        )


def test_three_figures_as_people_see_them(run, filled):
    add_effect(filled)
    found = run("savings")
    assert found.exit_code == 0
    assert "".join(f"{line.rstrip()}\n" for line in found.output.splitlines()) == SHOWN


def test_nothing_recorded(run, ledger):
    assert "No calls here yet" in run("savings").output


def test_json(run, filled):
    found = json.loads(run("savings", "--json").stdout, parse_float=Decimal)
    assert found["billed"]["paid_usd"] == Decimal("0.12543")
    assert found["simulated"]["by_strategy"] == []


def test_sessions_left_alone(run, filled):
    for n in range(6):
        for side, held_out in (("acted", None), ("alone", True)):
            name = f"{side}{n}"
            add_call(filled, name, "2026-11-20T12:00:00+00:00", (n, 0, 0, 0, 9), session=name, held_out=held_out)
    output = run("savings").output
    assert "left alone" in output
    assert "saved a turn (95 %:" in output


def test_what_the_router_noted(run, filled):
    add_decision(
        filled, "bbbb2222", strategy="auto_model", applied=False, before_pico=2 * 10**12, after_pico=5 * 10**11
    )
    assert "1 change of model that routing would have made; expected to save $1.50." in run("savings").output
    assert json.loads(run("savings", "--json").stdout)["noted"] == {"times": 1, "expected_usd": 1.5}
