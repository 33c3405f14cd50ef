"""The outbox: who may attempt an owed call, when, and what a lease that was left behind means."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from bff import upsell_confirmed
from bff.cart.order import Order
from bff.config.settings import Settings
from bff.errors import StoreUnavailable
from bff.ops.doctor import count_by_state
from bff.outbox.delivery import Answered, Delivery
from bff.outbox.queue import LEASE, Outbox, OwedCall, RowState, close
from bff.rokt.calls import cancel_call
from bff.store.database import Store
from tests.support.databases import NewDatabase
from tests.support.interference import at_once
from tests.support.owed import leave_owed
from tests.support.samples import order_row, reservation
from tests.support.shop import Shop
from tests.support.waiting import PATIENCE

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CALL = cancel_call(item_reservation_id="rokt_item_reservation_id.1")
SECOND = timedelta(seconds=1)


@pytest.fixture
def url(new_database: NewDatabase) -> str:
    return new_database()


@pytest.fixture
def database(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()


def queue(now: datetime = NOW) -> Outbox:
    return Outbox(Settings(), lambda: now)


def owe(store: Store, *, claimed: bool = False) -> OwedCall:
    with store.write() as connection:
        return queue().owe(
            connection,
            CALL,
            [reservation(id="row-1"), reservation(id="row-2")],
            order=order_row(),
            claimed=claimed,
        )


def claim(store: Store, now: datetime = NOW) -> OwedCall | None:
    with store.write() as connection:
        return next(iter(queue(now).claim(connection, 1)), None)


def taken(store: Store, now: datetime = NOW) -> OwedCall:
    owed = claim(store, now)
    assert owed is not None
    return owed


def settle(store: Store, owed: OwedCall, state: RowState = RowState.DONE) -> bool:
    with store.write() as connection:
        return close(connection, owed, state)


def postpone(
    store: Store, owed: OwedCall, *, unknown: bool, retry_after: float | None = None
) -> bool:
    with store.write() as connection:
        return queue().postpone(
            connection,
            owed,
            retry_after=retry_after,
            unknown=unknown,
            last_error="no answer",
        )


def counts(store: Store) -> dict[str, int]:
    with store.read() as connection:
        return dict(count_by_state(connection))


def test_a_row_carries_the_call_unchanged(database: Store) -> None:
    written = owe(database)
    owed = taken(database)
    assert (owed.call, owed.subjects, owed.order_id) == (CALL, ("row-1", "row-2"), "order-1")
    assert (owed.attempts, owed.unknown, owed.deadline) == (1, False, written.deadline)
    assert owed.token != written.token


def test_a_claimed_row_is_nobody_elses(database: Store) -> None:
    owe(database)
    taken(database)
    assert claim(database) is None
    assert claim(database, NOW + LEASE - SECOND) is None


def test_a_row_written_in_line_is_claimed_from_the_start(database: Store) -> None:
    owed = owe(database, claimed=True)
    assert (owed.attempts, claim(database)) == (1, None)
    assert settle(database, owed)


def test_threads_that_claim_at_once_share_the_rows_out(database: Store) -> None:
    for _ in range(30):
        owe(database)

    def take_all() -> list[int]:
        got = []
        while (owed := claim(database)) is not None:
            got.append(owed.id)
        return got

    shares = at_once([take_all] * 6)
    ids = [one for share in shares for one in share]
    assert len(ids) == len(set(ids)) == 30


CLAIMER = """
import sys
from datetime import UTC, datetime
from bff.config.settings import Settings
from bff.outbox.queue import Outbox
from bff.store.database import Store
outbox = Outbox(Settings(), lambda: datetime(2026, 1, 1, tzinfo=UTC))
store = Store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
while True:
    with store.write() as connection:
        owed = outbox.claim(connection, 1)
    if not owed:
        break
    print(owed[0].id)
