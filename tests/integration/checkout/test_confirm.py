"""Confirm against the emulator: what a paid order buys, and what becomes of the cart."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from bff.cart.order import Purchase
from tests.support.interference import after_call, at_once
from tests.support.shop import Shop, Shopper, server_post
from tests.support.summaries import (
    PARKING,
    POSTER,
    alarms,
    at_rokt,
    bought,
    fulfilled,
    price,
    statuses,
)

MakeShop = Callable[..., Shop]


def pay_again(shop: Shop, shopper: Shopper, order_id: str, **more: Any) -> Any:
    body = {"handle": shopper.handle, "orderId": order_id} | more
    return server_post(shop, "/orders", body)


def test_what_was_quoted_is_confirmed_not_the_cart_as_it_is_by_then(
    shop: Shop, shopper: Shopper
) -> None:
    before = shopper.add(PARKING)
    quote = shopper.reserve()
    shopper.add(PARKING, 3)
    shopper.add(POSTER)
    order = shopper.pay()
    assert bought(order) == {PARKING: (1, "confirmed")}
    assert order["totals"] == quote["totals"] == {"USD": "12.50"}
    assert [line["quantity"] for line in shop.calls("confirm")[0]["body"]["items"]] == [1]
    after = shopper.cart()  # rule 9: a new cart, of what was changed or added since
    assert after["cartId"] != before["cartId"]
    assert [(item["catalogItemId"], item["quantity"]) for item in after["items"]] == [
        (PARKING, 3),
        (POSTER, 1),
    ]
    assert statuses(after) == {PARKING: "held", POSTER: "held"}
    assert shopper.reserve()["cartId"] == after["cartId"]


def test_what_was_bought_leaves_the_cart(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.add(POSTER)
    shop.emulator.faults("reserve", {"kind": "reject", "catalogItemIds": [POSTER]})
    shopper.reserve()
    assert bought(shopper.pay()) == {PARKING: (1, "confirmed")}
    assert shopper.cart()["items"] == []
    assert [told["order"].order_id for told in shop.heard.of("confirmed")] == ["order-1"]


def test_the_same_order_again_changes_nothing(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    order = shopper.pay()
    shopper.add(POSTER)
    shopper.reserve()
    assert shopper.pay() == order
    assert len(shop.calls("confirm")) == 1
    assert statuses(shopper.cart()) == {POSTER: "reserved"}


def test_the_same_order_many_times_at_once_is_one_order(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    handle = shopper.handle
    purchase = Purchase(order_id="order-1", quote_id=None, attributes={}, extra={})
    orders = at_once([lambda: shop.parts.checkout.record(handle, purchase)[0]] * 6)
    assert {order.status for order in orders} <= {"confirmed", "confirming"}
    assert len(shop.calls("confirm")) == fulfilled(shop) == 1


def test_an_order_of_another_session_is_a_conflict(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shopper.pay("order-1")
    other = shop.shopper()
    other.add(POSTER)
    other.reserve()
    refused = pay_again(shop, other, "order-1")
    assert (refused.status_code, refused.json["code"]) == (409, "foreign_order")
    assert statuses(other.cart()) == {POSTER: "reserved"}


def test_a_named_older_quote_buys_what_it_says(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    older = shopper.reserve()
    shopper.add(POSTER)
    shopper.reserve()
    assert bought(shopper.pay(quoteId=older["quoteId"])) == {PARKING: (1, "confirmed")}
    assert at_rokt(shop) == [(PARKING, 1, "confirmed"), (POSTER, 1, "released")]
    assert statuses(shopper.cart()) == {POSTER: "held"}


def test_a_quote_that_the_session_never_had_is_not_found(shop: Shop, shopper: Shopper) -> None:
    other = shop.shopper()
    other.add(POSTER)
    foreign = other.reserve()["quoteId"]
    shopper.add(PARKING)
    shopper.reserve()
    for quote_id in (foreign, "5f0c64dc-8d44-4d5e-9c1c-111111111111"):
        refused = pay_again(shop, shopper, "order-1", quoteId=quote_id)
        assert (refused.status_code, refused.json["code"]) == (404, "quote_not_found")
    assert bought(shopper.pay("order-1")) == {PARKING: (1, "confirmed")}


def test_a_quote_that_was_paid_twice_needs_a_refund_and_raises_an_alarm(
    shop: Shop, shopper: Shopper, caplog: pytest.LogCaptureFixture
) -> None:
    shopper.add(PARKING)
    quote_id = shopper.reserve()["quoteId"]
    shopper.pay("order-1", quoteId=quote_id)
    with caplog.at_level(logging.ERROR, "bff"):
        second = shopper.pay("order-2", quoteId=quote_id)
    assert second["status"] == "refund_needed"
    assert bought(second) == {PARKING: (1, "refund_needed")}
    assert second["totals"] == {"USD": "12.50"}
    assert "another order" in second["lastError"]
    assert alarms(shop) == ["order-2"]
    assert "order-2" in caplog.text
    assert len(shop.calls("confirm")) == fulfilled(shop) == 1
    shopper.pay("order-2", quoteId=quote_id)
    assert alarms(shop) == ["order-2"]  # repeating it is no second alarm


def test_a_repetition_that_names_another_quote_than_was_recorded_is_a_conflict(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    assert shopper.pay("order-1")["items"] == []  # paid before there was a quote
    quote_id = shopper.reserve()["quoteId"]
    refused = pay_again(shop, shopper, "order-1", quoteId=quote_id)
    assert (refused.status_code, refused.json["code"]) == (409, "other_quote")
    assert statuses(shopper.cart()) == {PARKING: "reserved"}
    assert pay_again(shop, shopper, "order-1").status_code == 200
    assert bought(shopper.pay("order-2", quoteId=quote_id)) == {PARKING: (1, "confirmed")}
    assert shop.calls("confirm")[0]["body"]["orderId"] == "order-2"


def test_the_next_order_without_a_quote_has_no_upsell(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shopper.pay("order-1")
    order = shopper.pay("order-2")
    assert (order["status"], order["items"]) == ("confirmed", [])
    assert alarms(shop) == []


@pytest.mark.parametrize("every", [False, True])
def test_an_order_without_an_upsell_is_told_only_where_wanted(
    make_shop: MakeShop, every: bool
) -> None:
    shop = make_shop(confirm_every_order=every)
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.remove(PARKING)
    order = shopper.pay()
    assert (order["status"], order["items"]) == ("confirmed", [])
    told = [(entry["body"]["orderId"], entry["body"]["items"]) for entry in shop.calls()]
    assert told == ([("order-1", [])] if every else [])


@pytest.mark.parametrize("allowed", [False, True])
def test_a_line_that_was_never_reserved_goes_by_quantity_only_where_allowed(
    make_shop: MakeShop, allowed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(confirm_unreserved=allowed)
    shopper = shop.shopper()
    shopper.add(PARKING, 2)
    order = shopper.pay()
    assert ("so its 1 held items were not bought" in caplog.text) is not allowed
    if not allowed:
        assert order["items"] == []
        assert shop.calls() == []
        assert statuses(shopper.cart()) == {PARKING: "held"}
        return
    assert bought(order) == {PARKING: (2, "confirmed")}
    (line,) = shop.calls()[0]["body"]["items"]
    assert line["quantity"] == 2
    assert "itemReservationId" not in line
    assert shopper.cart()["items"] == []


def test_by_quantity_goes_no_line_that_was_rejected_or_became_dearer(
    make_shop: MakeShop,
) -> None:
    shop = make_shop(confirm_unreserved=True)
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.add(POSTER)
    shop.emulator.faults("reserve", {"kind": "reject", "catalogItemIds": [POSTER]}, price(15))
    shopper.reserve()
    shopper.add(PARKING, 2)
    shopper.reserve()
    assert shopper.pay()["items"] == []
    assert shop.calls("confirm") == []


def test_a_refused_confirm_needs_a_refund_and_raises_an_alarm(
    shop: Shop, shopper: Shopper, caplog: pytest.LogCaptureFixture
) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shop.emulator.faults("confirm", {"kind": "status", "status": 422})
    with caplog.at_level(logging.ERROR, "bff"):
        order = shopper.pay()
    assert order["status"] == "refund_needed"
    assert bought(order) == {PARKING: (1, "refund_needed")}
    assert "422" in order["lastError"]
    assert "nextAttemptAt" not in order
    assert alarms(shop) == ["order-1"]
    assert [(r.levelname, "order-1" in r.getMessage()) for r in caplog.records] == [("ERROR", True)]
    shop.clock.move(10_000)
    assert shop.deliver() == 0  # finally refused is final


def test_an_item_that_rokt_left_out_of_a_confirm_needs_a_refund(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    one = shopper.add(POSTER)["items"][1]["cartItemId"]
    shopper.reserve()
    body = {"items": [{"cartItemId": one, "status": "FAILED"}]}
    shop.emulator.faults("confirm", {"kind": "status", "status": 200, "body": body})
    order = shopper.pay()
    assert bought(order) == {PARKING: (1, "confirmed"), POSTER: (1, "refund_needed")}
    assert order["status"] == "refund_needed"
    assert alarms(shop) == ["order-1"]


def test_attributes_and_further_members_reach_rokt(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shopper.pay(attributes={"country": "CH"}, extra={"paymentType": "card"})
    (order,) = shop.emulator.state()["orders"].values()
    assert (order["attributes"], order["extra"]) == ({"country": "CH"}, {"paymentType": "card"})


def test_a_session_that_ended_while_the_shopper_paid_still_has_its_quote(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shop.move_clocks(24 * 3600 + 1)
    order = shopper.pay()
    assert bought(order) == {PARKING: (1, "confirmed")}


def test_a_handle_that_changes_during_the_confirm_loses_nothing(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    handle = shopper.handle
    purchase = Purchase(order_id="order-1", quote_id=None, attributes={}, extra={})
    with after_call(shop, "confirm", lambda: shop.parts.checkout.rotate(handle)):
        order = shop.parts.checkout.record(handle, purchase)[0]
    assert order.status == "confirmed"
