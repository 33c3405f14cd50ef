"""What goes wrong here, with an answer in hand: the order is on its way, and never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bff.errors import StoreUnavailable
from bff.outbox.delivery import Answered, Delivery
from bff.outbox.renewal import Renewal
from bff.outbox.settlement import Settlement
from bff.rokt import responses as answers
from bff.rokt.calls import confirm_call
from bff.rokt.outcomes import Refused
from bff.store.orders import find_order
from bff.store.reservations import rows_of_order
from tests.support.shop import Shop, Shopper, ok, server_get
from tests.support.summaries import PARKING, POSTER, alarms, read_order, reasons

MakeShop = Callable[..., Shop]
# Texts that JSON can say and that a database does not keep: neither of ours the second.
HALF = "a\ud800b"
UNKEEPABLE = {"NUL": "a\0b", "half a pair": HALF}
DEADLINE = 60


@pytest.fixture(params=UNKEEPABLE)
def unkeepable(request: pytest.FixtureRequest) -> str:
    return UNKEEPABLE[request.param]


def by_quantity(make_shop: MakeShop) -> Shopper:
    """A shopper with parking that nobody reserved, in a shop that confirms by quantity."""
    shop = make_shop(confirm_unreserved=True, confirm_deadline=DEADLINE)
    shopper = shop.shopper()
    shopper.add(PARKING)
    return shopper


def answer_confirm(shopper: Shopper, reservation_id: str, **more: Any) -> None:
    """Let Rokt answer each confirm with this id."""
    item = {
        "cartItemId": shopper.item(PARKING)["cartItemId"],
        "itemReservationId": reservation_id,
    }
    fault = {"kind": "status", "status": 200, "body": {"items": [item | more]}, "times": None}
    shopper.shop.emulator.faults("confirm", fault)


def test_an_id_that_no_database_keeps_is_none(make_shop: MakeShop, unkeepable: str) -> None:
    shopper = by_quantity(make_shop)
    answer_confirm(shopper, unkeepable)
    assert shopper.pay()["status"] == "confirmed"
    assert "lastError" not in read_order(shopper.shop)


def test_a_reservation_whose_id_no_database_keeps_is_none(
    shop: Shop, shopper: Shopper, unkeepable: str
) -> None:
    shopper.add(PARKING)
    item = shopper.item(PARKING) | {"itemReservationId": unkeepable}
    body = {"items": [item]}
    shop.emulator.faults("reserve", {"kind": "status", "status": 200, "body": body})
    assert reasons(shopper.reserve()) == {PARKING: (1, "rejected")}


def test_an_answer_that_cannot_be_written_down_is_unknown_and_given_up_in_its_time(
    make_shop: MakeShop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shopper = by_quantity(make_shop)
    shop = shopper.shop
    monkeypatch.setattr(answers, "_reservation_id", lambda found: found["itemReservationId"])
    answer_confirm(shopper, HALF)
    order = shopper.pay()
    assert order["status"] == "confirming"
    assert "failed here" in order["lastError"]
    assert HALF not in caplog.text
    shop.clock.move(2)
    assert shop.deliver() == 1
    assert read_order(shop)["status"] == "confirming"
    shop.clock.move(DEADLINE)
    assert shop.deliver() == 1
    order = read_order(shop)
    assert order["status"] == "refund_needed"
    assert "an earlier call may have taken effect" in order["lastError"]
    assert alarms(shop) == ["order-1"]
    assert shop.deliver() == 0


def test_one_order_whose_answer_cannot_be_written_down_keeps_no_other_from_it(
    make_shop: MakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper = by_quantity(make_shop)
    shop = shopper.shop
    monkeypatch.setattr(answers, "_reservation_id", lambda found: found.get("itemReservationId"))
    shop.emulator.faults("confirm", {"kind": "drop", "times": 2})
    shopper.pay()
    other = shop.shopper()
    other.add(PARKING)
    other.pay("order-2")
    answer_confirm(shopper, HALF)
    shop.clock.move(2)
    assert shop.deliver() == 2
    assert read_order(shop)["status"] == "confirming"
    assert ok(server_get(shop, "/orders/order-2"))["status"] == "confirmed"


def test_what_fails_before_the_call_is_tried_again_and_was_never_sent(
    make_shop: MakeShop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(confirm_deadline=DEADLINE)
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.reserve()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret")

    shop.move_clocks(700)  # beyond the reservation, which must be renewed
    monkeypatch.setattr(Renewal, "prepare", fail)
    assert shopper.pay()["status"] == "confirming"
    assert "a secret" not in caplog.text
    assert shop.calls("confirm") == []
    shop.move_clocks(700)  # beyond the deadline
    shop.deliver()
    assert read_order(shop)["status"] == "refund_needed"
    assert "effect" not in read_order(shop)["lastError"]


def test_a_fault_of_ours_after_an_order_is_recorded_is_no_failed_payment(
    shop: Shop, shopper: Shopper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shopper.add(PARKING)
    shopper.reserve()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret")

    with monkeypatch.context() as patch:
        patch.setattr(Delivery, "attempt", fail)
        assert shopper.pay()["status"] == "confirming"
    assert "order-1" in caplog.text
    assert "a secret" not in caplog.text
    shop.clock.move(31)  # the lease of the call that was never made
    shop.deliver()
    assert read_order(shop)["status"] == "confirmed"


@pytest.mark.parametrize("late", ["its time limit", "its lease"])
def test_a_call_that_comes_too_late_is_not_made(shop: Shop, shopper: Shopper, late: str) -> None:
    """Its sender was kept waiting: by now somebody else may be sending it."""
    shopper.add(PARKING)
    shopper.reserve()
    shop.emulator.faults("confirm", {"kind": "status", "status": 429})
    shopper.pay()
    shop.clock.move(2)
    delivery = shop.parts.delivery
    (claimed,) = delivery.settle_and_claim([], claim=5)
    owed = claimed.owed
    if late == "its lease":
        delivery.attempt(replace(owed, until=time.monotonic() + 1), limit=5)
    else:
        delivery.attempt(owed, limit=0.01)
    assert len(shop.calls("confirm")) == 1
    assert "no time" in read_order(shop)["lastError"]
    shop.clock.move(5)
    shop.deliver()
    assert read_order(shop)["status"] == "confirmed"


def test_a_cart_is_told_also_when_its_confirm_could_not_be_settled(
    shop: Shop, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    before = len(shop.heard.of("cart"))

    def busy(*_: object, **__: object) -> None:
        raise StoreUnavailable("The database is busy; try again.")

    monkeypatch.setattr(Settlement, "settle", busy)
    assert shopper.pay()["status"] == "confirming"
    told = shop.heard.of("cart")[before:]
    assert [(one["cause"], one["cart"].items) for one in told] == [("confirm", ())]


def test_a_refund_of_an_item_that_was_bought_before_is_told_though_its_confirm_failed(
    shop: Shop, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper.add(PARKING)
    first = shopper.reserve()["quoteId"]
    shopper.add(POSTER)
    second = shopper.reserve()["quoteId"]
    shopper.pay("order-1", quoteId=first)
    monkeypatch.setattr(Delivery, "attempt", lambda *_, **__: 1 / 0)
    shopper.pay("order-2", quoteId=second)
    assert alarms(shop) == ["order-2"]


def test_two_calls_of_an_order_that_fail_at_once_are_one_refund(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    shopper.add(POSTER)
    shopper.reserve()
    shop.emulator.faults("confirm", {"kind": "status", "status": 503})
    shopper.pay()
    shop.clock.move(2)
    delivery, store = shop.parts.delivery, shop.parts.store
    (claimed,) = delivery.settle_and_claim([], claim=5)
    with store.write() as connection:
        order = find_order(connection, "order-1")
        assert order is not None
        parking, poster = rows_of_order(connection, "order-1")
        call = confirm_call(order, [poster])
        other = shop.parts.outbox.owe(connection, call, [poster], order=order, claimed=True)
    refused = Refused(400, "Rokt refused (400)")
    one = replace(claimed.owed, subjects=(parking.id,))
    delivery.settle_and_claim([Answered(one, refused), Answered(other, refused)], claim=0)
    assert alarms(shop) == ["order-1"]
    items = shop.heard.of("refund")[0]["order"].items
    assert [item.status for item in items] == ["refund_needed", "refund_needed"]
