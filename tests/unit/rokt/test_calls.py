"""The bodies of the calls: what the documentation has, and what a shop adds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bff.rokt.calls import Call, release_call
from tests.support.emulator_client import PARKING
from tests.support.rokt_calls import ask, confirm, reserve, row

HELD = row(
    {
        "cartItemId": PARKING,
        "itemReservationId": "rokt_item_reservation_id.1",
        "quantity": 2,
        "unitPrice": 12.5,
        "totalPrice": 25.0,
        "currency": "USD",
    },
    2,
)


@pytest.mark.parametrize("make", [ask, reserve, confirm])
def test_the_shoppers_language_is_passed_on(make: Callable[..., Call]) -> None:
    assert make(accept_language="de-CH").headers["Accept-Language"] == "de-CH"
    assert "Accept-Language" not in make().headers


def test_attributes_are_passed_on() -> None:
    attributes = {"eventId": "77", "venueName": "Zürich Hallenstadion"}
    release = release_call(
        cart_id="cart-1", rows=[HELD], rokt_session_id="rokt-session", attributes=attributes
    )
    for call in (
        ask(attributes=attributes),
        reserve(attributes=attributes),
        confirm(attributes=attributes),
        release,
    ):
        assert call.document()["attributes"] == attributes


def test_paypal_members_are_sent_only_when_set() -> None:
    body = reserve(is_paypal_payment=True, merchant_id="merchant-9").document()
    assert (body["isPayPalPayment"], body["merchantId"]) == (True, "merchant-9")
    assert reserve(is_paypal_payment=False).document()["isPayPalPayment"] is False
    assert set(reserve().document()) == {"cartId", "items"}


def test_a_confirm_has_the_fullest_documented_items() -> None:
    assert confirm(HELD).document() == {
        "cartId": "cart-1",
        "orderId": "order-1",
        "items": [
            {
                "cartItemId": PARKING,
                "catalogItemId": "parking.standard",
                "quantity": 2,
                "currency": "USD",
                "unitPrice": 12.5,
                "totalPrice": 25,
                "itemReservationId": "rokt_item_reservation_id.1",
            }
        ],
    }


def test_further_members_of_a_confirm_are_added_and_replace_none_of_ours() -> None:
    extra = {"paymentType": "card", "totals": {"net": 3}, "orderId": "forged", "items": ["x"]}
    body = confirm(extra=extra).document()
    assert body["paymentType"] == "card"
    assert body["totals"] == {"net": 3}
    assert (body["orderId"], body["items"]) == ("order-1", [])
