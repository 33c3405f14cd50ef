"""Workers on a backlog: each row is sent by one of them, once, and nothing holds the others up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from sqlalchemy import select

from bff.cart.order import OrderRow
from bff.ops.doctor import count_by_state
from bff.outbox import settlement
from bff.outbox.queue import OwedCall
from bff.outbox.senders import SenderPool
from bff.store import orders
from bff.store.database import Store
from bff.store.tables import outbox as outbox_rows
from tests.support.emulator_client import Client
from tests.support.interference import at_once
from tests.support.owed import backlog, status
from tests.support.shop import Shop
from tests.support.waiting import PATIENCE, until

MakeShop = Callable[..., Shop]
LONG = 60.0


@pytest.fixture
def pair(make_shop: MakeShop) -> tuple[Shop, Shop]:
    """Two servers on one database."""
    first = make_shop()
    return first, make_shop(database_url=first.parts.settings.database_url)


def calls_of(shop: Shop) -> dict[str, int]:
    """Say how many calls of confirm took effect or were let in, by order."""
    orders: dict[str, Any] = shop.emulator.state()["orders"]
    return {one: order["items"][0]["confirmCalls"] for one, order in orders.items()}


def test_two_workers_send_each_row_once(pair: tuple[Shop, Shop]) -> None:
    first, second = pair
    order_ids = backlog(first, 40)
    second.clock.ahead = first.clock.ahead
    stop = Event()
    workers = [Thread(target=shop.parts.worker.run, args=[stop]) for shop in pair]
    for worker in workers:
        worker.start()
    until(lambda: len(first.emulator.state()["orders"]) == len(order_ids))
    stop.set()
    for worker in workers:
        worker.join()
    assert calls_of(first) == dict.fromkeys(order_ids, 1)
    assert {status(first, order_id) for order_id in order_ids} == {"confirmed"}
    told = [one["order"].order_id for shop in pair for one in shop.heard.of("confirmed")]
    assert sorted(told) == sorted(order_ids)


def test_who_claims_at_once_gets_different_rows(pair: tuple[Shop, Shop]) -> None:
    first, second = pair
    backlog(first, 30)
    together = Barrier(4)

    def claim(store: Store) -> list[OwedCall]:
        together.wait(PATIENCE)
        with store.write() as connection:
            return first.parts.outbox.claim(connection, 10)

    stores = [first.parts.store, second.parts.store] * 2
    found = at_once([partial(claim, store) for store in stores])
    ids = [owed.id for owns in found for owed in owns]
    assert len(ids) == len(set(ids)) == 30


def test_no_more_is_claimed_than_can_be_sent_at_once(shop: Shop, emulator: Client) -> None:
    order_ids = backlog(shop, 5)
    emulator.faults("confirm", {"kind": "delay", "seconds": 0.5, "times": None})
    with SenderPool(shop.parts.delivery, senders=2) as draining:
        assert draining.step()
        attempts = [shop.parts.checkout.order(one).attempts for one in order_ids]
    assert sorted(attempts) == [1, 1, 1, 2, 2]
    assert sum(status(shop, one) == "confirmed" for one in order_ids) == 2


def test_a_call_that_hangs_holds_up_no_other(shop: Shop, emulator: Client) -> None:
    order_ids = backlog(shop, 6)
    emulator.faults("confirm", {"kind": "hang", "seconds": LONG})
    with SenderPool(shop.parts.delivery, senders=2) as draining:

        def confirmed() -> int:
            draining.step()
            return sum(status(shop, one) == "confirmed" for one in order_ids)

        until(lambda: confirmed() == 5)
        assert len(draining._under_way) == 1  # it hangs still


def test_what_is_due_goes_out_in_time_s_order(shop: Shop) -> None:
    backlog(shop, 5)
    with shop.parts.store.read() as connection:
        due = select(outbox_rows.c.order_id).order_by(outbox_rows.c.next_attempt_at)
        order_ids = connection.execute(due).scalars().all()
    with SenderPool(shop.parts.delivery, senders=1) as draining:
        while draining.step():
            pass
    sent = [one["body"]["orderId"] for one in shop.calls("confirm") if one["status"] == 200]
    assert sent == order_ids


def test_an_answer_that_cannot_be_written_keeps_no_other_from_being(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    order_ids = backlog(shop, 4)

    def fail_on_one(connection: Any, order: OrderRow) -> None:
        if order.id == order_ids[1]:
            raise ZeroDivisionError("a secret")
        orders.set_order(connection, order)

    monkeypatch.setattr(settlement, "set_order", fail_on_one)
    with SenderPool(shop.parts.delivery, senders=4) as draining:
        while draining.step():
            pass
    found = [status(shop, one) for one in order_ids]
    assert found == ["confirmed", "confirming", "confirmed", "confirmed"]
    assert "ZeroDivisionError" in caplog.text
    assert "a secret" not in caplog.text
    monkeypatch.undo()
    shop.clock.move(LONG)
    assert shop.deliver() == 1
    assert {status(shop, one) for one in order_ids} == {"confirmed"}


def test_what_lapsed_is_reserved_again_before_it_is_sent(shop: Shop) -> None:
    order_ids = backlog(shop, 3)
    shop.move_clocks(700)
    with SenderPool(shop.parts.delivery) as draining:
        while draining.step():
            pass
    assert {status(shop, one) for one in order_ids} == {"confirmed"}
    assert calls_of(shop) == dict.fromkeys(order_ids, 1)


def test_the_calls_under_way_are_finished_and_written_down_at_the_end(
    shop: Shop, emulator: Client
) -> None:
    order_ids = backlog(shop, 3)
    emulator.faults("confirm", {"kind": "delay", "seconds": 1.0, "times": None})
    stop = Event()
    worker = Thread(target=shop.parts.worker.run, args=[stop])
    worker.start()
    until(lambda: sum(one["open"] for one in shop.calls("confirm")) == 3)
    stop.set()
    worker.join()
    assert {status(shop, one) for one in order_ids} == {"confirmed"}
    with shop.parts.store.read() as connection:
        assert count_by_state(connection) == {"done": 3}
