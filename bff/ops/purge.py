"""Purge: deletes ended sessions, settled orders and closed calls, in batches.

It never deletes an order that is confirming or needs a refund, a call that is owed, or a cancel
that was given up. It locks rows before it checks them again. So it cannot run into a payment for an
old session, or a cancel of an old order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, or_, select

from bff.cart.order import OrderStatus
from bff.cart.reservation import State
from bff.outbox.queue import RowState
from bff.rokt.calls import Kind
from bff.store.database import Store
from bff.store.tables import orders, outbox, quotes, reservations, sessions

# Rows in a transaction: a purge of millions must not hold the write lock for seconds.
BATCH = 500

# Ended sessions and closed calls are kept for questions about a complaint.
SESSIONS_KEPT = timedelta(days=7)

# Settled orders are kept as long as a shopper may cancel.
ORDERS_KEPT = timedelta(days=90)

# Expired leases are kept so that the doctor finds that a server died during a reserve.
LEASES_KEPT = timedelta(hours=1)


def purge(store: Store, now: datetime) -> Iterator[int]:
    """Delete in bounded steps, each a transaction; yields how many rows each has deleted."""
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
    given_up = and_(outbox.c.kind == Kind.CANCEL.value, outbox.c.state == RowState.GAVE_UP.value)
    owed = select(outbox.c.id).where(
        outbox.c.order_id == orders.c.id, or_(outbox.c.state == RowState.QUEUED.value, given_up)
    )
    settled = orders.c.status.in_([OrderStatus.CONFIRMED.value, OrderStatus.CANCELLED.value])
    refunded = and_(
        orders.c.status == OrderStatus.REFUND_NEEDED.value,
        orders.c.refunded_at < now - ORDERS_KEPT,
    )
    old = and_(orders.c.created_at < now - ORDERS_KEPT, or_(settled, refunded), ~owed.exists())
    return _delete(connection, orders, old, outbox.c.order_id, reservations.c.order_id)


def _calls(connection: Connection, now: datetime) -> int:
    """Delete closed calls that belong to no order: releases."""
    closed = and_(
        outbox.c.order_id.is_(None),
        outbox.c.state != RowState.QUEUED.value,
        outbox.c.created_at < now - SESSIONS_KEPT,
    )
    return _delete(connection, outbox, closed)


def _sessions(connection: Connection, now: datetime) -> int:
    """Delete ended sessions without an order, with their quotes and reservations.

    A session whose reservations are live stays until the sweep has released them.
    """
    bought = select(orders.c.id).where(orders.c.session_id == sessions.c.id)
    held = select(reservations.c.id).where(
        reservations.c.session_id == sessions.c.id,
        reservations.c.state == State.RESERVED.value,
        or_(reservations.c.expires_at.is_(None), reservations.c.expires_at > now),
    )
    old = and_(sessions.c.expires_at < now - SESSIONS_KEPT, ~bought.exists(), ~held.exists())
    return _delete(connection, sessions, old, quotes.c.session_id, reservations.c.session_id)


def _leases(connection: Connection, now: datetime) -> None:
    """Clear expired leases, which block no request but are a finding of the doctor."""
    connection.execute(
        sessions.update()
        .where(sessions.c.lease_until < now - LEASES_KEPT)
        .values(lease_token=None, lease_until=None)
    )


def _delete(
    connection: Connection, table: Table, old: ColumnElement[bool], *references: Column[str]
) -> int:
    """Delete a batch of old rows, and the rows that refer to them; returns how many old rows.

    A row that another transaction has locked is skipped until the next purge. The second query
    sees what was written before the lock, also in other tables.
    """
    first = select(table.c.id).where(old).limit(BATCH).with_for_update(skip_locked=True, of=table)
    locked = list(connection.execute(first).scalars())
    again = select(table.c.id).where(table.c.id.in_(locked), old)
    ids = list(connection.execute(again).scalars())
    for column in references:
        connection.execute(column.table.delete().where(column.in_(ids)))
    connection.execute(table.delete().where(table.c.id.in_(ids)))
    return len(ids)
