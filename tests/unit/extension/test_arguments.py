"""What a shop's view passes to a verb: read in any form that is meant, refused by name else."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from bff.errors import InvalidInput
from bff.extension import arguments


@pytest.mark.parametrize("price", [True, "1_0", "\u0663", " 12.50", "1e1", "12,50", b"12", ["12"]])
def test_what_is_read_as_a_price_by_accident_is_no_consent(price: object) -> None:
    with pytest.raises(InvalidInput, match="a: must be a decimal number"):
        arguments.read_prices({"a": price})


@pytest.mark.parametrize("price", ["15.1", 15.1, Decimal("15.1")])
def test_a_price_may_be_taken_in_any_form_of_a_number(price: object) -> None:
    assert arguments.read_prices({"a": price, "b": 16}) == {"a": Decimal("15.1"), "b": 16}
    assert arguments.read_prices(None) == {}


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (lambda: arguments.read_prices([1]), "acceptPrices: must be cart item ids"),
        (lambda: arguments.read_prices({"a": None}), "acceptPrices.a: must be a decimal number"),
        (lambda: arguments.texts("country"), "attributes: must be texts"),
        (lambda: arguments.switch_or_none("isPayPalPayment", "yes"), "must be true or false"),
        (lambda: arguments.text_or_none("merchantId", 7), "merchantId: must be text"),
        (lambda: arguments.text("pageIdentifier", None), "pageIdentifier: must be text"),
        (lambda: arguments.order_id_text(None), "orderId: must be the order's id"),
        (lambda: arguments.order_id_text(True), "orderId: must be the order's id"),
        (lambda: arguments.order_id_text(b"7"), "orderId: must be the order's id, text"),
        (lambda: arguments.order_id_text(0), "orderId: must be the order's id"),
    ],
)
def test_an_argument_of_another_kind_is_refused_with_what_it_should_be(
    read: Callable[[], Any], told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        read()
