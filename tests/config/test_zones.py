from __future__ import annotations

import time

import pytest

from underspend.config.zones import budget_zone
from underspend.core.errors import ConfigError
from underspend.core.windows import DAY, HOUR, MINUTE, day_of

SUMMER, WINTER = day_of(2026, 7, 1) * DAY, day_of(2026, 1, 1) * DAY


def test_a_zone_knows_its_offset_at_each_instant() -> None:
    berlin = budget_zone("Europe/Berlin")
    assert (berlin.offset(SUMMER), berlin.offset(WINTER)) == (2 * HOUR, HOUR)
    assert budget_zone("Asia/Kathmandu").offset(SUMMER) == 5 * HOUR + 45 * MINUTE
    assert budget_zone("America/New_York").offset(WINTER) == -5 * HOUR


def test_without_a_name_it_is_the_machines() -> None:
    assert budget_zone("").name == "local time"
    assert budget_zone("").offset(WINTER) == time.localtime(WINTER // 1_000_000).tm_gmtoff * 1_000_000


@pytest.mark.parametrize("name", ["Europe/Atlantis", "../etc/passwd", "Europe"])
def test_another_name_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match="this zone is not known"):
        budget_zone(name)
