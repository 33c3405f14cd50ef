"""Release: stock returns early, lines stay held, and no item is both released and confirmed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from bff.cart.order import Order, Purchase
from bff.cart.shown_cart import Cart
from tests.support.interference import Killed, after_call, at_once, die
from tests.support.shop import Shop, Shopper, ok
from tests.support.summaries import PARKING, POSTER, alarms, at_rokt, fulfilled, quoted, statuses
from tests.support.waiting import FOR_EVER, SLACK

MakeShop = Callable[..., Shop]
ROUNDS = 12


def release(shopper: Shopper) -> Any:
    return ok(shopper.post("/cart/release"))


@pytest.fixture
def reserved(shop: Shop, shopper: Shopper) -> Shopper:
    shopper.add(PARKING, 2)
    shopper.add(POSTER)
    shopper.reserve()
    return shopper


def test_release_gives_the_stock_back_and_leaves_the_lines_held(
    shop: Shop, reserved: Shopper
) -> None:
    assert (shop.emulator.stock(PARKING), shop.emulator.stock(POSTER)) == (98, 4)
    cart = release(reserved)
    assert statuses(cart) == {PARKING: "held", POSTER: "held"}
    assert (shop.emulator.stock(PARKING), shop.emulator.stock(POSTER)) == (100, 5)
    assert len(shop.calls("release")) == 1  # one call for all of them
    told = [one["cause"] for one in shop.heard.of("cart")]
    assert told[-1] == "release"


def test_releasing_again_or_nothing_makes_no_call(shop: Shop, reserved: Shopper) -> None:
    release(reserved)
    release(reserved)
    assert len(shop.calls("release")) == 1


def test_what_was_released_is_reserved_anew(shop: Shop, reserved: Shopper) -> None:
    release(reserved)
    assert quoted(reserved.reserve()) == {PARKING: 2, POSTER: 1}
    assert [state for *_, state in at_rokt(shop)] == ["released"] * 2 + ["reserved"] * 2


def test_release_touches_no_other_session(shop: Shop, reserved: Shopper) -> None:
    other = shop.shopper()
    other.add(PARKING)
    release(other)
    assert shop.calls("release") == []
    assert statuses(reserved.cart()) == {PARKING: "reserved", POSTER: "reserved"}


def test_what_was_bought_is_not_released(shop: Shop, reserved: Shopper) -> None:
    reserved.pay()
    release(reserved)
    assert shop.calls("release") == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop"},
        {"kind": "drop", "when": "after"},
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 429},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
def test_a_failed_release_is_owed_until_it_is_done(
    shop: Shop, reserved: Shopper, fault: dict[str, Any]
) -> None:
    shop.emulator.faults("release", fault)
    assert statuses(release(reserved)) == {PARKING: "held", POSTER: "held"}
    shop.clock.move(2)
    assert shop.deliver() == 1
    assert shop.emulator.stock(PARKING) == 100
    first, second = shop.calls("release")
    assert first["body"] == second["body"]
    assert shop.deliver() == 0


def test_a_release_is_not_tried_beyond_the_end_of_its_reservation(
    shop: Shop, reserved: Shopper
) -> None:
    shop.emulator.faults("release", {"kind": "drop", "times": None})
    release(reserved)
    shop.move_clocks(601)
    assert shop.deliver() == 1
    shop.move_clocks(5000)
    assert shop.deliver() == 0


def test_a_refused_release_is_nobodys_trouble(shop: Shop, reserved: Shopper) -> None:
    shop.emulator.faults("release", {"kind": "status", "status": 422})
    release(reserved)
    shop.clock.move(1000)
    assert shop.deliver() == 0
    assert alarms(shop) == []


def test_release_returns_within_its_limit(make_shop: MakeShop) -> None:
    shop = make_shop()
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.reserve()
    shop.emulator.faults("release", {"kind": "hang", "seconds": FOR_EVER})
    start = time.monotonic()
    with shop.limits(reserve_timeout=0.5):
        release(shopper)
    assert time.monotonic() - start < 0.5 + SLACK


def test_a_server_killed_while_releasing_gives_it_back_later(shop: Shop, reserved: Shopper) -> None:
    shop.emulator.faults("release", {"kind": "drop"})
    handle = reserved.handle
    with after_call(shop, "release", die), pytest.raises(Killed):
        shop.parts.checkout.release(handle)
    assert statuses(reserved.cart()) == {PARKING: "held", POSTER: "held"}
    shop.clock.move(31)
    assert shop.deliver() == 1
    assert shop.emulator.stock(PARKING) == 100


def test_a_release_during_a_confirm_finds_nothing_to_release(shop: Shop, reserved: Shopper) -> None:
    with after_call(shop, "confirm", lambda: release(reserved)):
        assert reserved.pay()["status"] == "confirmed"
    assert shop.calls("release") == []


def test_released_and_confirmed_at_once_each_item_is_one_of_both(make_shop: MakeShop) -> None:
    """Whoever comes first, the paid order ends confirmed, and nothing is fulfilled twice."""
    shop = make_shop()
    checkout = shop.parts.checkout
    handles = []
    for _ in range(ROUNDS):
        shopper = shop.shopper()
        shopper.add(PARKING)
        shopper.add("insurance.ticket")
        shopper.reserve()
        handles.append(shopper.handle)

    def confirm(handle: str) -> Callable[[], Order | Cart]:
        purchase = Purchase(order_id=f"order-{handle}", quote_id=None, attributes={}, extra={})
        return lambda: checkout.record(handle, purchase)[0]

    def let_go(handle: str) -> Callable[[], Order | Cart]:
        return lambda: checkout.release(handle)

    for handle in handles:
        order = at_once([let_go(handle), confirm(handle)])[1]
        assert isinstance(order, Order)
        assert order.status == "confirmed"
        assert {item.status for item in order.items} == {"confirmed"}
    made = shop.emulator.state()["reservations"].values()
    assert {one["state"] for one in made} <= {"confirmed", "released"}
    assert all(one["fulfilled"] == (one["state"] == "confirmed") for one in made)
    assert all(one["releaseCalls"] == (one["state"] == "released") for one in made)
    assert fulfilled(shop) == 2 * ROUNDS
    assert alarms(shop) == []
