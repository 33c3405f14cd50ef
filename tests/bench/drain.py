"""A backlog of confirms and two workers: how fast it drains, and whether memory stays flat.

The rows are written by the functions that the checkout uses, and each stands for a reservation
that the emulator really holds. The emulator's own records prove that every order was confirmed
by exactly one call. The machine is shared, so the processor time of one confirm is shown beside
the rate. ``--size``: rows.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bff.cart.held_cart import CartItem
from bff.cart.order import OrderRow, OrderStatus
from bff.cart.reservation import Reservation, State
from bff.config.settings import Settings
from bff.ops.doctor import count_by_state, examine_database
from bff.outbox.queue import Outbox, RowState
from bff.rokt.calls import confirm_call
from bff.store import orders as order_book
from bff.store import reservations as ledger
from bff.store.database import Store, new_id
from bff.store.handles import new_handle
from bff.store.sessions import Session, create_session
from tests.bench.places import database, emulator, table
from tests.support.emulator_client import Client
from tests.support.processes import ROKT_BFF, Started, settings_for, started

SIZE = 10_000
WORKERS = 2
A_CART = 100
NAMES = (
    "database",
    "seconds",
    "a second",
    "calls",
    "twice",
    "MB after 10 %",
    "MB at end",
    "ms of workers",
    "ms of Rokt",
)
# Slower than this for so long, and the run is given up.
PATIENCE = 600.0
# What was promised: calls a second, and megabytes by which a worker grows on the way.
LEAST_RATE = 200.0
MOST_GROWTH = 8.0


@dataclass(frozen=True, slots=True)
class Drained:
    """How a backlog went: ``memory`` of each worker in MB, after a tenth and at the end."""

    seconds: float
    calls: int
    twice: int
    memory: tuple[list[float], list[float]]
    spent: tuple[float, float]


def run(folder: Path, kinds: list[str], size: int) -> list[str]:
    """Measure and print; returns what is less than was promised."""
    rows: list[list[object]] = [list(NAMES)]
    short: list[str] = []
    for kind in kinds:
        drained = measure(folder, kind, size)
        rate = size / drained.seconds
        memory = [" + ".join(f"{one:.1f}" for one in some) for some in drained.memory]
        costs = [f"{1000 * seconds / size:.2f}" for seconds in drained.spent]
        counted = [f"{drained.seconds:.1f}", f"{rate:.0f}", drained.calls, drained.twice]
        rows.append([kind, *counted, *memory, *costs])
        grown = max(end - tenth for tenth, end in zip(*drained.memory, strict=True))
        short += [f"{kind}: {rate:.0f} a second, not {LEAST_RATE:.0f}"] * (rate < LEAST_RATE)
        short += [f"{kind}: {drained.twice} orders were confirmed twice"] * bool(drained.twice)
        short += [f"{kind}: a worker grew by {grown:.1f} MB"] * (grown > MOST_GROWTH)
    table(f"drain: {size} owed confirms, {WORKERS} x rokt-bff deliver", rows)
    return short


def measure(folder: Path, kind: str, size: int) -> Drained:
    """Drain one backlog."""
    with ExitStack() as stack:
        client, rokt = stack.enter_context(emulator(folder))
        url = stack.enter_context(database(kind, folder))
        target = Store(url)
        stack.callback(target.close)
        environ = settings_for(client.url, database_url=url)
        workers = [
            stack.enter_context(started(ROKT_BFF, "deliver", folder=folder, environ=environ))
            for _ in range(WORKERS)
        ]
        for worker in workers:
            worker.wait_for(r"(Delivering)")
        owe(target, client, size)
        before = [busy(one) for one in (*workers, rokt)]
        memory = watch(target, workers, size)
        spent = [busy(one) - was for one, was in zip((*workers, rokt), before, strict=True)]
        for worker in workers:
            assert worker.stop() == 0, worker.printed
        seconds, calls, twice = judge(client, target, size)
        both = memory[len(memory) // 10], memory[-1]
        return Drained(seconds, calls, twice, both, (sum(spent[:-1]), spent[-1]))


def judge(client: Client, target: Store, size: int) -> tuple[float, int, int]:
    """Look at the emulator's records: each order was confirmed, its effect came once.

    Gives the seconds from the first call to the last, the calls, and the orders that had several.
    """
    entries = client.journal("?endpoint=confirm")
    times = [datetime.fromisoformat(entry["at"]) for entry in entries]
    seconds = (max(times) - min(times)).total_seconds()
    orders = client.state()["orders"]
    assert len(orders) == size, f"{len(orders)} orders are confirmed"
    items = [order["items"][0] for order in orders.values()]
    assert all(item["fulfilled"] == 1 for item in items)
    twice = sum(item["confirmCalls"] > 1 for item in items)
    assert list(examine_database(target, datetime.now(UTC))) == []
    return seconds, len(entries), twice


def watch(target: Store, workers: list[Started], size: int) -> list[list[float]]:
    """Wait until all rows are done; give the workers' memory in MB, as it went."""
    memory: list[list[float]] = []
    end = time.monotonic() + PATIENCE
    while True:
        with target.read() as connection:
            done = count_by_state(connection).get(RowState.DONE, 0)
        memory.append([resident(worker) for worker in workers])
        if done == size:
            return memory
        assert time.monotonic() < end, f"{done} of {size} are done"
        time.sleep(1.0)


