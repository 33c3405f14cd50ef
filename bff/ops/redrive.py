"""Redrive: retries the failed calls of an order, once their cause is mended.

A confirm that was refused or given up, and a cancel that was given up, are sent again with the same
bytes. An item may need a refund although no such call is about it: it was not reserved again, or
Rokt confirmed the order without it. Such items get a new confirm, before which they are reserved
again if necessary. A cancel that Rokt refused has not failed; it can be requested again.
"""

from __future__ import annotations

import json

from sqlalchemy import Connection, and_, func, or_, select

from bff.cart.order import PAID_TWICE, OrderStatus
from bff.cart.reservation import BOUGHT_BEFORE, Reservation, State
from bff.ops.invariants import NEEDS_REFUND
from bff.outbox.queue import Outbox, RowState
from bff.outbox.settlement import sum_up
from bff.rokt.calls import Kind, confirm_call
from bff.store.database import Store
from bff.store.orders import find_order, set_error
from bff.store.reservations import change, rows_of_order
from bff.store.tables import orders, outbox

_IS_CONFIRM = outbox.c.kind == Kind.CONFIRM.value
_GAVE_UP = outbox.c.state == RowState.GAVE_UP.value
_FAILED = or_(
    and_(_IS_CONFIRM, or_(_GAVE_UP, outbox.c.state == RowState.REFUSED.value)),
    and_(outbox.c.kind == Kind.CANCEL.value, _GAVE_UP),
)


def redrive(store: Store, queue: Outbox, order_id: str | None) -> int:
    """Owe the failed calls of an order again, and return how many.

    Confirms are owed only while the shopper has no refund. They keep their bytes, so it stays known
    that an earlier attempt may have taken effect.

    Args:
        store: The database.
        queue: The outbox.
        order_id: The order. None: all orders but those that were paid twice.

    Raises:
        StoreUnavailable: The database cannot be used right now.
    """
    found = {order_id}
    if order_id is None:
        paid_twice = func.coalesce(orders.c.error_code, "").in_(PAID_TWICE)
        failed = select(outbox.c.order_id).where(_FAILED)
        lost = select(orders.c.id).where(NEEDS_REFUND, ~paid_twice)
        with store.read() as connection:
            found = set(connection.execute(failed.union(lost)).scalars())
    count = 0
    for one in sorted(filter(None, found)):
        with store.write() as connection:
            count += _redrive_one(connection, queue, one, named=order_id is not None)
    return count


def _redrive_one(connection: Connection, queue: Outbox, order_id: str, *, named: bool) -> int:
    # Locks the order: its refund may be recorded at this moment.
    order = find_order(connection, order_id, for_update=True)
    if order is None:
        return 0
    refunded_at = select(orders.c.refunded_at).where(orders.c.id == order_id)
    is_refunded = connection.execute(refunded_at).scalar() is not None
    lost = _lost_items(connection, order_id, named=named)
    query = select(outbox).where(outbox.c.order_id == order_id, _FAILED)
    calls = connection.execute(query.where(~_IS_CONFIRM) if is_refunded else query).all()
    for call in calls:
        queue.owe_again(connection, call.id)
        if call.kind == Kind.CONFIRM.value:
            for subject in json.loads(call.subjects):
                change(connection, subject, State.REFUND_NEEDED, State.CONFIRMING)
        elif order.status is not OrderStatus.REFUND_NEEDED:
            set_error(connection, order_id, None)  # the item is still *cancelling*
    # The items that no failed call is about are still *refund_needed*.
    rows = [] if is_refunded else [row for row in lost if _confirm_again(connection, row)]
    if rows:
        queue.owe(connection, confirm_call(order, rows), rows, order=order)
    after = find_order(connection, order_id) or order
    sum_up(connection, after, rows_of_order(connection, order_id))
    return len(calls) + bool(rows)


def _lost_items(connection: Connection, order_id: str, *, named: bool) -> list[Reservation]:
    """Return the items that need a refund, and may still be bought.

    An item that another order has bought is among them only if the order was named, and nothing
    else is wrong with it.
    """
    rows = [row for row in rows_of_order(connection, order_id) if row.state is State.REFUND_NEEDED]
    wanted = [row for row in rows if row.reason != BOUGHT_BEFORE]
    return wanted or (rows if named else [])


def _confirm_again(connection: Connection, row: Reservation) -> bool:
    reason = None if row.reason == BOUGHT_BEFORE else row.reason
    return change(connection, row.id, State.REFUND_NEEDED, State.CONFIRMING, reason=reason)
