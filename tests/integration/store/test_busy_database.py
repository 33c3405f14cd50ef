"""A confirm while others hold the database: it returns in time, and is delivered later."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event, Thread, Timer
from typing import Any

import pytest
from sqlalchemy import select

from bff.outbox.queue import LEASE
from bff.store import engine as engines
from bff.store.database import Store
from bff.store.tables import orders, outbox, sessions
from tests.support.databases import closing
from tests.support.interference import after_call
from tests.support.shop import SERVER, Shop, Shopper, ok
from tests.support.summaries import PARKING, read_order
from tests.support.waiting import FOR_EVER, PATIENCE, SLACK

MakeShop = Callable[..., Shop]
# In it a busy machine records a payment, and asks Rokt.
LIMIT = 6.0


class Holder:
    """Somebody who holds what every confirm needs, until told to let go."""

    def __init__(self, shop: Shop) -> None:
        self._url = shop.parts.store.engine.url.render_as_string(hide_password=False)
        self._has, self._ends = Event(), Event()
        self._thread = Thread(target=self._hold)

    def begin(self) -> None:
        self._thread.start()
        assert self._has.wait(PATIENCE)

    def end(self) -> None:
        self._ends.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _hold(self) -> None:
        with closing(Store(self._url)) as other, other.write() as connection:
            connection.execute(select(sessions.c.id).with_for_update())
            connection.execute(select(orders.c.id).with_for_update())
            self._has.set()
            self._ends.wait(PATIENCE)


@pytest.fixture
def ready(make_shop: MakeShop, monkeypatch: pytest.MonkeyPatch) -> Shopper:
    monkeypatch.setattr(engines, "LOCK_SECONDS", FOR_EVER)  # the limit of the call is shorter
    shopper = make_shop().shopper()
    shopper.add(PARKING)
    shopper.reserve()
    return shopper


@pytest.fixture
def holder(ready: Shopper) -> Iterator[Holder]:
    made = Holder(ready.shop)
    yield made
    made.end()


def pay(shopper: Shopper, *, limited: bool = False) -> tuple[Any, float]:
    start = time.monotonic()
    body = {"handle": shopper.handle, "orderId": "order-1"}
    with shopper.shop.limits(confirm_timeout=LIMIT if limited else 20):
        answer = shopper.shop.app.test_client().post("/rokt/orders", json=body, headers=SERVER)
    return answer, time.monotonic() - start


def test_confirm_returns_in_time_when_rokts_answer_cannot_be_written(
    ready: Shopper, holder: Holder
) -> None:
    with after_call(ready.shop, "confirm", holder.begin):
        answer, spent = pay(ready, limited=True)
    assert ok(answer)["status"] == "confirming"
    assert spent < LIMIT + SLACK
    holder.end()
    ready.shop.clock.move(LEASE.total_seconds() + 1)
    assert ready.shop.deliver() == 1
    assert read_order(ready.shop)["status"] == "confirmed"


def test_a_payment_that_cannot_be_recorded_in_time_is_told_so(
    ready: Shopper, holder: Holder
) -> None:
    holder.begin()
    answer, spent = pay(ready, limited=True)
    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")
    assert spent < LIMIT + SLACK
    holder.end()
    answer, _ = pay(ready)
    assert ok(answer)["status"] == "confirmed"


def test_another_transaction_has_the_usual_time_again(ready: Shopper, holder: Holder) -> None:
    """The connection comes from a pool: it must not remember who had less time."""
    store = ready.shop.parts.store
    with store.write(wait=0.01):
        pass
    holder.begin()
    Timer(0.5, holder.end).start()
    with store.write() as connection:
        connection.execute(select(sessions.c.id).with_for_update())


@contextmanager
def waiting_for_locks(shop: Shop, patch: pytest.MonkeyPatch) -> Iterator[timedelta]:
    """Let every transaction have waited for its locks for so long."""
    waited, write = timedelta(seconds=20), Store.write

    def slow(self: Store, *, wait: float | None = None) -> Any:
        shop.clock.move(waited.total_seconds())
        return write(self, wait=wait)

    with patch.context() as there:
        there.setattr(Store, "write", slow)
        yield waited


def lease_left(shop: Shop) -> timedelta:
    with shop.parts.store.read() as connection:
        query = select(outbox.c.lease_until).where(outbox.c.lease_token.is_not(None))
        until: datetime = connection.execute(query).scalar_one()
    return until - shop.clock()


def test_a_lease_begins_when_the_locks_are_had(
    ready: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = ready.shop
    found: list[timedelta] = []
    shop.emulator.faults("confirm", {"kind": "status", "status": 429})
    with (
        waiting_for_locks(shop, monkeypatch),
        after_call(shop, "confirm", lambda: found.append(lease_left(shop))),
    ):
        pay(ready)
    shop.clock.move(60)
    with waiting_for_locks(shop, monkeypatch):
        shop.parts.delivery.settle_and_claim([], claim=1)
    found.append(lease_left(shop))
    assert all(left > LEASE - timedelta(seconds=5) for left in found), found
