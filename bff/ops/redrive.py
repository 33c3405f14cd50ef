"""Redriving: owes the calls of an order again that ended badly, when their cause is mended.

A confirm that was refused or given up, and a cancel that was given up, go out again as they
were. Items that need a refund though no such call is about them (they could not be reserved again,
or Rokt confirmed the order without them) get a confirm of their own, before which they are reserved
again where they have to be. A cancel that the provider refused is no fault: ask for it anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, or_, select

from bff.cart.order import OrderStatus
from bff.cart.reservation import BOUGHT_BEFORE, Reservation, State
from bff.config.settings import Settings
from bff.outbox.queue import RowState, enqueue
from bff.rokt.calls import Kind, confirm_call
from bff.store import orders as order_book
from bff.store import reservations as ledger
from bff.store.database import Store
from bff.store.orders import PAID_TWICE
from bff.store.tables import orders, outbox

_GAVE_UP = outbox.c.state == RowState.GAVE_UP.value


_CONFIRM = Kind.CONFIRM.name.lower()


_FAILED = or_(
    and_(outbox.c.kind == _CONFIRM, or_(_GAVE_UP, outbox.c.state == RowState.REFUSED.value)),
    and_(outbox.c.kind == Kind.CANCEL.name.lower(), _GAVE_UP),
)


_LOST = and_(
    orders.c.status == OrderStatus.REFUND_NEEDED.value,
    orders.c.refunded_at.is_(None),
    # What was paid twice was no fault of Rokt's: only who names such an order wants it.
    func.coalesce(orders.c.last_error, "").not_in(PAID_TWICE),
)


def redrive(store: Store, settings: Settings, now: datetime, order_id: str | None) -> int:
    """Owe the failed calls of one order again, or of all (None); returns how many are owed now.

    Confirms only where the shopper has not got their money back. What goes out again has the same
    bytes, and so it stays known that an earlier call may have taken effect.
    """
    with store.read() as connection:
        if order_id is not None:
            found = {order_id}
        else:
            failed = connection.execute(select(outbox.c.order_id).where(_FAILED)).scalars()
            lost = connection.execute(select(orders.c.id).where(_LOST)).scalars()
            found = {*failed, *lost}
    named = order_id is not None
    return sum(_redrive_one(store, settings, now, one, named=named) for one in sorted(found))


def _redrive_one(
    store: Store, settings: Settings, now: datetime, order_id: str, *, named: bool
) -> int:
    """Owe an order's failed calls again, in a transaction of its own; returns how many."""
    deadline = now + timedelta(seconds=settings.confirm_deadline)
    with store.write() as connection:
        # First the order: somebody may be noting at this moment that it was refunded.
        order = connection.execute(
            select(orders.c.status, orders.c.refunded_at)
            .where(orders.c.id == order_id)
            .with_for_update()
        ).one_or_none()
        if order is None:
            return 0
        lost = _lost_items(connection, order_id, named=named)
        query = select(outbox).where(outbox.c.order_id == order_id, _FAILED)
        if order.refunded_at is not None:
            query = query.where(outbox.c.kind != _CONFIRM)
        calls = connection.execute(query).all()
        for call in calls:
            connection.execute(
                outbox.update()
                .where(outbox.c.id == call.id)
                .values(state=RowState.QUEUED.value, next_attempt_at=now, deadline=deadline)
            )
            if call.kind != _CONFIRM:
                # The item is still *cancelling*; only what was told of it is out of date.
                if order.status != OrderStatus.REFUND_NEEDED.value:
                    order_book.set_error(connection, order_id, None)
                continue
            for subject in json.loads(call.subjects):
                ledger.change(connection, subject, State.REFUND_NEEDED, State.CONFIRMING)
        count = len(calls)
        if order.refunded_at is None:
            count += _confirm(connection, order_id, lost, now, deadline)
        order_book.sum_up(connection, order_id)
    return count


def _lost_items(connection: Connection, order_id: str, *, named: bool) -> list[Reservation]:
    """Return the items of an order that need a refund, and may be had yet.

    What another order had bought only where nothing else is wrong with the order, and it is named.
    """
    rows = [
        row
        for row in ledger.rows_of_order(connection, order_id)
        if row.state is State.REFUND_NEEDED
    ]
    wanted = [row for row in rows if row.reason != BOUGHT_BEFORE]
    return wanted or (rows if named else [])


def _confirm(
    connection: Connection,
    order_id: str,
    lost: Sequence[Reservation],
    now: datetime,
    deadline: datetime,
) -> int:
    """Owe a confirm for the items that no call is about any more; returns how many are owed."""
    order = order_book.find_order(connection, order_id)
    rows = [
        row
        for row in lost
        if ledger.change(
            connection,
            row.id,
            State.REFUND_NEEDED,
            State.CONFIRMING,
            reason=None if row.reason == BOUGHT_BEFORE else row.reason,
        )
    ]
    if order is None or not rows:
        return 0
    enqueue(
        connection,
        confirm_call(order, rows),
        session_id=order.session_id,
        order_id=order_id,
        subjects=[row.id for row in rows],
        now=now,
        deadline=deadline,
        in_line=False,
    )
    return 1
