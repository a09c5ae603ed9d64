from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.usage import Lane
from underspend.pricing import table
from underspend.pricing.normalise import PROVIDERS
from underspend.pricing.table import Model, Rates, Row, Tier, read_sheet


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**6


LOW, MIDDLE, HIGH = Rates(1, 1, 1, 1, 1), Rates(2, 2, 2, 2, 2), Rates(3, 3, 3, 3, 3)


def test_the_highest_tier_exceeded_gives_every_rate() -> None:
    row = Row(LOW, tiers=(Tier(100, MIDDLE), Tier(200, HIGH)))
    assert [row.at_prompt(tokens) for tokens in (0, 100, 101, 200, 201)] == [LOW, LOW, MIDDLE, MIDDLE, HIGH]


def test_a_row_holds_from_since_up_to_until() -> None:
    row = Row(LOW, since=datetime(2026, 1, 2, tzinfo=UTC), until=datetime(2026, 1, 3, tzinfo=UTC))
    edges = ("2026-01-01T23:59:59.999999", "2026-01-02", "2026-01-02T23:59:59", "2026-01-03")
    assert [row.holds(instant(edge)) for edge in edges] == [False, True, True, False]


def test_hours_hold_on_their_weekdays_only() -> None:
    row = Row(LOW, hours=((60, 240),), days=(0, 1, 2, 3, 4), except_on=(datetime(2026, 10, 1, tzinfo=UTC).date(),))
    friday, saturday, holiday = "2026-11-20", "2026-11-21", "2026-10-01"
    times = [f"{friday}T00:59", f"{friday}T01:00", f"{friday}T03:59", f"{friday}T04:00"]
    assert [row.holds(instant(each)) for each in times] == [False, True, True, False]
    assert not row.holds(instant(f"{saturday}T02:00"))
    assert not row.holds(instant(f"{holiday}T02:00"))


def test_a_lane_is_asked_for_by_name() -> None:
    rates = Rates(1, 2, 3, 4, None)
    assert [rates.lane(lane) for lane in Lane] == [1, 2, 3, 4, None]
    assert rates.dearest_prompt == 4


def test_a_file_of_another_shape_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        read_sheet(b'{"provider":"x","source":"y","checked":"2026-01-01","models":[{"id":"m","rows":[]}]}')


def test_there_is_a_file_for_each_provider() -> None:
    assert len(PROVIDERS) == len(set(PROVIDERS)) == 15


MODELS = [
    model
    for provider in PROVIDERS
    for model in read_sheet((Path(table.__file__).with_name("data") / f"{provider}.json").read_bytes()).models
]
TIMES = st.integers(instant("2025-01-01"), instant("2027-06-01"))
PROMPTS = st.integers(0, 1_500_000)


@given(st.sampled_from(MODELS), TIMES, PROMPTS, st.integers(-(10**13), 10**13), PROMPTS)
def test_terms_are_the_rates_and_hold_as_long_as_they_say(
    model: Model, at: int, prompt: int, later: int, other: int
) -> None:
    terms = model.standard_terms(at, prompt)
    assert terms.rates == model.standard_rates(at, prompt)
    assert terms.since <= at < terms.until
    assert terms.above < prompt <= terms.most
    then = min(max(at + later, terms.since), terms.until - 1)
    assert model.standard_rates(then, min(max(other, terms.above + 1), terms.most)) == terms.rates


def test_a_row_by_the_hour_holds_for_the_asking_alone() -> None:
    model = Model(id="m", rows=(Row(LOW, hours=((0, 60),)), Row(HIGH)))
    at = instant("2026-11-20T00:59")
    assert (model.standard_terms(at).rates, model.standard_terms(at).until) == (LOW, at + 1)
    assert model.standard_terms(at + 60_000_000).rates == HIGH
