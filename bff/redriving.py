"""Redriving: owes the calls of an order again that ended badly, when their cause is mended.

A confirm that was refused or given up (the order is in ``refund_needed``), and a cancel that was
given up. A cancel that the provider refused is no fault: ask for it anew.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select

from bff.calls import Kind
from bff.config import Settings
from bff.faultpoints import reach
from bff.ledger import change, set_error, sum_up
from bff.outbox import RowState
from bff.reservation import State
from bff.shapes import OrderStatus
from bff.store import Store
from bff.tables import orders, outbox

_GAVE_UP = outbox.c.state == RowState.GAVE_UP.value
_CONFIRM = Kind.CONFIRM.name.lower()
_FAILED = or_(
    and_(outbox.c.kind == _CONFIRM, or_(_GAVE_UP, outbox.c.state == RowState.REFUSED.value)),
    and_(outbox.c.kind == Kind.CANCEL.name.lower(), _GAVE_UP),
)


def redrive(store: Store, settings: Settings, now: datetime, order_id: str | None) -> int:
    """Owe the failed calls of one order again, or of all (None); returns how many are owed now.

    Confirms only where the shopper has not got their money back. The bytes stay the same, and so
    does the knowledge that an earlier call may have taken effect.
    """
    query = select(outbox.c.order_id).where(_FAILED).distinct()
    if order_id is not None:
        query = query.where(outbox.c.order_id == order_id)
    with store.read() as connection:
        found = connection.execute(query).scalars().all()
    return sum(_redrive_one(store, settings, now, one) for one in found)


def _redrive_one(store: Store, settings: Settings, now: datetime, order_id: str) -> int:
    """Owe an order's failed calls again, in a transaction of its own; returns how many."""
    with store.write() as connection:
        # First the order: somebody may be noting at this moment that it was refunded.
        order = connection.execute(
            select(orders.c.status, orders.c.refunded_at)
            .where(orders.c.id == order_id)
            .with_for_update()
        ).one_or_none()
        if order is None:
            return 0
        query = select(outbox).where(outbox.c.order_id == order_id, _FAILED)
        if order.refunded_at is not None:
            query = query.where(outbox.c.kind != _CONFIRM)
        calls = connection.execute(query).all()
        for call in calls:
            connection.execute(
                outbox.update()
                .where(outbox.c.id == call.id)
                .values(
                    state=RowState.QUEUED.value,
                    next_attempt_at=now,
                    deadline=now + timedelta(seconds=settings.confirm_deadline),
                )
            )
            if call.kind != _CONFIRM:
                # The item is still *cancelling*; only what was told of it is out of date.
                if order.status != OrderStatus.REFUND_NEEDED.value:
                    set_error(connection, order_id, None)
                continue
            for subject in json.loads(call.subjects):
                change(connection, subject, State.REFUND_NEEDED, State.CONFIRMING)
        sum_up(connection, order_id)
        reach("redrive.owing")
    reach("redrive.owed")
    return len(calls)
