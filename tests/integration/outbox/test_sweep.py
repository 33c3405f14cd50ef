"""The sweep: stock that shoppers left reserved goes back, and what may yet be paid for stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import select

from bff import upsell_call_made
from bff.cart.reservation import State
from bff.outbox import sweep as sweeping
from bff.outbox.releases import Releases
from bff.outbox.sweep import Sweep
from bff.store import reservations as ledger
from bff.store.tables import outbox, reservations
from tests.support.interference import after_call, at_once
from tests.support.shop import Shop, Shopper, ok, server_get
from tests.support.summaries import PARKING, POSTER

GRACE = 300
HELD = 600  # seconds that the emulator keeps a reservation


def sweep(shop: Shop) -> int:
    return shop.sweep()


def states(shop: Shop) -> list[str]:
    with shop.parts.store.read() as connection:
        query = select(reservations.c.state).order_by(reservations.c.created_at, reservations.c.id)
        return [str(state) for state in connection.execute(query).scalars()]


def reserve(shop: Shop, quantity: int = 2) -> Shopper:
    shopper = shop.shopper()
    shopper.add(PARKING, quantity)
    shopper.reserve()
    return shopper


@pytest.fixture
def stock(shop: Shop) -> int:
    """What Rokt has before anybody reserves."""
    return shop.emulator.stock(PARKING)


def settled(shop: Shop, shopper: Shopper, order_id: str = "order-1") -> str:
    """Work off all that is owed and return where the order stands."""
    shop.move_clocks(60)
    shop.deliver()
    status: str = ok(server_get(shop, f"/orders/{order_id}"))["status"]
    return status


# When it is given back.


def test_a_changed_cart_gives_back_after_the_grace_and_not_before(shop: Shop, stock: int) -> None:
    shopper = reserve(shop)
    shopper.remove(PARKING)
    shop.move_clocks(GRACE - 5)
    assert sweep(shop) == 0
    assert shop.emulator.stock(PARKING) == stock - 2
    shop.move_clocks(10)
    assert sweep(shop) == 1
    assert shop.emulator.stock(PARKING) == stock - 2  # it is owed from now on
    assert shop.deliver() == 1
    assert shop.emulator.stock(PARKING) == stock
    assert sweep(shop) == 0  # once


def test_the_grace_counts_from_the_change(shop: Shop, stock: int) -> None:
    shopper = reserve(shop)
    shop.move_clocks(GRACE - 5)
    shopper.add(PARKING, 1)  # the quote of two may be under way to the bank
    shop.move_clocks(10)
    assert sweep(shop) == 0
    shop.move_clocks(HELD - GRACE - 10)
    assert shop.emulator.stock(PARKING) == stock - 2


def test_an_ended_session_gives_back_a_grace_after_its_end(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(session_seconds=100, release_grace=200)
    before = shop.emulator.stock(PARKING)
    reserve(shop)
    shop.move_clocks(250)
    assert sweep(shop) == 0
    shop.move_clocks(60)
    assert sweep(shop) == 1
    shop.deliver()
    assert shop.emulator.stock(PARKING) == before


def test_a_held_cart_keeps_what_is_reserved_for_it(shop: Shop, stock: int) -> None:
    shopper = reserve(shop)
    shop.move_clocks(GRACE + 60)
    assert sweep(shop) == 0
    shop.deliver()
    assert shop.emulator.stock(PARKING) == stock - 2
    assert shopper.cart()["items"][0]["status"] == "reserved"


def test_only_the_changed_line_is_given_back(shop: Shop, stock: int) -> None:
    posters = shop.emulator.stock(POSTER)
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.add(POSTER)
    shopper.reserve()
    shopper.add(POSTER, 2)
    shop.move_clocks(GRACE + 5)
    assert sweep(shop) == 1
    shop.deliver()
    assert shop.emulator.stock(POSTER) == posters
    assert shop.emulator.stock(PARKING) == stock - 1


def test_what_lapsed_is_expired_without_a_call(shop: Shop) -> None:
    reserve(shop)
    shop.move_clocks(HELD + 5)
    assert sweep(shop) == 0
    assert states(shop) == ["expired"]
    assert shop.deliver() == 0
    assert shop.calls("release") == []


def test_a_short_grant_that_lapsed_within_the_grace_is_expired(shop: Shop) -> None:
    shop.emulator.put("settings", {"reservationSeconds": 90})
    reserve(shop)
    shop.move_clocks(95)
    sweep(shop)
    assert states(shop) == ["expired"]


def test_a_release_is_tried_only_until_rokt_takes_the_items_back_itself(shop: Shop) -> None:
    shopper = reserve(shop)
    shopper.remove(PARKING)
    shop.emulator.faults("release", {"kind": "status", "status": 503, "times": None})
    shop.move_clocks(GRACE + 5)
    assert sweep(shop) == 1
    shop.deliver()
    shop.move_clocks(HELD)
    shop.deliver()
    with shop.parts.store.read() as connection:
        assert connection.execute(select(outbox.c.state)).scalars().all() == ["gave_up"]


# What may yet be paid for.


def test_a_quote_that_is_paid_within_the_grace_is_confirmed_as_it_was(
    shop: Shop, stock: int
) -> None:
    shopper = reserve(shop)
    shopper.remove(PARKING)
    shop.move_clocks(GRACE - 5)
    sweep(shop)
    assert shopper.pay()["status"] == "confirmed"
    shop.move_clocks(60)
    assert sweep(shop) == 0
    shop.deliver()
    assert len(shop.calls("reserve")) == 1
    assert shop.calls("release") == []
    assert shop.emulator.stock(PARKING) == stock - 2


def test_a_quote_that_is_paid_after_it_was_swept_is_reserved_again(shop: Shop, stock: int) -> None:
    shopper = reserve(shop)
    shopper.remove(PARKING)
    shop.move_clocks(GRACE + 5)
    assert sweep(shop) == 1
    order = shopper.pay()
    assert order["status"] == "confirmed"
    assert settled(shop, shopper) == "confirmed"
    assert shop.emulator.stock(PARKING) == stock - 2


@pytest.mark.parametrize("outcome", ["confirmed", "confirming", "refund_needed"])
def test_what_an_order_has_is_never_swept(shop: Shop, stock: int, outcome: str) -> None:
    fault = {"confirming": 503, "refund_needed": 422}.get(outcome)
    if fault:
        shop.emulator.faults("confirm", {"kind": "status", "status": fault, "times": None})
    assert reserve(shop).pay()["status"] == outcome
    shop.move_clocks(GRACE + 5)
    assert sweep(shop) == 0
    assert shop.calls("release") == []
    assert states(shop) == [outcome]


# Others who are at it.


def test_workers_at_once_give_each_item_back_once(
    shop: Shop, stock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 2)
    for _ in range(5):
        reserve(shop, 1).remove(PARKING)
    shop.move_clocks(GRACE + 5)
    assert sum(at_once([lambda: sweep(shop)] * 4)) == 5
    at_once([shop.deliver] * 3)
    released = [item["itemReservationId"] for call in shop.calls("release")
                for item in call["body"]["items"]]  # fmt: skip
    assert len(released) == len(set(released)) == 5
    assert shop.emulator.stock(PARKING) == stock


def test_the_sweep_goes_in_batches_through_all_there_is(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 3)
    for _ in range(7):
        reserve(shop, 1).remove(PARKING)
    shop.move_clocks(GRACE + 5)
    steps = list(
        Sweep(
            shop.parts.settings, shop.parts.store, shop.clock, Releases(shop.parts.outbox)
        ).batches()
    )
    assert sum(steps) == 7
    assert max(steps) <= 3


@contextmanager
def before_change(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> Iterator[None]:
    """Act once when the sweep has decided, before it looks again under the lock."""
    original = Sweep._sweep
    acted: list[bool] = []

    def sweep_later(self: Sweep, session_id: str, rows: object) -> int:
        if not acted:
            acted.append(True)
            act()
        return original(self, session_id, rows)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Sweep, "_sweep", sweep_later)
        yield
    assert acted


def test_a_shopper_who_pays_just_before_the_sweep_keeps_the_items(
    shop: Shop, stock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper = reserve(shop)
    shopper.remove(PARKING)
    shop.move_clocks(GRACE + 5)
    with before_change(monkeypatch, shopper.pay):
        assert sweep(shop) == 0
    shop.deliver()
    assert shop.calls("release") == []
    assert shop.emulator.stock(PARKING) == stock - 2


def test_a_shopper_who_comes_back_just_before_the_sweep_has_what_they_reserve(
    shop: Shop, stock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper = reserve(shop)
    shopper.add(PARKING, 1)

    def come_back() -> None:
        shopper.reserve()

    shop.move_clocks(GRACE + 5)
    with before_change(monkeypatch, come_back):
        assert sweep(shop) == 0  # the reserve gave the old one back itself
    shop.deliver()
    assert shop.emulator.stock(PARKING) == stock - 1
    assert shopper.cart()["items"][0]["status"] == "reserved"


def test_a_shopper_who_changes_more_just_before_the_sweep_has_the_grace_again(
    shop: Shop, stock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper = reserve(shop)
    shopper.remove(PARKING)
    shop.move_clocks(GRACE + 5)
    with before_change(monkeypatch, lambda: shopper.add(POSTER)):
        assert sweep(shop) == 0
    assert states(shop) == ["reserved"]


def test_what_another_tab_changes_during_a_reserve_is_left_to_the_reserve(
    make_shop: Callable[..., Shop],
) -> None:
    shop = make_shop(release_grace=0.001)
    shopper = reserve(shop)
    shopper.add(POSTER)
    swept: list[int] = []

    def change_and_sweep() -> None:
        shopper.remove(PARKING)
        shop.move_clocks(1)
        swept.append(sweep(shop))

    with after_call(shop, "reserve", change_and_sweep):
        shopper.reserve()
    assert swept == [0]


def test_nothing_is_swept_from_under_a_reserve_that_is_under_way(shop: Shop) -> None:
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.reserve()
    shopper.add(POSTER)
    shop.move_clocks(GRACE + 5)
    with after_call(shop, "reserve", lambda: swept.append(sweep(shop))):
        swept: list[int] = []
        quote = shopper.reserve()
    assert swept == [0]
    assert {item["catalogItemId"] for item in quote["items"]} == {PARKING, POSTER}
    shop.deliver()
    assert shop.calls("release") == []


@pytest.mark.parametrize("round_", range(3))
def test_swept_and_paid_at_once_an_item_is_sold_or_given_back_and_never_both(
    shop: Shop, stock: int, round_: int
) -> None:
    shoppers = [reserve(shop, 1) for _ in range(4)]
    for shopper in shoppers:
        shopper.remove(PARKING)
    shop.move_clocks(GRACE + 5)
    pay = [lambda n=n: shoppers[n].pay(f"order-{n}") for n in range(4)]
    at_once([*pay, *[lambda: sweep(shop)] * 2])
    for n, shopper in enumerate(shoppers):
        assert settled(shop, shopper, f"order-{n}") == "confirmed"
    assert shop.emulator.stock(PARKING) == stock - 4
    state = shop.emulator.state()
    assert len(state["orders"]) == 4


def test_swept_and_reserved_at_once_the_shopper_has_what_the_quote_says(
    shop: Shop, stock: int
) -> None:
    shoppers = [reserve(shop, 1) for _ in range(4)]
    for shopper in shoppers:
        shopper.add(PARKING, 2)
    shop.move_clocks(GRACE + 5)
    work: list[Callable[[], object]] = [shopper.reserve for shopper in shoppers]
    at_once([*work, lambda: sweep(shop), lambda: sweep(shop)])
    shop.move_clocks(60)
    shop.deliver()
    assert shop.emulator.stock(PARKING) == stock - 8
    with shop.parts.store.read() as connection:
        for shopper in shoppers:
            session = shop.parts.checkout.session_id(shopper.handle)
            rows = ledger.rows_of_session(connection, session, [State.RESERVED])
            assert [row.quantity for row in rows] == [2]
            assert shop.emulator.standing({"itemReservationId": rows[0].item_reservation_id})


# By itself.


def test_the_worker_sweeps_by_itself(shop: Shop, stock: int) -> None:
    shopper = reserve(shop)
    shopper.remove(PARKING)
    shop.move_clocks(GRACE + 5)
    released = threading.Event()

    def hear(_app: Flask, **told: object) -> None:
        if told["call"] == "release":
            released.set()

    with upsell_call_made.connected_to(hear, sender=shop.app):
        stop = shop.upsells.deliver_in_background(shop.app)
        try:
            assert released.wait(timeout=60)
        finally:
            stop()
    assert shop.emulator.stock(PARKING) == stock