store.close()
"""


def test_processes_that_claim_at_once_share_the_rows_out(database: Store, url: str) -> None:
    for _ in range(40):
        owe(database)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # both are up: now they go
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ids = [
        int(one)
        for process in processes
        for one in process.communicate(timeout=PATIENCE)[0].split()
    ]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(ids) == len(set(ids)) == 40


def test_a_lease_that_was_left_behind_makes_the_attempt_unknown(database: Store) -> None:
    owe(database)
    taken(database)
    again = taken(database, NOW + LEASE)
    assert (again.attempts, again.unknown) == (2, True)


@pytest.mark.parametrize("unknown", [False, True])
def test_a_postponed_row_waits_and_remembers_what_is_unknown(
    database: Store, unknown: bool
) -> None:
    owe(database)
    assert postpone(database, taken(database), unknown=unknown, retry_after=10)
    assert claim(database, NOW + 9 * SECOND) is None
    again = taken(database, NOW + 10 * SECOND)
    assert (again.attempts, again.unknown) == (2, unknown)
    assert postpone(database, again, unknown=False)
    # Once unknown, always unknown: a later attempt that was surely not sent changes nothing.
    assert taken(database, NOW + 60 * SECOND).unknown is unknown


def test_however_long_rokt_asks_to_wait_it_is_obeyed_up_to_the_deadline(database: Store) -> None:
    day = 24 * 3600.0
    owe(database)
    owed = taken(database)
    assert postpone(database, owed, unknown=False, retry_after=day)
    assert claim(database, NOW + timedelta(seconds=day) - SECOND) is None
    again = taken(database, NOW + timedelta(seconds=day))
    assert postpone(database, again, unknown=False, retry_after=300 * day)
    assert claim(database, owed.deadline - SECOND) is None
    taken(database, owed.deadline)  # for the last time


def test_who_lost_the_lease_can_neither_settle_nor_postpone(database: Store) -> None:
    owe(database)
    loser = taken(database)
    winner = taken(database, NOW + LEASE)
    assert not settle(database, loser, RowState.REFUSED)
    assert not postpone(database, loser, unknown=True)
    assert settle(database, winner)
    assert not settle(database, loser, RowState.REFUSED)
    assert counts(database) == {"done": 1}


def test_a_settled_row_is_never_claimed_again(database: Store) -> None:
    for state in (RowState.DONE, RowState.REFUSED, RowState.GAVE_UP, RowState.REPLACED):
        owe(database)
        owed = taken(database)
        assert settle(database, owed, state)
        assert not settle(database, owed, RowState.DONE)
    assert claim(database, NOW + timedelta(days=9)) is None


def test_what_is_due_longest_comes_first(database: Store) -> None:
    first, second = owe(database), owe(database)
    assert [taken(database).id, taken(database).id] == [first.id, second.id]


def test_one_run_works_off_what_is_due_and_no_more(shop: Shop) -> None:
    leave_owed(shop, "order-1", "order-2", "order-3")
    shop.clock.move(-60)
    assert shop.deliver() == 0
    shop.clock.move(60)
    assert shop.deliver() == 3
    assert shop.deliver() == 0


def test_the_loop_delivers_and_stops_when_told(shop: Shop) -> None:
    leave_owed(shop, "order-1")
    confirmed = threading.Event()

    def hear(_app: Flask, **_told: Order) -> None:
        confirmed.set()

    with upsell_confirmed.connected_to(hear, sender=shop.app):
        end = shop.upsells.deliver_in_background(shop.app)
        try:
            assert confirmed.wait(PATIENCE)
        finally:
            end()
    assert not any(thread.name == "rokt-bff worker" for thread in threading.enumerate())


def test_a_loop_that_is_stopped_already_makes_no_call(shop: Shop) -> None:
    leave_owed(shop, "order-1")
    stop = threading.Event()
    stop.set()
    shop.parts.worker.run(stop)
    assert len(shop.calls("confirm")) == 1


@pytest.mark.parametrize("trouble", [StoreUnavailable("gone"), ZeroDivisionError("a secret")])
def test_the_loop_survives_trouble_with_one_row(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    trouble: Exception,
) -> None:
    leave_owed(shop, "order-1", "order-2")
    make, stop = Delivery.make, threading.Event()
    seen: list[str | None] = []

    def fail_first(self: Delivery, owed: OwedCall, *, renews: bool) -> Answered | None:
        seen.append(owed.order_id)
        if len(seen) == 1:
            raise trouble
        answered = make(self, owed, renews=renews)
        stop.set()
        return answered

    monkeypatch.setattr(Delivery, "make", fail_first)
    thread = threading.Thread(target=shop.parts.worker.run, args=[stop])
    thread.start()
    thread.join(PATIENCE)
    stop.set()
    assert sorted(filter(None, seen)) == ["order-1", "order-2"]
    assert [order["order"].order_id for order in shop.heard.of("confirmed")] == seen[1:]
    assert len(caplog.records) == 1
    assert "a secret" not in caplog.text
    monkeypatch.undo()
    shop.clock.move(LEASE.total_seconds() + 1)
    assert shop.deliver() == 1  # the first one comes again
