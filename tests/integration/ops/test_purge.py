"""Purging: what is over goes, in batches; what is owed to anybody stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Table, event, func, select, update

from bff.ops import purge as purging
from bff.ops.purge import LEASES_KEPT, ORDERS_KEPT, SESSIONS_KEPT, purge
from bff.store.database import new_id
from bff.store.tables import orders, outbox, quotes, reservations, sessions
from tests.support.interference import at_once
from tests.support.shop import Shop, Shopper, ok, server_get, server_post

DAY = timedelta(days=1)
LONG = SESSIONS_KEPT + 2 * DAY
VERY_LONG = ORDERS_KEPT + 2 * DAY
ALL = (sessions, quotes, reservations, orders, outbox)


def count(shop: Shop, *tables: Table) -> list[int]:
    with shop.parts.store.read() as connection:
        return [connection.execute(select(func.count()).select_from(t)).scalar_one()
                for t in tables or ALL]  # fmt: skip


def purge_later(shop: Shop, after: timedelta) -> int:
    return shop.purge(shop.clock() + after)


def reserve(shop: Shop) -> Shopper:
    shopper = shop.shopper()
    shopper.add()
    shopper.reserve()
    return shopper


def sell(shop: Shop, order_id: str = "order-1", status: int | None = None) -> Shopper:
    """Sell an item; ``status``: what Rokt answers to every confirm from now on."""
    fault = [{"kind": "status", "status": status, "times": None}] if status else []
    shop.emulator.faults("confirm", *fault)
    shopper = reserve(shop)
    shopper.pay(order_id)
    return shopper


def test_a_session_goes_a_week_after_its_end_with_all_that_was_not_sold(shop: Shop) -> None:
    shopper = reserve(shop)
    shopper.post("/cart/release")
    ended = timedelta(seconds=shop.parts.settings.session_seconds)
    assert purge_later(shop, SESSIONS_KEPT - DAY) == 0
    assert count(shop) == [1, 1, 1, 0, 1]
    assert purge_later(shop, ended + SESSIONS_KEPT - DAY / 2) == 1  # the release
    assert count(shop) == [1, 1, 1, 0, 0]
    assert purge_later(shop, ended + SESSIONS_KEPT + DAY) == 1
    assert count(shop) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("said", [True, False], ids=["until then", "for how long not said"])
def test_a_session_for_which_rokt_holds_something_stays_until_it_is_given_back(
    shop: Shop, said: bool
) -> None:
    reserve(shop)
    expires_at = shop.clock() + 10 * SESSIONS_KEPT if said else None
    with shop.parts.store.write() as connection:
        connection.execute(update(reservations).values(expires_at=expires_at))
    shop.move_clocks(LONG.total_seconds())
    assert purge_later(shop, timedelta()) == 0
    assert count(shop) == [1, 1, 1, 0, 0]
    assert shop.sweep() == 1
    assert purge_later(shop, timedelta()) == 1
    assert count(shop, sessions, reservations, outbox) == [0, 0, 1]  # the release is owed


def test_a_session_whose_reservation_has_lapsed_goes(shop: Shop) -> None:
    reserve(shop)
    assert purge_later(shop, LONG) == 1


def test_a_session_in_use_stays_however_old_it_is(shop: Shop) -> None:
    shopper = reserve(shop)
    for _ in range(10):
        shop.move_clocks(20 * 3600)
        shopper.add(quantity=1)
        shopper.add(quantity=2)
        shop.purge()
    assert len(shopper.cart()["items"]) == 1


def test_an_order_stays_three_months_with_its_session_and_can_be_cancelled(shop: Shop) -> None:
    sell(shop)
    assert purge_later(shop, ORDERS_KEPT - DAY) == 0
    assert ok(server_get(shop, "/orders/order-1"))["status"] == "confirmed"
    assert ok(server_post(shop, "/orders/order-1/cancel", {}))["status"] == "cancelled"
    purge_later(shop, VERY_LONG)
    assert count(shop) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("status", [503, 422], ids=["owed", "refund needed"])
def test_what_is_owed_or_needs_a_refund_stays_for_ever(shop: Shop, status: int) -> None:
    sell(shop, status=status)
    before = count(shop)
    assert purge_later(shop, timedelta(days=3650)) == 0
    assert count(shop) == before
    shop.emulator.faults("confirm")
    order = ok(server_get(shop, "/orders/order-1"))
    assert order["status"] == ("confirming" if status == 503 else "refund_needed")
    assert len(order["items"]) == 1


def test_a_cancel_that_is_owed_keeps_its_order(shop: Shop) -> None:
    sell(shop)
    shop.emulator.faults("cancel", {"kind": "status", "status": 503, "times": None})
    ok(server_post(shop, "/orders/order-1/cancel", {}))
    before = count(shop)
    assert purge_later(shop, timedelta(days=3650)) == 0
    assert count(shop) == before


def test_an_order_whose_refund_was_given_goes_three_months_after_that(shop: Shop) -> None:
    sell(shop, status=422)
    given = shop.clock() + timedelta(days=200)
    with shop.parts.store.write() as connection:
        connection.execute(update(orders).values(refunded_at=given))
    assert shop.purge(given + ORDERS_KEPT - DAY) == 0
    assert shop.purge(given + ORDERS_KEPT + DAY) == 2
    assert count(shop) == [0, 0, 0, 0, 0]


def test_a_release_that_is_owed_stays(shop: Shop) -> None:
    shopper = reserve(shop)
    shop.emulator.faults("release", {"kind": "status", "status": 503, "times": None})
    shopper.post("/cart/release")
    purge_later(shop, timedelta(days=3650))
    assert count(shop, outbox) == [1]


def test_of_two_orders_of_a_session_the_one_that_is_owed_keeps_the_session(shop: Shop) -> None:
    shopper = sell(shop, "order-1")
    shopper.add("poster.souvenir")
    shopper.reserve()
    shop.emulator.faults("confirm", {"kind": "status", "status": 503, "times": None})
    shopper.pay("order-2")
    assert purge_later(shop, VERY_LONG) == 1
    assert count(shop, orders, sessions, reservations) == [1, 1, 1]
    assert server_get(shop, "/orders/order-1").status_code == 404
    assert len(ok(server_get(shop, "/orders/order-2"))["items"]) == 1


def test_a_lease_that_a_dead_server_left_is_ended(shop: Shop) -> None:
    reserve(shop)
    end = shop.clock()
    with shop.parts.store.write() as connection:
        connection.execute(update(sessions).values(lease_token="dead", lease_until=end))
    lease = select(sessions.c.lease_token, sessions.c.lease_until)
    for after, left in ((LEASES_KEPT / 2, ("dead", end)), (LEASES_KEPT * 2, (None, None))):
        shop.purge(end + after)
        with shop.parts.store.read() as connection:
            assert tuple(connection.execute(lease).one()) == left


# In batches.


def copy_sessions(shop: Shop, number: int) -> None:
    """Write many ended sessions, each with a quote and a reservation, like the first."""
    with shop.parts.store.write() as connection:
        rows = {t: dict(connection.execute(select(t)).mappings().one()) for t in ALL[:3]}
        for _ in range(number):
            ids = {"session_id": new_id()}
            changes: dict[Table, dict[str, Any]] = {
                sessions: {"id": ids["session_id"], "handle_hash": new_id()},
                quotes: ids | {"id": new_id()},
                reservations: ids | {"id": new_id()},
            }
            for table, changed in changes.items():
                connection.execute(table.insert().values(rows[table] | changed))


@contextmanager
def statements(shop: Shop) -> Iterator[list[str]]:
    """Hear every statement that the database is sent."""
    heard: list[str] = []

    def hear(_c: object, _u: object, statement: str, *_more: object) -> None:
        # How long a lock is waited for is the time that is left: another number each time.
        heard.append(re.sub(r"(lock_timeout =|busy_timeout=) ?\d+", r"\1 …", statement))

    event.listen(shop.parts.store.engine, "before_cursor_execute", hear)
    yield heard
    event.remove(shop.parts.store.engine, "before_cursor_execute", hear)


def test_purging_goes_in_bounded_batches(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "BATCH", 10)
    reserve(shop)
    copy_sessions(shop, 34)
    steps = []
    for step in purge(shop.parts.store, shop.clock() + LONG):
        steps.append(step)
        assert count(shop, sessions) == count(shop, reservations) == count(shop, quotes)
    assert max(steps) == 10
    assert sum(steps) == 35
    assert count(shop) == [0, 0, 0, 0, 0]


def test_purgers_at_once_get_in_nobodys_way(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "BATCH", 5)
    reserve(shop)
    copy_sessions(shop, 59)
    at_once([lambda: purge_later(shop, LONG)] * 4)
    purge_later(shop, LONG)  # what one passed over because another held it
    assert count(shop) == [0, 0, 0, 0, 0]


def test_an_update_costs_the_same_however_many_sessions_are_held(shop: Shop) -> None:
    shopper = reserve(shop)
    with statements(shop) as few:
        shopper.add(quantity=3)
    copy_sessions(shop, 1000)
    with statements(shop) as many:
        shopper.add(quantity=4)
    assert many == few
    with shop.parts.store.read() as connection:
        one = connection.execute(select(sessions.c.handle_hash).limit(1)).scalar_one()
    assert "index" in plan_of(shop, f"SELECT * FROM sessions WHERE handle_hash = '{one}'")


def test_what_is_over_is_found_without_reading_a_whole_table(shop: Shop) -> None:
    sell(shop)
    asked: list[tuple[str, Any]] = []

    def hear(_c: object, _u: object, statement: str, parameters: Any, *_more: object) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            asked.append((statement, parameters))

    event.listen(shop.parts.store.engine, "before_cursor_execute", hear)
    purge_later(shop, LONG)
    event.remove(shop.parts.store.engine, "before_cursor_execute", hear)
    tables = {table.name for table in ALL if any(f"FROM {table}" in one for one, _ in asked)}
    assert tables == {table.name for table in ALL}
    named = "|".join(tables)
    whole = re.compile(rf"seq scan on ({named})|^\W+(\d+, )+'scan ({named})'")
    for statement, parameters in asked:
        for step in plan_of(shop, statement, parameters).splitlines():
            assert not whole.search(step), statement
    if shop.parts.store.is_sqlite:  # the other's plans are of costs, and for few rows any will do
        orders_asked = next(one for one in asked if one[0].startswith("SELECT orders.id"))
        assert "created_at<?" in plan_of(shop, *orders_asked)


def plan_of(shop: Shop, query: str, parameters: Any = ()) -> str:
    """Return how the database would look for this, a line a step."""
    with shop.parts.store.read() as connection:
        if shop.parts.store.is_sqlite:
            explain = "EXPLAIN QUERY PLAN"
        else:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # small tables are read
            explain = "EXPLAIN"
        rows = connection.exec_driver_sql(f"{explain} {query}", parameters)
        return "\n".join(str(row) for row in rows).lower()


# Others who are at it.


@pytest.mark.parametrize("round_", range(3))
def test_who_pays_at_the_last_moment_has_their_order(shop: Shop, round_: int) -> None:
    shoppers = [reserve(shop) for _ in range(4)]
    # Their sessions are over since long, and the payment comes in only now.
    pays = [partial(taken, shopper, f"order-{n}") for n, shopper in enumerate(shoppers)]
    work: list[Callable[[], object]] = [*pays, lambda: purge_later(shop, LONG)]
    outcomes = at_once(work)
    paid = [n for n in range(4) if outcomes[n] is True]
    for n in paid:
        order = ok(server_get(shop, f"/orders/order-{n}"))
        assert len(order["items"]) == 1, "the order has lost its item"
        assert order["status"] == "confirmed"
    assert count(shop, orders) == [len(paid)]


def taken(shopper: Shopper, order_id: str) -> bool:
    """Pay, and tell whether it was taken; who was purged before is told so."""
    body = {"handle": shopper.handle, "orderId": order_id}
    answer = server_post(shopper.shop, "/orders", body)
    assert answer.status_code in (200, 201, 401, 404), answer.text
    return answer.status_code < 300
