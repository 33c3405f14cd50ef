"""Cancel after the sale: never before the confirm, once at the provider, and told when refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from bff.cart.order import OrderError
from bff.ops.redrive import redrive
from bff.outbox.delivery import Answered
from bff.rokt.outcomes import Cause, Done, Outcome, Unknown
from tests.support.interference import Killed, after_call, at_once, die
from tests.support.owed import SOON
from tests.support.shop import Shop, Shopper, ok, server_post
from tests.support.summaries import PARKING, POSTER, alarms, at_rokt, bought, read_order
from tests.support.waiting import FOR_EVER, SLACK

MakeShop = Callable[..., Shop]


@pytest.fixture
def sold(shop: Shop, shopper: Shopper) -> dict[str, str]:
    """An order of two items: catalogue item → cart item."""
    shopper.add(PARKING)
    shopper.add(POSTER)
    shopper.reserve()
    order = shopper.pay()
    return {item["catalogItemId"]: item["cartItemId"] for item in order["items"]}


def cancel(shop: Shop, order_id: str = "order-1", **body: Any) -> Any:
    return ok(server_post(shop, f"/orders/{order_id}/cancel", body))


def refused(shop: Shop, order_id: str = "order-1", **body: Any) -> tuple[int, str]:
    answer = server_post(shop, f"/orders/{order_id}/cancel", body)
    problem: Any = answer.json
    return answer.status_code, problem["code"]


def let_cancel(shop: Shop, item: str, *, refuse: bool) -> None:
    shop.emulator.put("catalog", {"items": [{"catalogItemId": item, "refuseCancel": refuse}]})


def cancelled(shop: Shop) -> dict[str, int]:
    """Return how often each item was really cancelled at the emulator."""
    made = shop.emulator.state()["reservations"].values()
    return {one["catalogItemId"]: one["cancelled"] for one in made}


def test_one_item_is_cancelled_and_then_the_rest(shop: Shop, sold: dict[str, str]) -> None:
    order = cancel(shop, cartItemId=sold[PARKING])
    assert bought(order) == {PARKING: (1, "cancelled"), POSTER: (1, "confirmed")}
    assert order["status"] == "confirmed"
    order = cancel(shop)
    assert order["status"] == "cancelled"
    assert len(shop.calls("cancel")) == 2
    assert cancelled(shop) == {PARKING: 1, POSTER: 1}


def test_repeating_a_cancel_is_harmless(shop: Shop, sold: dict[str, str]) -> None:
    first = cancel(shop)
    assert cancel(shop) == first
    assert cancel(shop, cartItemId=sold[POSTER]) == first
    assert len(shop.calls("cancel")) == 2


def test_many_cancels_at_once_are_one(shop: Shop, sold: dict[str, str]) -> None:
    checkout = shop.parts.checkout
    at_once([lambda: checkout.cancel("order-1", sold[PARKING])] * 6)
    assert len(shop.calls("cancel")) == 1
    assert cancelled(shop) == {PARKING: 1, POSTER: 0}


def test_what_the_provider_refuses_to_cancel_stays_confirmed_and_is_told(
    shop: Shop, sold: dict[str, str]
) -> None:
    first, second = sold  # in the order of their calls: the other's success comes after
    let_cancel(shop, first, refuse=True)
    order = cancel(shop)
    assert bought(order) == {first: (1, "confirmed"), second: (1, "cancelled")}
    assert order["status"] == "confirmed"
    assert "422" in order["lastError"]
    assert alarms(shop) == []  # nothing is owed to the shopper
    let_cancel(shop, first, refuse=False)
    order = cancel(shop)  # it can be asked for again
    assert order["status"] == "cancelled"
    assert "lastError" not in order


def test_a_cancel_waits_for_the_confirm(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shop.emulator.faults("confirm", {"kind": "drop"}, {"kind": "drop", "when": "after"})
    shopper.pay()
    order = cancel(shop)
    assert order["status"] == "confirming"
    shop.clock.move(2)
    shop.deliver()
    assert shop.calls("cancel") == []  # the confirm is still unknown
    cancel(shop)  # once more changes nothing
    shop.clock.move(4)
    shop.deliver()
    assert read_order(shop)["status"] == "cancelled"
    assert [entry["endpoint"] for entry in shop.calls()][-2:] == ["confirm", "cancel"]
    assert at_rokt(shop) == [(PARKING, 1, "cancelled")]


def test_a_cancel_that_comes_during_the_confirm_is_not_overlooked(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    with after_call(shop, "confirm", lambda: cancel(shop)):
        shopper.pay()
    assert shop.calls("cancel") == []
    shop.deliver()
    assert read_order(shop)["status"] == "cancelled"


def test_a_cancel_of_what_was_then_refused_is_not_sent(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shop.emulator.faults("confirm", {"kind": "drop"}, {"kind": "status", "status": 422})
    shopper.pay()
    cancel(shop)
    shop.clock.move(2)
    shop.deliver()
    assert read_order(shop)["status"] == "refund_needed"
    assert alarms(shop) == ["order-1"]
    assert shop.calls("cancel") == []


def test_a_cancel_that_was_asked_for_and_cannot_be_made_is_told(make_shop: MakeShop) -> None:
    """Bought by quantity, of which Rokt named no reservation: there is nothing to cancel by."""
    shop = make_shop(confirm_unreserved=True)
    shopper = shop.shopper()
    shopper.add(PARKING)
    no_ids = {"kind": "status", "status": 200, "body": "", "when": "after"}
    shop.emulator.faults("confirm", {"kind": "drop"}, no_ids)
    shopper.pay()
    cancel(shop)
    shop.clock.move(2)
    shop.deliver()
    order = read_order(shop)
    assert order["status"] == "confirmed"
    assert order["lastError"].startswith("cancel:")
    assert refused(shop) == (409, "not_cancellable")


@pytest.mark.parametrize("repeat", ["ok", "error"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_unknown_cancel_is_repeated_and_takes_effect_once(
    shop: Shop, sold: dict[str, str], repeat: str, when: str
) -> None:
    shop.emulator.put("settings", {"repeatCancel": repeat})
    shop.emulator.faults("cancel", {"kind": "drop", "when": when})
    order = cancel(shop, cartItemId=sold[PARKING])
    assert bought(order)[PARKING] == (1, "cancelling")
    shop.clock.move(2)
    assert shop.deliver() == 1
    assert bought(read_order(shop))[PARKING] == (1, "cancelled")
    assert cancelled(shop) == {PARKING: 1, POSTER: 0}


def test_a_cancel_that_is_given_up_is_loud_and_can_be_redriven(
    shop: Shop, sold: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """It took effect, and nobody knows: the item must not look as if it were still bought."""
    shop.emulator.faults("cancel", {"kind": "drop", "when": "after", "times": None})
    cancel(shop, cartItemId=sold[PARKING])
    shop.clock.move(73 * 3600)
    shop.deliver()
    order = read_order(shop)
    assert bought(order)[PARKING] == (1, "cancelling")
    assert order["lastError"].startswith("cancel: given up")
    assert "an earlier call may have taken effect" in order["lastError"]
    told = [record.message for record in caplog.records if record.name == "bff.outbox.settlement"]
    assert told == [f"a cancel of order 'order-1' is {order['lastError'].removeprefix('cancel: ')}"]
    shop.clock.move(91 * 24 * 3600)
    shop.purge()
    assert read_order(shop) == order  # it stays until somebody has looked
    shop.emulator.faults("cancel")
    assert redrive(shop.parts.store, shop.parts.outbox, "order-1") == 1
    shop.deliver()
    assert bought(read_order(shop))[PARKING] == (1, "cancelled")
    assert "lastError" not in read_order(shop)
    assert cancelled(shop) == {PARKING: 1, POSTER: 0}


def test_a_server_killed_while_cancelling_forgets_nothing(shop: Shop, sold: dict[str, str]) -> None:
    with after_call(shop, "cancel", die), pytest.raises(Killed):
        shop.parts.checkout.cancel("order-1", None)
    shop.clock.move(31)
    shop.deliver()
    assert read_order(shop)["status"] == "cancelled"
    assert cancelled(shop) == {PARKING: 1, POSTER: 1}


def test_cancelling_many_items_keeps_to_the_limit_in_all(make_shop: MakeShop) -> None:
    shop = make_shop()
    shopper = shop.shopper()
    for one in (PARKING, POSTER, "parking.vip", "insurance.ticket"):
        shopper.add(one)
    shopper.reserve()
    shopper.pay()
    shop.emulator.faults("cancel", {"kind": "hang", "seconds": FOR_EVER, "times": None})
    start = time.monotonic()
    with shop.limits(confirm_timeout=0.5):
        cancel(shop)
    assert time.monotonic() - start < 0.5 + SLACK
    shop.emulator.faults("cancel")
    shop.clock.move(2)
    shop.deliver()
    assert read_order(shop)["status"] == "cancelled"


def test_what_needs_a_refund_cannot_be_cancelled(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shop.emulator.faults("confirm", {"kind": "status", "status": 422})
    shopper.pay()
    assert refused(shop) == (409, "not_cancellable")
    assert shop.calls("cancel") == []


def test_a_cancel_does_not_hide_why_another_item_needs_a_refund(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    shopper.add(POSTER)
    shopper.reserve()
    shop.move_clocks(601)
    shop.emulator.faults("reserve", {"kind": "no_stock", "catalogItemIds": [PARKING]})
    shopper.pay()
    shop.emulator.faults("cancel", {"kind": "drop"}, {"kind": "status", "status": 422})
    cancel(shop)
    shop.clock.move(2)
    shop.deliver()
    order = read_order(shop)
    assert bought(order) == {PARKING: (1, "refund_needed"), POSTER: (1, "confirmed")}
    assert "reserved again" in order["lastError"]


def test_an_order_without_an_upsell_cannot_be_cancelled(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.remove(PARKING)
    shopper.pay()
    assert refused(shop) == (409, "not_cancellable")


def test_unknown_orders_and_items_are_not_found(shop: Shop, sold: dict[str, str]) -> None:
    assert refused(shop, "order-9") == (404, "not_found")
    assert refused(shop, cartItemId="v1:0:parking.vip") == (404, "item_not_found")
    assert shop.calls("cancel") == []


def test_an_item_that_cannot_be_cancelled_stays_known_when_another_is_cancelled(
    make_shop: Callable[..., Shop],
) -> None:
    """Two items are cancelled while they are confirmed, and Rokt names one of them only."""
    shop = make_shop(confirm_unreserved=True)
    shopper = shop.shopper()
    shopper.add(PARKING)
    first = shopper.add(POSTER)["items"][0]["cartItemId"]
    shop.emulator.faults("confirm", {"kind": "status", "status": 503})
    assert shopper.pay()["status"] == "confirming"
    ok(server_post(shop, "/orders/order-1/cancel", {}))
    shop.clock.move(SOON)
    delivery = shop.parts.delivery

    def settle_with(outcome: Outcome) -> tuple[str | None, list[str]]:
        (claimed,) = delivery.settle_and_claim([], claim=5)
        delivery.settle(Answered(claimed.owed, outcome))
        order = shop.parts.checkout.order("order-1")
        return order.error_code, [item.status for item in order.items]

    named = {"items": [{"cartItemId": first, "itemReservationId": "r-1"}]}
    lost = (OrderError.NOT_CANCELLABLE, ["cancelling", "confirmed"])
    assert settle_with(Done(200, named)) == lost
    assert settle_with(Unknown(Cause.TIMEOUT, "time limit reached")) == lost
    shop.clock.move(SOON)
    assert settle_with(Done(200, {})) == (OrderError.NOT_CANCELLABLE, ["cancelled", "confirmed"])


def test_a_cancel_that_waits_is_not_a_confirm_that_waits(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shopper.pay()
    shop.emulator.faults("cancel", {"kind": "status", "status": 503})
    ok(server_post(shop, "/orders/order-1/cancel", {}))
    assert shop.parts.checkout.order("order-1").error_code == OrderError.CANCEL_PENDING
    shop.clock.move(SOON)
    shop.deliver()
    order = shop.parts.checkout.order("order-1")
    assert (order.status, order.error_code, order.last_error) == ("cancelled", None, None)
