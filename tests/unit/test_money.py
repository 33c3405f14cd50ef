"""Amounts are decimals of a currency, and a browser's floats are read as they were meant."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.money import (
    MAX_AMOUNT,
    has_minor_digits,
    is_currency,
    minor_digits,
    read_amount,
    same_to_rounding,
    to_minor,
)


@pytest.mark.parametrize(
    ("number", "meant"),
    [
        (0.1, "0.1"),
        (12.5, "12.5"),
        (9.99, "9.99"),
        (37, "37"),
        (0.30000000000000004, "0.30000000000000004"),
        (1e-7, "0.0000001"),
        (1e9, "1000000000"),
    ],
)
def test_a_float_is_read_by_its_shortest_form(number: float, meant: str) -> None:
    assert read_amount(number) == Decimal(meant)


@given(st.integers(0, 99_999_999_999))
@settings(max_examples=120, deadline=None)
def test_every_price_in_cents_survives_the_way_through_a_float(cents: int) -> None:
    price = Decimal(cents).scaleb(-2)
    assert read_amount(float(price)) == price


def test_a_minus_zero_is_a_zero_without_a_sign() -> None:
    assert str(to_minor(read_amount(-0.0), "USD")) == "0.00"


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (float("nan"), "finite"),
        (float("inf"), "finite"),
        (float("-inf"), "finite"),
        (Decimal("sNaN"), "finite"),
        (-0.01, "negative"),
        (-(10**400), "negative"),
        (1e22, "exceed"),
        (10**400, "exceed"),
        (MAX_AMOUNT + 1, "exceed"),
        (1_000_000_000.01, "exceed"),
    ],
)
def test_what_is_no_amount_is_refused_with_the_reason(number: float, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_amount(number)


@pytest.mark.parametrize(
    ("currency", "digits"), [("USD", 2), ("EUR", 2), ("JPY", 0), ("BHD", 3), ("CLF", 4)]
)
def test_minor_digits_are_those_of_iso_4217(currency: str, digits: int) -> None:
    assert is_currency(currency)
    assert minor_digits(currency) == digits


@pytest.mark.parametrize("code", ["$", "", "usd", "US", "USDX", "XAU", "XXX", "XTS", "USD "])
def test_what_nothing_is_sold_in_is_no_currency(code: str) -> None:
    assert not is_currency(code)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [("12.5", "USD", "12.50"), ("12", "JPY", "12"), ("1.5", "BHD", "1.500"), ("0", "USD", "0.00")],
)
def test_an_amount_has_all_digits_of_its_currency(amount: str, currency: str, text: str) -> None:
    assert str(to_minor(Decimal(amount), currency)) == text


@pytest.mark.parametrize(
    ("amount", "currency", "fits"),
    [
        ("12.50", "USD", True),
        ("12.500", "USD", True),
        ("12.505", "USD", False),
        ("0.30000000000000004", "USD", False),
        ("12.5", "JPY", False),
        ("1E+3", "JPY", True),
        ("0.125", "BHD", True),
        ("1E-300", "USD", False),
    ],
)
def test_digits_beyond_the_currency_are_seen(amount: str, currency: str, fits: bool) -> None:
    assert has_minor_digits(Decimal(amount), currency) is fits


@pytest.mark.parametrize(
    ("claimed", "exact", "currency", "same"),
    [
        ("0.30000000000000004", "0.30", "USD", True),
        ("0.304999", "0.30", "USD", True),
        ("0.305", "0.30", "USD", False),
        ("0.31", "0.30", "USD", False),
        ("0.29", "0.30", "USD", False),
        ("0.3001", "0.300", "BHD", True),
        ("0.3005", "0.300", "BHD", False),
        ("300.4", "300", "JPY", True),
        ("301", "300", "JPY", False),
    ],
)
def test_less_than_half_a_minor_unit_is_a_floats_rounding(
    claimed: str, exact: str, currency: str, same: bool
) -> None:
    assert same_to_rounding(Decimal(claimed), Decimal(exact), currency) is same


@given(st.integers(0, 100_000), st.integers(1, 999))
@settings(max_examples=120, deadline=None)
def test_a_browsers_product_is_the_same_and_a_cent_more_is_not(cents: int, quantity: int) -> None:
    exact = Decimal(cents).scaleb(-2) * quantity
    assert same_to_rounding(read_amount(cents / 100 * quantity), exact, "USD")
    assert not same_to_rounding(exact + Decimal("0.01"), exact, "USD")