def resident(worker: Started) -> float:
    """Give a process's resident memory in MB."""
    text = Path(f"/proc/{worker.process.pid}/status").read_text()
    return next(int(x.split()[1]) for x in text.splitlines() if x.startswith("VmRSS")) / 1024


def busy(process: Started) -> float:
    """Give the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{process.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def owe(target: Store, client: Client, size: int, *, after: int = 0) -> None:
    """Reserve at the emulator and write the orders as paid, in one transaction.

    ``after``: how many orders there are already.
    """
    now = datetime.now(UTC)
    queue = Outbox(Settings(), lambda: now)
    size += after
    with target.write() as connection:
        for start in range(after, size, A_CART):
            handle = new_handle()
            session = create_session(
                connection, handle, now=now, expires_at=now + timedelta(days=1)
            )
            lines = [
                (f"v1:{n}:parking.standard", 1) for n in range(start, min(start + A_CART, size))
            ]
            answer = client.reserve(*lines, cart=session.cart.cart_id)
            for n, granted in enumerate(answer.json()["items"], start):
                row = _row(session, granted, f"order-{n}", now)
                ledger.add_reservations(connection, [row])
                order = OrderRow(
                    id=f"order-{n}",
                    session_id=session.id,
                    cart_id=session.cart.cart_id,
                    quote_id=None,
                    rokt_session_id=session.rokt_session_id,
                    status=OrderStatus.CONFIRMING,
                    created_at=now,
                    attributes={},
                    extra={},
                )
                order_book.add_order(connection, order)
                queue.owe(connection, confirm_call(order, [row]), [row], order=order)


def _row(session: Session, granted: dict[str, Any], order_id: str, now: datetime) -> Reservation:
    price = Decimal(str(granted["unitPrice"]))
    item = CartItem(granted["cartItemId"], "parking.standard", "Parking", "", 1, price, "USD")
    return Reservation(
        id=new_id(),
        session_id=session.id,
        cart_id=session.cart.cart_id,
        revision=1,
        item=item,
        state=State.CONFIRMING,
        quantity=1,
        unit_price=price,
        total_price=price,
        currency="USD",
        created_at=now,
        rokt_session_id=session.rokt_session_id,
        item_reservation_id=granted["itemReservationId"],
        granted_at=now,
        expires_at=now + timedelta(hours=20),
        order_id=order_id,
    )
