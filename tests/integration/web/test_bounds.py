"""Bounds and limits: lines, updates a second, currencies that a shop may set, other endpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.responses import problem_of, refused
from tests.support.shop import Shop, Shopper, ok, server_post
from tests.support.waiting import PATIENCE


def line(number: int, **change: Any) -> dict[str, Any]:
    return {
        "cartItemId": f"v1:x:{number}",
        "catalogItemId": f"offer-{number}",
        "name": "Offer",
        "description": "",
        "quantity": 1,
        "unitPrice": 1.25,
        "totalPrice": 1.25,
        "currency": "USD",
    } | change


def test_the_51st_line_is_refused_and_an_old_line_can_still_change(shopper: Shopper) -> None:
    for number in range(50):
        ok(shopper.update(line(number)))
    before = shopper.cart()
    assert len(before["items"]) == 50
    refused(shopper.update(line(50)), 422, "updatedItem.cartItemId")
    refused(shopper.post("/cart/updates", {"cartItem": line(50)}), 422, "cartItem.cartItemId")
    assert shopper.cart() == before
    ok(shopper.update(line(7, quantity=2, totalPrice=2.5)))
    ok(shopper.update(None, line(8)))
    assert len(ok(shopper.update(line(50)))["items"]) == 50


def test_the_texts_of_a_cart_have_an_end_together(shopper: Shopper) -> None:
    for number in range(13):
        ok(shopper.update(line(number, description="x" * 5000)))
    before = shopper.cart()
    refused(shopper.update(line(13, description="x" * 5000)), 422, "updatedItem.description")
    refused(shopper.post("/cart/updates", {"cartItem": line(13, description="x" * 5000)}), 422,
            "cartItem.description")  # fmt: skip
    assert shopper.cart() == before
    ok(shopper.update(line(13)))
    ok(shopper.update(line(3, quantity=2, totalPrice=2.5, description="x" * 5000)))
    ok(shopper.update(None, line(4)))
    ok(shopper.update(line(14, description="x" * 5000)))


def test_the_bounds_are_settings(make_shop: Callable[..., Shop]) -> None:
    shopper = make_shop(max_lines=1, max_quantity=3, max_body_bytes=2000).shopper()
    ok(shopper.update(line(1, quantity=3, totalPrice=3.75)))
    refused(shopper.update(line(1, quantity=4, totalPrice=5)), 422, "updatedItem.quantity")
    refused(shopper.update(line(2)), 422, "updatedItem.cartItemId")
    refused(shopper.update(line(1, name="x" * 2000)), 413, "body")


@pytest.mark.parametrize("sign", ["$", "", None])
def test_an_item_without_a_currency_has_the_shop_s_where_that_is_set(
    make_shop: Callable[..., Shop], sign: str | None
) -> None:
    shopper = make_shop(default_currency="CAD").shopper()
    cart = ok(shopper.update(line(1, currency=sign)))
    assert cart["totals"] == {"CAD": "1.25"}
    cart = ok(shopper.update(line(2, currency="JPY", unitPrice=100, totalPrice=100)))
    assert cart["totals"] == {"CAD": "1.25", "JPY": "100"}


def test_a_total_off_by_a_float_s_rounding_is_taken(shopper: Shopper) -> None:
    cart = ok(shopper.update(line(1, quantity=3, unitPrice=0.1, totalPrice=0.1 + 0.1 + 0.1)))
    assert cart["totals"] == {"USD": "0.30"}


def test_too_many_updates_a_second_are_told_when_to_come_again(
    make_shop: Callable[..., Shop],
) -> None:
    shop = make_shop(updates_per_second=3)
    shopper, other = shop.shopper(), shop.shopper()
    shopper.add()
    answers = [shopper.update(shopper.item(quantity=2)) for _ in range(10)]
    limited = next(answer for answer in answers if answer.status_code == 429)
    assert problem_of(limited, 429)["code"] == "rate_limited"
    assert limited.headers["Retry-After"] == "1"
    before = shopper.cart()
    other.add()  # one session's haste is not another's
    end = time.monotonic() + PATIENCE
    while (answer := shopper.update(shopper.item(quantity=4))).status_code == 429:
        assert shopper.cart() == before
        assert time.monotonic() < end
        time.sleep(float(answer.headers["Retry-After"]))
    assert ok(answer)["items"][0]["quantity"] == 4


@pytest.mark.parametrize(("path", "body", "field"), [
    ("/placements/any", {}, "pageIdentifier"),
    ("/cart/reserve", {"acceptPrices": {"a": "much"}}, "acceptPrices.a.value"),
    ("/cart/release", {"attributes": {"a": {}}}, "attributes.0.value"),
])  # fmt: skip
def test_the_other_calls_of_a_page_name_their_wrong_fields_too(
    shop: Shop, shopper: Shopper, path: str, body: dict[str, Any], field: str
) -> None:
    cart = shopper.add()
    refused(shopper.post(path, body), 422, field)
    assert shopper.cart() == cart
    assert shop.calls() == []


def test_a_wrong_order_is_refused_by_name(shop: Shop) -> None:
    refused(server_post(shop, "/orders", {}), 422, "handle", "orderId")
    refused(server_post(shop, "/orders", {"handle": "x", "orderId": 1001}), 422, "orderId")


def test_further_members_of_a_confirm_are_bounded(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    shopper.reserve()
    body = {"handle": shopper.handle, "orderId": "A"}
    wrong = body | {"extra": {"payment": {"a": "x" * 1001}}}
    refused(server_post(shop, "/orders", wrong), 422, "extra")
    assert shop.calls("confirm") == []
    extra = {f"m{n}".ljust(100, "m"): "x" * 1000 for n in range(49)} | {"list": list(range(50))}
    ok(server_post(shop, "/orders", body | {"extra": extra}))


def test_further_members_of_a_confirm_must_be_text_that_can_be_sent(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add()
    shopper.reserve()
    body = {"handle": shopper.handle, "orderId": "A"}
    extra = {"note": ["half a \ud83d pair"]}
    refused(server_post(shop, "/orders", body | {"extra": extra}), 422, "extra")
    assert shop.calls("confirm") == []
    ok(server_post(shop, "/orders", body | {"extra": {"note": "a whole \U0001f600"}}))
    (call,) = shop.calls("confirm")
    assert call["body"]["note"] == "a whole \U0001f600"
