"""Quantities, prices, totals and currencies of an update: what is read, and what is refused."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.support.sdk_bodies import EUROS, item, read, wrong, wrong_item

# Numbers as Python's parser reads them: infinities, no number, thousands of digits.
ODD = ("1e400", "-1e400", "NaN", "9" * 4000)


@pytest.mark.parametrize("quantity", [2, 2.0, 999])
def test_a_whole_quantity_is_read(quantity: float) -> None:
    found = read({"updatedItem": item(quantity=quantity, totalPrice=None)}).item
    assert found is not None
    assert (found.quantity, type(found.quantity)) == (quantity, int)


@pytest.mark.parametrize(
    "quantity",
    ["2", True, None, [], {}, 2.5, 0.5, -1, -0.5, 1000, 1e22, 10**400, *map(json.loads, ODD)],
    ids=lambda value: repr(value)[:12],
)
def test_a_bad_quantity_is_refused_by_name(quantity: object) -> None:
    assert "updatedItem.quantity" in wrong_item(quantity=quantity, totalPrice=None)


@pytest.mark.parametrize(
    "price",
    [
        "12.5",
        True,
        None,
        -1,
        -0.01,
        12.505,
        0.1 + 0.2,
        1e-300,
        1e22,
        10**400,
        *map(json.loads, ODD),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_a_bad_price_is_refused_by_name(price: object) -> None:
    assert wrong_item(unitPrice=price, totalPrice=None) == ["updatedItem.unitPrice"]


@pytest.mark.parametrize("total", ["25", False, 24.99, 25.01, 12.5, 0, -25, 1e22, 10**400])
def test_a_total_that_is_not_unit_times_quantity_is_refused_by_name(total: object) -> None:
    assert wrong_item(totalPrice=total) == ["updatedItem.totalPrice"]


def test_a_total_with_a_floats_rounding_is_good_and_the_exact_one_counts() -> None:
    found = read({"updatedItem": item(quantity=3, unitPrice=0.1, totalPrice=0.1 * 3)}).item
    assert found is not None
    assert found.total_price == Decimal("0.3")


def test_a_price_of_nothing_has_no_sign() -> None:
    found = read({"updatedItem": item(unitPrice=-0.0, totalPrice=-0.0)}).item
    assert found is not None
    assert str(found.unit_price).startswith("0")


@pytest.mark.parametrize("currency", ["$", "", None])
def test_no_currency_is_refused_with_the_cure_or_takes_the_default(currency: str | None) -> None:
    body = {"updatedItem": item(currency=currency)}
    (message,) = wrong(body)["updatedItem.currency"]
    assert "ROKT_BFF_DEFAULT_CURRENCY is not set" in message
    found = read(body, EUROS).item
    assert found is not None
    assert found.currency == "EUR"


@pytest.mark.parametrize("currency", ["usd", "US$", "ZZZ", "XAU", 840, True, "USD" * 9, "\ud800"])
def test_an_unknown_currency_is_refused_also_with_a_default(currency: object) -> None:
    assert wrong_item(EUROS, currency=currency) == ["updatedItem.currency"]


@pytest.mark.parametrize(("price", "currency"), [(12.5, "JPY"), (0.0001, "BHD"), (12.345, "USD")])
def test_digits_beyond_the_currency_are_refused(price: float, currency: str) -> None:
    assert wrong_item(unitPrice=price, currency=currency, totalPrice=None) == [
        "updatedItem.unitPrice"
    ]
