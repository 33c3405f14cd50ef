"""Redrive: owes the failed calls of an order again, once their cause is mended.

A confirm that was refused or given up, and a cancel that was given up, are sent again with the
same bytes. An item may need a refund though no such call is about it: it could not be reserved
again, or Rokt confirmed the order without it. Such items get a confirm of their own, before which
they are reserved again if necessary. A cancel that Rokt refused is not a failure: ask for it again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, and_, func, or_, select

from bff.cart.order import PAID_TWICE, OrderRow, OrderStatus
from bff.cart.reservation import BOUGHT_BEFORE, Reservation, State
from bff.outbox.queue import Outbox, RowState
from bff.outbox.settlement import sum_up
from bff.rokt.calls import Kind, confirm_call
from bff.store.database import Store
from bff.store.orders import find_order, set_error
from bff.store.reservations import change, rows_of_order
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
    # Rokt did nothing wrong with an order that paid twice, so it must be named.
    func.coalesce(orders.c.error_code, "").not_in(PAID_TWICE),
)


def redrive(store: Store, queue: Outbox, order_id: str | None) -> int:
    """Owe the failed calls of one order again, or of all orders.

    Confirms are owed only while the shopper does not have their money back. They keep their bytes,
    and so it stays known that an earlier call may have taken effect.

    Args:
        store: The database.
        queue: The outbox.
        order_id: The order. None: all orders.

    Returns:
        How many calls are owed again.

    Raises:
        StoreUnavailable: The database cannot be used right now.
    """
    with store.read() as connection:
        if order_id is not None:
            found = {order_id}
        else:
            failed = connection.execute(select(outbox.c.order_id).where(_FAILED)).scalars()
            lost = connection.execute(select(orders.c.id).where(_LOST)).scalars()
            found = {*failed, *lost}
    count = 0
    for one in sorted(found):
        with store.write() as connection:
            count += _redrive_one(connection, queue, one, named=order_id is not None)
    return count


def _redrive_one(connection: Connection, queue: Outbox, order_id: str, *, named: bool) -> int:
    """Owe an order's failed calls again; returns how many."""
    # Locks the order: its refund may be recorded at this moment.
    order = find_order(connection, order_id, for_update=True)
    if order is None:
        return 0
    refunded_at = select(orders.c.refunded_at).where(orders.c.id == order_id)
    is_refunded = connection.execute(refunded_at).scalar() is not None
    lost = _lost_items(connection, order_id, named=named)
    query = select(outbox).where(outbox.c.order_id == order_id, _FAILED)
    if is_refunded:
        query = query.where(outbox.c.kind != _CONFIRM)
    calls = connection.execute(query).all()
    for call in calls:
        queue.owe_again(connection, call.id)
        if call.kind == _CONFIRM:
            for subject in json.loads(call.subjects):
                change(connection, subject, State.REFUND_NEEDED, State.CONFIRMING)
        elif order.status is not OrderStatus.REFUND_NEEDED:
            set_error(connection, order_id, None)  # the item is still *cancelling*
    count = len(calls)
    if not is_refunded:
        count += _owe_confirm(connection, queue, order, lost)
    after = find_order(connection, order_id) or order
    sum_up(connection, after, rows_of_order(connection, order_id))
    return count


def _lost_items(connection: Connection, order_id: str, *, named: bool) -> list[Reservation]:
    """Return the items that need a refund, and may still be bought.

    An item that another order has bought is among them only if the order was named, and nothing
    else is wrong with it.
    """
    rows = [row for row in rows_of_order(connection, order_id) if row.state is State.REFUND_NEEDED]
    wanted = [row for row in rows if row.reason != BOUGHT_BEFORE]
    return wanted or (rows if named else [])


def _owe_confirm(
    connection: Connection, queue: Outbox, order: OrderRow, lost: Sequence[Reservation]
) -> int:
    """Owe a confirm for the items that no failed call is about; returns how many calls."""
    rows = [
        row
        for row in lost
        if change(
            connection,
            row.id,
            State.REFUND_NEEDED,
            State.CONFIRMING,
            reason=None if row.reason == BOUGHT_BEFORE else row.reason,
        )
    ]
    if not rows:
        return 0
    queue.owe(connection, confirm_call(order, rows), rows, order=order)
    return 1
