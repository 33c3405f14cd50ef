"""Verbs that meet on one row: nobody waits for ever, nobody sees the driver's words."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from threading import Thread

import pytest
from sqlalchemy import Connection, event, select, text, update
from werkzeug.test import TestResponse

from bff.errors import StoreUnavailable
from bff.ops.redrive import redrive
from bff.store import engine as engines
from bff.store.database import Store
from bff.store.orders import set_refunded
from bff.store.tables import orders, sessions
from tests.support.databases import NewDatabase
from tests.support.interference import after_call, at_once
from tests.support.responses import problem_of
from tests.support.shop import Shop, Shopper, ok, server_post
from tests.support.summaries import PARKING, POSTER
from tests.support.waiting import SLACK

ROUNDS = 4


@pytest.fixture
def postgresql(database_kind: str) -> bool:
    return database_kind == "postgresql"


@contextmanager
def held_by_another(shop: Shop) -> Iterator[None]:
    """Hold what a write needs, as a process does that has stopped in the middle."""
    other = Store(shop.parts.store.engine.url.render_as_string(hide_password=False))
    with other.write() as connection:
        connection.execute(select(sessions.c.id).with_for_update())
        yield
    other.close()


def test_who_waits_too_long_for_another_is_told_to_come_back(
    make_shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "LOCK_SECONDS", 0.3)
    shop = make_shop()
    shopper = shop.shopper()
    shopper.add()
    with held_by_another(shop):
        start = time.monotonic()
        problem = problem_of(shopper.update(shopper.item(quantity=2)), 503)
        assert problem["code"] == "store_unavailable"
        assert time.monotonic() - start < SLACK
        assert "sessions" not in problem["detail"]  # nothing of the statement
        assert shopper.cart()["items"][0]["quantity"] == 1  # reading goes on
    assert shopper.add(quantity=2)["items"][0]["quantity"] == 2


def test_a_deadlock_comes_out_as_an_unavailable_store(
    new_database: NewDatabase, postgresql: bool
) -> None:
    store = Store(new_database())
    with store.write() as connection:
        for one in ("a", "b"):
            statement = text(
                "INSERT INTO sessions (id, handle_hash, cart, version, rokt_session_id,"
                " created_at, expires_at) VALUES (:one, :one, '{}', 1, 'r', 0, 0)"
            )
            connection.execute(statement, {"one": one})
    both = threading.Barrier(2 if postgresql else 1)  # SQLite has one writer at a time

    def lock(first: str, second: str) -> str:
        try:
            with store.write() as connection:
                touch = partial(update, sessions)
                connection.execute(touch().where(sessions.c.id == first).values(version=2))
                both.wait(timeout=60)
                connection.execute(touch().where(sessions.c.id == second).values(version=3))
        except StoreUnavailable as error:
            return str(error)
        return "done"

    told = at_once([partial(lock, "a", "b"), partial(lock, "b", "a")])
    store.close()
    if postgresql:
        assert sorted(told)[1] == "done"
        assert "DeadlockDetected" in sorted(told)[0]
    else:
        assert told == ["done", "done"]


def test_a_read_sees_one_state_whatever_is_written_meanwhile(shop: Shop) -> None:
    shopper = shop.shopper()
    shopper.add()
    query = select(sessions.c.version)
    with shop.parts.store.read() as connection:
        before = connection.execute(query).scalar_one()
        shopper.add(quantity=5)
        assert connection.execute(query).scalar_one() == before
    with shop.parts.store.read() as connection:
        assert connection.execute(query).scalar_one() > before


def pay(shopper: Shopper, order_id: str = "order-1") -> TestResponse:
    return server_post(shopper.shop, "/orders", {"handle": shopper.handle, "orderId": order_id})


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_one_order_id_of_two_sessions_at_once_is_taken_once(shop: Shop, round_: int) -> None:
    shoppers = [shop.shopper() for _ in range(3)]
    for shopper in shoppers:
        shopper.add()
        shopper.reserve()
    answers = at_once([partial(pay, shopper) for shopper in shoppers])
    assert sorted(answer.status_code for answer in answers)[1:] == [409, 409]
    assert len(shop.emulator.state()["orders"]) == 1


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_one_order_paid_many_times_at_once_is_one_order(shop: Shop, round_: int) -> None:
    shopper = shop.shopper()
    shopper.add()
    shopper.reserve()
    answers = at_once([partial(pay, shopper)] * 4)
    assert {ok(answer)["orderId"] for answer in answers} == {"order-1"}
    assert len({answer.json["items"][0]["cartItemId"] for answer in answers if answer.json}) == 1
    assert len(shop.calls("confirm")) == 1


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_cancel_and_the_renewal_of_the_same_order_do_not_lock_each_other_out(
    shop: Shop, round_: int, caplog: pytest.LogCaptureFixture
) -> None:
    shopper = shop.shopper()
    for item in (PARKING, POSTER):
        shopper.add(item)
    shopper.reserve()
    shop.move_clocks(3600)  # the reservations have lapsed: the confirm renews them first
    cancel = partial(server_post, shop, "/orders/order-1/cancel", {})
    cancels: list[Thread] = []
    answers: list[TestResponse] = []

    def cancel_meanwhile() -> None:
        for _ in range(4):
            cancels.append(Thread(target=lambda: answers.append(cancel())))
            cancels[-1].start()

    with caplog.at_level(logging.ERROR), after_call(shop, "reserve", cancel_meanwhile):
        ok(pay(shopper))
        for thread in cancels:
            thread.join()
        shop.move_clocks(60)
        shop.deliver()
    assert caplog.text == ""
    assert [answer.status_code for answer in answers] == [200] * 4
    assert ok(cancel())["status"] == "cancelled"


# In what order a transaction locks rows of these tables, as ``bff.store`` has it.
ORDER = ("sessions", "orders", "outbox", "reservations")
LOCKS = re.compile(
    rf"(?:UPDATE|DELETE FROM) ({'|'.join(ORDER)})\b"
    rf"|\bFROM ({'|'.join(ORDER)})\b.*FOR UPDATE(?! SKIP)",
    re.DOTALL,
)


@contextmanager
def locks_of(shop: Shop) -> Iterator[list[list[str]]]:
    """Hear which tables each transaction locks rows of, in the order of the first locks."""
    heard: list[list[str]] = []
    by_connection: dict[int, list[str]] = {}
    engine = shop.parts.store.engine

    def begin(connection: Connection) -> None:
        heard.append([])
        by_connection[id(connection.connection.dbapi_connection)] = heard[-1]

    def execute(connection: Connection, _cursor: object, statement: str, *_more: object) -> None:
        found = LOCKS.search(statement)
        # What the engine itself says at the beginning comes before ``begin``, and locks nothing.
        mine = by_connection.get(id(connection.connection.dbapi_connection), [])
        if found and (found[1] or found[2]) not in mine:
            mine.append(found[1] or found[2])

    event.listen(engine, "begin", begin)
    event.listen(engine, "before_cursor_execute", execute)
    yield heard
    event.remove(engine, "begin", begin)
    event.remove(engine, "before_cursor_execute", execute)


@pytest.mark.postgresql
def test_every_transaction_locks_in_one_order(shop: Shop) -> None:
    with locks_of(shop) as heard:
        shopper = shop.shopper()
        shopper.add(PARKING)
        shopper.add(POSTER)
        shopper.reserve()
        shopper.add(POSTER, 2)
        shopper.reserve()
        ok(pay(shopper))
        ok(server_post(shop, "/orders/order-1/cancel", {}))
        shopper.add(PARKING)
        shopper.reserve()
        shopper.post("/cart/release")
        shopper.reserve()
        shop.move_clocks(3600)
        ok(pay(shopper, "order-2"))  # renews
        shopper.add(POSTER)
        shopper.reserve()
        shopper.remove(POSTER)
        shop.move_clocks(400)
        shop.sweep()
        shop.emulator.faults("confirm", {"kind": "status", "status": 422})
        other = shop.shopper()
        other.add(POSTER)
        other.reserve()
        ok(pay(other, "order-3"))
        assert redrive(shop.parts.store, shop.parts.outbox, None) == 1
        shop.move_clocks(60)
        shop.deliver()
        shop.purge(shop.clock() + timedelta(days=1000))
    several = {tuple(tables) for tables in heard if len(tables) > 1}
    assert len(several) >= 4
    for tables in several:
        assert list(tables) == sorted(tables, key=ORDER.index)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_all_verbs_at_once_on_one_session_get_through(shop: Shop, round_: int) -> None:
    stock = {item: shop.emulator.stock(item) for item in (PARKING, POSTER)}
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.add(POSTER)
    shopper.reserve()
    tabs = [other_tab(shopper) for _ in range(4)]
    sweep = shop.sweep
    work: list[Callable[[], object]] = [
        lambda: tabs[0].add(PARKING, 2),
        lambda: tabs[1].reserve(),
        lambda: ok(tabs[2].post("/cart/release")),
        lambda: ok(pay(shopper)),
        lambda: tabs[3].remove(POSTER),
        sweep,
        shop.deliver,
    ]
    at_once(work)
    for _ in range(3):  # what was let go of, given up and renewed settles
        shop.move_clocks(700)
        sweep()
        shop.deliver()
    order = ok(server_post(shop, "/orders", {"handle": shopper.handle, "orderId": "order-1"}))
    assert order["status"] == "confirmed"
    sold = {item["catalogItemId"]: item["quantity"] for item in order["items"]}
    for item, before in stock.items():
        assert shop.emulator.stock(item) == before - sold.get(item, 0)


def other_tab(shopper: Shopper) -> Shopper:
    """Open another tab of the same browser."""
    tab = Shopper(shopper.shop)
    cookie = shopper.client.get_cookie("rokt_bff")
    assert cookie is not None
    tab.client.set_cookie("rokt_bff", cookie.value)
    return tab


def test_redriving_and_refunding_at_once_leave_one_of_both(shop: Shop) -> None:
    shop.emulator.faults("confirm", {"kind": "status", "status": 422, "times": None})
    for n in range(6):
        shopper = shop.shopper()
        shopper.add()
        shopper.reserve()
        assert ok(pay(shopper, f"order-{n}"))["status"] == "refund_needed"
    parts = shop.parts

    def refund(n: int) -> bool:
        with parts.store.write() as connection:
            return set_refunded(connection, f"order-{n}", shop.clock())

    again = partial(redrive, parts.store, parts.outbox, None)
    work: list[Callable[[], int]] = [again, *[partial(refund, n) for n in range(6)], again]
    done = at_once(work)
    with parts.store.read() as connection:
        rows = connection.execute(select(orders.c.status, orders.c.refunded_at)).all()
    assert all((row.status == "refund_needed") == (row.refunded_at is not None) for row in rows)
    assert sum(done) == 6
