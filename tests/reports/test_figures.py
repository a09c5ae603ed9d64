import pytest

from underspend.reports import figures
from underspend.reports.entry import entry
from underspend.reports.sums import Sums

DOLLAR = 10**12


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (12_345, "12.3k"),
        (999_999, "1M"),
        (4_560_000, "4.56M"),
        (2 * 10**9, "2B"),
    ],
)
def test_tokens(count, shown):
    assert figures.tokens(count) == shown


def test_a_very_large_count_keeps_its_digits():
    assert figures.tokens(1_234 * 10**9) == "1,234B"


@pytest.mark.parametrize(
    ("amount", "shown"), [(0, "$0.00"), (12 * DOLLAR // 10, "$1.20"), (-5 * DOLLAR // 100, "−$0.0500")]
)
def test_a_saving_below_zero_made_it_dearer(amount, shown):
    assert figures.saved(amount) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(1, "$0.000000000001"), (2 * DOLLAR, "$2.00"), (5 * DOLLAR // 2, "$2.50"), (-3 * DOLLAR, "−$3.00"), (0, "$0.00")],
)
def test_exact(amount, shown):
    assert figures.exact(amount) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"), [(1, 0, "—"), (0, 5, "0%"), (5, 5, "100%"), (1, 3, "33.3%"), (1, 10**6, "<0.1%")]
)
def test_share(part, whole, shown):
    assert figures.share(part, whole) == shown


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [
        (5, 0, None),
        (112, 100, "+12%"),
        (92, 100, "−8%"),
        (100, 100, "±0%"),
        (320, 100, "×3.2"),
        (10**6, 1, "×1,000,000"),
    ],
)
def test_change(now, before, shown):
    assert figures.change(now, before) == shown


@pytest.mark.parametrize(
    ("us", "shown"),
    [
        (None, "—"),
        (850, "850 µs"),
        (12_000, "12.0 ms"),
        (1_500_000, "1.50 s"),
        (125_000_000, "2 min 05 s"),
        (7_500_000_000, "2 h 05 min"),
    ],
)
def test_length(us, shown):
    assert figures.length(us) == shown


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"cost_pico": DOLLAR}, "$1.00"),
        ({"cost_pico": 0, "unpriced": "m"}, "unpriced"),
        ({"cost_pico": DOLLAR, "unpriced": "m"}, "$1.00 + unpriced"),
    ],
)
def test_an_unknown_price_is_never_zero(row, shown):
    assert figures.paid(entry({"id": "a", "started_at": 0, **row})) == shown


def test_an_edit_in_its_own_words_or_by_name():
    assert figures.edit("SetModel", "model → x") == "model → x"
    assert figures.edit("DropBlocks", None) == "drop blocks"


def test_evidence_mix():
    assert figures.evidence_mix(Sums()) == "—"
    mixed = Sums(paid=100, evidence={"billed": 97, "estimated": 3})
    assert figures.evidence_mix(mixed) == "97.0% billed, 3.0% estimated"


def test_answered_calls_in_words():
    said = figures.answered(Sums(answered=1, spared=10**10))
    assert (
        said == "1 call got a kept reply, at no cost; the provider would have billed $0.0100 at the least (estimated)"
    )
    assert figures.answered(Sums(answered=2)).startswith("2 calls got")
