"""Purging what is over: ended sessions, settled orders, closed calls. In batches.

An order that is being confirmed, or that needs a refund which nobody has given, is never purged,
and neither is a call that is owed, or a cancel of which nobody knows what became of it. Rows are
locked before they are looked at for good: whoever pays with a session that ended long ago, or
cancels an old order, does so before or after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Table, and_, or_, select

from bff.cart.order import OrderStatus
from bff.cart.reservation import State
from bff.outbox.queue import RowState
from bff.store.database import Store
from bff.store.tables import orders, outbox, quotes, reservations, sessions

# Rows a transaction: a purge of millions must not hold the write lock for seconds.
BATCH = 500


# Ended sessions and closed calls are kept for a while, to be able to say what a complaint was
# about; orders as long as somebody may come back to cancel.
SESSIONS_KEPT = timedelta(days=7)


ORDERS_KEPT = timedelta(days=90)


# So long the doctor has to see that a server died in the middle of a reserve.
LEASES_KEPT = timedelta(hours=1)


def purge(store: Store, now: datetime) -> Iterator[int]:
    """Delete in bounded steps, a transaction each; each yields how many rows went."""
    steps: Sequence[Callable[[Connection, datetime], int]] = (_orders, _calls, _sessions)
    for step in steps:
        count = BATCH
        while count >= BATCH:
            with store.write() as connection:
                count = step(connection, now)
            yield count
    with store.write() as connection:
        _leases(connection, now)


def _orders(connection: Connection, now: datetime) -> int:
    """Delete settled orders with their items and calls."""
    unknown = and_(outbox.c.kind == "cancel", outbox.c.state == RowState.GAVE_UP.value)
    owed = select(outbox.c.id).where(
        outbox.c.order_id == orders.c.id, or_(outbox.c.state == RowState.QUEUED.value, unknown)
    )
    settled = orders.c.status.in_([OrderStatus.CONFIRMED.value, OrderStatus.CANCELLED.value])
    refunded = and_(
        orders.c.status == OrderStatus.REFUND_NEEDED.value,
        orders.c.refunded_at < now - ORDERS_KEPT,
    )
    old = orders.c.created_at < now - ORDERS_KEPT
    gone = _locked(connection, orders, and_(old, or_(settled, refunded), ~owed.exists()))
    for table in (outbox, reservations):
        connection.execute(table.delete().where(table.c.order_id.in_(gone)))
    connection.execute(orders.delete().where(orders.c.id.in_(gone)))
    return len(gone)


def _calls(connection: Connection, now: datetime) -> int:
    """Delete closed calls that belong to no order: releases."""
    closed = and_(
        outbox.c.order_id.is_(None),
        outbox.c.state != RowState.QUEUED.value,
        outbox.c.created_at < now - SESSIONS_KEPT,
    )
    gone = _locked(connection, outbox, closed)
    connection.execute(outbox.delete().where(outbox.c.id.in_(gone)))
    return len(gone)


def _sessions(connection: Connection, now: datetime) -> int:
    """Delete ended sessions that have no order, with their quotes and unsold items.

    Not while Rokt holds something for them: the sweep gives it back first.
    """
    bought = select(orders.c.id).where(orders.c.session_id == sessions.c.id)
    held = select(reservations.c.id).where(
        reservations.c.session_id == sessions.c.id,
        reservations.c.state == State.RESERVED.value,
        or_(reservations.c.expires_at.is_(None), reservations.c.expires_at > now),
    )
    ended = sessions.c.expires_at < now - SESSIONS_KEPT
    gone = _locked(connection, sessions, and_(ended, ~bought.exists(), ~held.exists()))
    for table in (quotes, reservations):
        connection.execute(table.delete().where(table.c.session_id.in_(gone)))
    connection.execute(sessions.delete().where(sessions.c.id.in_(gone)))
    return len(gone)


def _leases(connection: Connection, now: datetime) -> None:
    """End leases that a server left behind when it died. They bar nobody, but look like a fault."""
    connection.execute(
        sessions.update()
        .where(sessions.c.lease_until < now - LEASES_KEPT)
        .values(lease_token=None, lease_until=None)
    )


def _locked(connection: Connection, table: Table, over: ColumnElement[bool]) -> list[object]:
    """Lock a batch of rows that are over, and return the ids of those that still are.

    A row that somebody else holds is passed over, for the next time. The second look sees what
    was written, also to other tables, before the lock was had.
    """
    first = select(table.c.id).where(over).limit(BATCH).with_for_update(skip_locked=True, of=table)
    ids = list(connection.execute(first).scalars())
    again = select(table.c.id).where(table.c.id.in_(ids), over)
    return list(connection.execute(again).scalars())
