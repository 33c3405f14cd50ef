"""What a page reads from the cart after a reserve."""

from __future__ import annotations

from typing import Any

from tests.support.shop import Shop, Shopper
from tests.support.summaries import PARKING, POSTER, price


def item_of(cart: Any, catalog_item_id: str = PARKING) -> Any:
    (item,) = (one for one in cart["items"] if one["catalogItemId"] == catalog_item_id)
    return item


def test_a_page_reads_from_the_cart_what_a_reserve_left_of_it(shop: Shop, shopper: Shopper) -> None:
    before = shopper.add(PARKING, 2)
    shopper.add(POSTER, 6)  # of five
    assert {"available", "lockedPrice", "reason"}.isdisjoint(item_of(before))
    shop.emulator.faults("reserve", price(15))
    quote = shopper.reserve()
    cart = shopper.cart()
    parking, poster = item_of(cart), item_of(cart, POSTER)
    assert (parking["status"], parking["quantity"], parking["unitPrice"]) == (
        "reserved",
        2,
        "12.50",
    )
    assert (parking["available"], parking["lockedPrice"], parking["reason"]) == (
        0,
        "15.00",
        "price_changed",
    )
    assert poster["available"] == 0
    assert "lockedPrice" not in poster
    assert cart["totals"] == quote["totals"] == {}

    taken = shopper.reserve(acceptPrices={parking["cartItemId"]: "15.00"})
    cart = shopper.cart()
    assert item_of(cart)["lockedPrice"] == "15.00"
    assert {"available", "reason"}.isdisjoint(item_of(cart))
    assert cart["totals"] == taken["totals"] == {"USD": "30.00"}
    assert {"available", "lockedPrice"}.isdisjoint(taken["items"][0])
    order = shopper.pay()
    assert {"available", "lockedPrice"}.isdisjoint(order["items"][0])


def test_the_cart_shows_how_many_of_a_line_can_be_had(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING, 3)
    shop.emulator.faults("reserve", {"kind": "grant_less", "quantity": 1})
    quote = shopper.reserve()
    item = item_of(shopper.cart())
    assert (item["quantity"], item["available"], item["reason"]) == (3, 1, "partly_reserved")
    assert shopper.cart()["totals"] == quote["totals"] == {"USD": "12.50"}
    changed = shopper.add(PARKING, 2)
    assert "available" not in item_of(changed), "that answer was for three"
    assert changed["totals"] == {"USD": "25.00"}
