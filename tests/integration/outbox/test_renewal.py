"""Confirm when a reservation is gone by then: reserved again, never dearer, else a refund."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bff.cart.reservation import UNANSWERED_FOR
from tests.support.interference import Killed, after_call, die
from tests.support.owed import LEASE, SOON, confirm
from tests.support.shop import Shop, Shopper, ok
from tests.support.summaries import (
    PARKING,
    POSTER,
    alarms,
    at_rokt,
    bought,
    fulfilled,
    price,
    read_order,
)

MakeShop = Callable[..., Shop]


@pytest.fixture
def lapsed(shop: Shop, shopper: Shopper) -> Shopper:
    """A shopper who took longer to pay than Rokt held the items."""
    shopper.add(PARKING, 2)
    shopper.add(POSTER)
    shopper.reserve()
    shop.move_clocks(601)
    return shopper


def test_a_lapsed_reservation_is_made_again_at_its_price(shop: Shop, lapsed: Shopper) -> None:
    order = lapsed.pay(attributes={"country": "CH"})
    assert bought(order) == {PARKING: (2, "confirmed"), POSTER: (1, "confirmed")}
    assert order["totals"] == {"USD": "40.00"}
    assert [entry["endpoint"] for entry in shop.calls()] == ["reserve", "reserve", "confirm"]
    again = shop.calls("reserve")[1]["body"]
    assert again["cartId"] == order["cartId"]  # the cart that was quoted, not the new one
    assert "attributes" not in again  # those of the order are for its confirm
    assert shop.calls("confirm")[0]["body"]["attributes"] == {"country": "CH"}
    assert fulfilled(shop) == 2
    assert alarms(shop) == []


def test_a_reservation_that_was_given_back_is_made_again(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    quote = shopper.reserve()
    ok(shopper.post("/cart/release"))
    assert bought(shopper.pay(quoteId=quote["quoteId"])) == {PARKING: (1, "confirmed")}
    assert at_rokt(shop) == [(PARKING, 1, "released"), (PARKING, 1, "confirmed")]


def test_a_partly_reserved_item_is_made_again_as_it_was_granted(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING, 3)
    shop.emulator.faults("reserve", {"kind": "grant_less", "quantity": 2})
    shopper.reserve()
    shop.move_clocks(601)
    assert bought(shopper.pay()) == {PARKING: (2, "confirmed")}


def test_made_again_for_less_it_is_fine(shop: Shop, lapsed: Shopper) -> None:
    shop.emulator.faults("reserve", price(12))
    order = lapsed.pay()
    assert order["status"] == "confirmed"
    assert order["totals"] == {"USD": "39.00"}


@pytest.mark.parametrize(
    "fault",
    [
        price(13),
        {"kind": "grant_less", "quantity": 1, "catalogItemIds": [PARKING]},
        {"kind": "no_stock", "catalogItemIds": [PARKING]},
        {"kind": "reject", "catalogItemIds": [PARKING], "form": "422_named", "times": 2},
        {"kind": "reject", "catalogItemIds": [PARKING], "form": "error_value"},
    ],
    ids=["dearer", "less", "no stock", "refused by name", "error"],
)
def test_what_cannot_be_had_as_paid_needs_a_refund_and_the_rest_is_confirmed(
    shop: Shop, lapsed: Shopper, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    shop.emulator.faults("reserve", fault)
    with caplog.at_level(logging.ERROR, "bff"):
        order = lapsed.pay()
    assert order["status"] == "refund_needed"
    assert bought(order) == {PARKING: (2, "refund_needed"), POSTER: (1, "confirmed")}
    assert "reserved again" in order["lastError"]
    assert alarms(shop) == ["order-1"]
    assert len(caplog.records) == 1
    assert fulfilled(shop) == 1
    shop.deliver()  # what Rokt holds for nothing is given back
    assert [one for one in at_rokt(shop) if one[2] == "reserved"] == []
    assert alarms(shop) == ["order-1"]
    assert "reserved again" in read_order(shop)["lastError"]


def test_another_currency_needs_a_refund_and_is_given_back(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shop.move_clocks(601)
    shop.emulator.put("catalog", {"items": [{"catalogItemId": PARKING, "currency": "EUR"}]})
    assert shopper.pay()["status"] == "refund_needed"
    assert shop.calls("confirm") == []  # nothing is left to confirm
    assert alarms(shop) == ["order-1"]
    shop.deliver()
    assert at_rokt(shop) == [(PARKING, 1, "lapsed"), (PARKING, 1, "released")]


def test_where_the_shop_allows_it_what_cannot_be_reserved_goes_by_quantity(
    make_shop: MakeShop,
) -> None:
    shop = make_shop(confirm_unreserved=True)
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.reserve()
    shop.move_clocks(601)
    shop.emulator.faults("reserve", {"kind": "reject", "all": True})
    assert bought(shopper.pay()) == {PARKING: (1, "confirmed")}
    (line,) = shop.calls("confirm")[0]["body"]["items"]
    assert "itemReservationId" not in line


def test_while_rokt_does_not_answer_the_order_waits(shop: Shop, lapsed: Shopper) -> None:
    shop.emulator.faults("reserve", {"kind": "status", "status": 503, "retryAfter": 30})
    order = lapsed.pay()
    assert order["status"] == "confirming"
    assert "yet" in order["lastError"]
    assert len(shop.calls("reserve")) == 2  # one attempt: the outbox repeats it
    assert shop.calls("confirm") == []
    shop.clock.move(25)
    assert shop.deliver() == 0
    shop.clock.move(7)
    shop.deliver()
    settled = read_order(shop)
    assert bought(settled) == {PARKING: (2, "confirmed"), POSTER: (1, "confirmed")}
    assert "lastError" not in settled
    assert fulfilled(shop) == 2


def test_at_the_deadline_what_has_no_reservation_is_not_confirmed_by_quantity(
    make_shop: MakeShop,
) -> None:
    shop = make_shop(confirm_deadline=60)
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.reserve()
    shop.move_clocks(601)
    shop.emulator.faults("reserve", {"kind": "drop", "times": None})
    assert shopper.pay()["status"] == "confirming"
    shop.clock.move(61)
    shop.deliver()
    assert read_order(shop)["status"] == "refund_needed"
    assert alarms(shop) == ["order-1"]
    assert shop.calls("confirm") == []


def test_what_is_about_to_lapse_while_the_call_travels_is_made_again(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shop.clock.move(599)
    assert shopper.pay()["status"] == "confirmed"
    assert len(shop.calls("reserve")) == 2


def test_a_discount_that_was_paid_is_not_made_good_by_the_shopper(
    shop: Shop, shopper: Shopper
) -> None:
    """Rokt locked a total below unit price × quantity; made again without it, it is dearer."""
    held = shopper.add(PARKING, 2)["items"][0]["cartItemId"]
    granted = {
        "cartItemId": held,
        "itemReservationId": "rokt_item_reservation_id.1",
        "quantity": 2,
        "unitPrice": 12.5,
        "totalPrice": 20,
        "currency": "USD",
        "expirationDateTimeUtc": f"{shop.clock() + timedelta(minutes=5):%Y-%m-%dT%H:%M:%S}Z",
    }
    body = {"items": [granted]}
    shop.emulator.faults("reserve", {"kind": "status", "status": 200, "body": body})
    assert shopper.reserve()["totals"] == {"USD": "20.00"}
    shop.clock.move(300)
    assert shopper.pay()["status"] == "refund_needed"
    assert alarms(shop) == ["order-1"]


def scarce(shop: Shop) -> Shopper:
    """A shopper who took longer to pay for the last parking than Rokt held it."""
    shop.emulator.put("catalog", {"items": [{"catalogItemId": PARKING, "stock": 1}]})
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.reserve()
    shop.move_clocks(601)
    return shopper


def die_reserving(shop: Shop, shopper: Shopper) -> None:
    """Be killed with the answer of the renewing reserve in hand."""
    with pytest.raises(Killed), after_call(shop, "reserve", die):
        confirm(shopper)
    shop.clock.move(LEASE)


def lose_the_answer(shop: Shop, shopper: Shopper) -> None:
    """Have the renewing reserve take effect, and never hear of it."""
    shop.emulator.faults("reserve", {"kind": "drop", "when": "after"})
    assert shopper.pay()["status"] == "confirming"
    shop.clock.move(SOON)


@pytest.mark.parametrize("lose", [die_reserving, lose_the_answer])
def test_what_rokt_holds_for_us_unknown_to_us_is_waited_for(
    shop: Shop, lose: Callable[[Shop, Shopper], None]
) -> None:
    """The only parking is taken by our own reserve, of which nobody knows."""
    lose(shop, scarce(shop))
    assert shop.deliver() == 1
    waiting = read_order(shop)
    assert waiting["status"] == "confirming"
    assert "yet" in waiting["lastError"]
    assert alarms(shop) == []
    shop.move_clocks(601)  # Rokt gives it back to its stock
    shop.deliver()
    assert bought(read_order(shop)) == {PARKING: (1, "confirmed")}
    assert fulfilled(shop) == 1


def test_a_denial_is_believed_once_nothing_of_ours_can_stand_at_rokt(shop: Shop) -> None:
    lose_the_answer(shop, scarce(shop))
    gone = {"kind": "no_stock", "catalogItemIds": [PARKING], "times": None}
    shop.emulator.faults("reserve", gone)
    for _ in range(3):
        shop.move_clocks(UNANSWERED_FOR.total_seconds() / 4)
        shop.deliver()
        assert read_order(shop)["status"] == "confirming"
    shop.move_clocks(UNANSWERED_FOR.total_seconds() / 4)
    shop.deliver()
    assert read_order(shop)["status"] == "refund_needed"
    assert alarms(shop) == ["order-1"]


def test_what_is_granted_while_another_item_is_waited_for_is_kept(shop: Shop) -> None:
    shop.emulator.put("catalog", {"items": [{"catalogItemId": PARKING, "stock": 1}]})
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.add(POSTER)
    shopper.reserve()
    shop.move_clocks(601)
    lose_the_answer(shop, shopper)
    shop.deliver()
    held = [one for one in at_rokt(shop) if one[2] == "reserved"]
    assert held == [(PARKING, 1, "reserved"), (POSTER, 1, "reserved"), (POSTER, 1, "reserved")]
    shop.clock.move(10)
    shop.deliver()  # the parking is asked for alone
    assert [one for one in at_rokt(shop) if one[2] == "reserved"] == held
    shop.move_clocks(601)
    shop.deliver()
    assert bought(read_order(shop)) == {PARKING: (1, "confirmed"), POSTER: (1, "confirmed")}


def test_what_is_dearer_is_not_waited_for(shop: Shop) -> None:
    lose_the_answer(shop, scarce(shop))
    shop.emulator.put("catalog", {"items": [{"catalogItemId": PARKING, "stock": 5}]})
    shop.emulator.faults("reserve", price(13))
    shop.deliver()
    assert read_order(shop)["status"] == "refund_needed"


@pytest.mark.parametrize("status", [401, 429], ids=["wrong key", "turned away"])
def test_a_reserve_that_surely_was_not_made_leaves_no_doubt(shop: Shop, status: int) -> None:
    shopper = scarce(shop)
    shop.emulator.faults("reserve", {"kind": "status", "status": status})
    assert shopper.pay()["status"] == "confirming"
    shop.emulator.put("catalog", {"items": [{"catalogItemId": PARKING, "stock": 0}]})
    shop.clock.move(SOON)
    shop.deliver()
    assert read_order(shop)["status"] == "refund_needed"


def test_what_rokt_calls_expired_is_made_again_whatever_our_clock_says(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    shopper.add(POSTER)
    shopper.reserve()
    shop.emulator.move_clock(601)  # Rokt's clock alone: ours still has ten minutes
    order = shopper.pay()
    assert bought(order) == {PARKING: (1, "confirmed"), POSTER: (1, "confirmed")}
    assert "lastError" not in order
    endpoints = [entry["endpoint"] for entry in shop.calls()]
    assert endpoints == ["reserve", "confirm", "reserve", "confirm"]
    assert fulfilled(shop) == 2
    assert alarms(shop) == []


def test_only_what_rokt_names_as_expired_is_made_again(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.add(POSTER)
    shopper.reserve()
    parking = shop.calls("reserve")[0]["answer"]["items"][0]
    error = {"code": "GONE", "message": "It has lapsed.", "value": parking["itemReservationId"]}
    fault = {"kind": "status", "status": 410, "body": {"errors": [error]}}
    shop.emulator.faults("confirm", fault)
    assert shopper.pay()["status"] == "confirmed"
    (_, again) = shop.calls("reserve")
    assert [one["cartItemId"] for one in again["body"]["items"]] == [parking["cartItemId"]]


def test_what_rokt_calls_expired_again_when_it_is_new_needs_a_refund(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    expired = {"description": "The reservation has expired."}
    fault = {"kind": "status", "status": 422, "body": expired, "times": None}
    shop.emulator.faults("confirm", fault)
    assert shopper.pay()["status"] == "refund_needed"
    assert len(shop.calls("reserve")) == 2  # it was tried, once


@pytest.mark.parametrize(
    "refusal",
    [
        {"status": 401, "body": {"description": "The API key has expired."}},
        {"status": 422, "body": {"errors": [{"code": "RESERVATION_EXPIRED"}, {"code": "BLOCKED"}]}},
        {"status": 422, "body": {"errors": []}},
    ],
    ids=["key", "one of two", "nothing"],
)
def test_other_refusals_of_a_confirm_are_no_expiry(
    shop: Shop, shopper: Shopper, refusal: dict[str, Any]
) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shop.emulator.faults("confirm", {"kind": "status"} | refusal)
    assert shopper.pay()["status"] == "refund_needed"
    assert len(shop.calls("reserve")) == 1


def test_after_an_unknown_confirm_an_expiry_proves_nothing(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shop.emulator.faults("confirm", {"kind": "drop"})
    assert shopper.pay()["status"] == "confirming"
    shop.emulator.move_clock(601)
    shop.clock.move(SOON)
    shop.deliver()
    assert read_order(shop)["status"] == "refund_needed"
    assert "effect" in read_order(shop)["lastError"]
    assert len(shop.calls("reserve")) == 1
