from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.money import PICO_PER_DOLLAR, from_usd, scale, show, to_usd

MONEY = st.integers(-(10**24), 10**24)


@given(MONEY)
def test_dollars_and_back(money: int) -> None:
    assert from_usd(to_usd(money)) == money
    assert from_usd(str(to_usd(money))) == money


@given(st.decimals(-(10**9), 10**9, places=15))
def test_an_amount_is_exact_or_refused(usd: Decimal) -> None:
    exact = Fraction(usd) * PICO_PER_DOLLAR
    if exact.denominator == 1:
        assert from_usd(usd) == exact
    else:
        with pytest.raises(ValueError, match="finer than a pico-dollar"):
            from_usd(usd)


@pytest.mark.parametrize("usd", ["0.0000000000001", "1.00000000000000000000000000000001", Decimal("1e-13")])
def test_what_is_finer_than_a_pico_dollar_is_refused(usd: str | Decimal) -> None:
    with pytest.raises(ValueError, match="finer than a pico-dollar"):
        from_usd(usd)


@pytest.mark.parametrize("usd", ["", "ten", "NaN", "Infinity", "-inf", "1e999999999", "1e5000"])
def test_what_is_no_amount_is_refused(usd: str) -> None:
    with pytest.raises(ValueError, match="no amount of dollars"):
        from_usd(usd)


@given(st.text())
def test_any_text_is_an_amount_or_a_value_error(text: str) -> None:
    try:
        money = from_usd(text)
    except ValueError:
        return
    assert to_usd(money) == Decimal(text)


@given(money=MONEY, numerator=st.integers(-(10**6), 10**6), denominator=st.integers(1, 10**6))
def test_scaling_rounds_halves_to_even(money: int, numerator: int, denominator: int) -> None:
    assert scale(money, numerator, denominator) == round(Fraction(money * numerator, denominator))


@pytest.mark.parametrize(("money", "half"), [(1, 0), (3, 2), (5, 2), (-1, 0), (-3, -2), (7, 4)])
def test_known_halves(money: int, half: int) -> None:
    assert scale(money, 1, 2) == half


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        ("0", "$0.00"),
        ("0.000000000001", "$0.00000000000100"),
        ("0.000762", "$0.000762"),
        ("0.0007625", "$0.000762"),
        ("0.05", "$0.0500"),
        ("0.209637", "$0.210"),
        ("0.9994", "$0.999"),
        ("0.9996", "$1.00"),
        ("0.09996", "$0.100"),
        ("1", "$1.00"),
        ("1.005", "$1.00"),
        ("12.345", "$12.34"),
        ("9999.99", "$9,999.99"),
        ("9999.996", "$10,000"),
        ("10000", "$10,000"),
        ("1234567.89", "$1,234,568"),
        ("-0.209637", "−$0.210"),
        ("-12.3", "−$12.30"),
        ("-12345", "−$12,345"),
    ],
)
def test_shown_for_people(usd: str, shown: str) -> None:
    assert show(from_usd(usd)) == shown


@given(MONEY)
def test_shown_is_near_and_says_its_sign(money: int) -> None:
    shown = show(money)
    value = Decimal(shown.replace("−", "-").replace("$", "").replace(",", ""))
    assert abs(value - to_usd(money)) <= max(abs(to_usd(money)) / 200, 0)
    assert shown.startswith("−") == (money < 0)
    assert show(-money).lstrip("−") == shown.lstrip("−")


@pytest.mark.parametrize(
    ("money", "usd"), [(10**12, "1"), (10**13, "10"), (15 * 10**11, "1.5"), (0, "0"), (1, "1E-12")]
)
def test_to_usd_has_no_trailing_zeros(money: int, usd: str) -> None:
    assert str(to_usd(money)) == usd
