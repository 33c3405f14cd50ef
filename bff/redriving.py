"""Redriving: owes the confirm of an order in ``refund_needed`` again, when its cause is mended."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from sqlalchemy import and_, select

from bff.calls import Kind
from bff.config import Settings
from bff.ledger import change, sum_up
from bff.outbox import RowState
from bff.reservation import State
from bff.store import Store
from bff.tables import orders, outbox

_FAILED = and_(
    outbox.c.kind == Kind.CONFIRM.name.lower(),
    outbox.c.state.in_([RowState.REFUSED.value, RowState.GAVE_UP.value]),
)


def redrive(store: Store, settings: Settings, now: datetime, order_id: str | None) -> int:
    """Owe the confirm of one order again, or of all (None); returns how many are owed now.

    Only confirms that Rokt refused or that were given up, of orders whose shopper has not got
    their money back; their bytes stay the same, and so does the knowledge that an earlier call
    may have taken effect.
    """
    query = select(outbox.c.order_id).where(_FAILED).distinct()
    if order_id is not None:
        query = query.where(outbox.c.order_id == order_id)
    with store.read() as connection:
        found = connection.execute(query).scalars().all()
    return sum(_redrive_one(store, settings, now, one) for one in found)


def _redrive_one(store: Store, settings: Settings, now: datetime, order_id: str) -> int:
    """Owe an order's failed confirm again, in a transaction of its own; returns how many."""
    with store.write() as connection:
        # First the order: somebody may be noting at this moment that it was refunded.
        order = connection.execute(
            select(orders.c.refunded_at).where(orders.c.id == order_id).with_for_update()
        ).one_or_none()
        if order is None or order.refunded_at is not None:
            return 0
        query = select(outbox).where(outbox.c.order_id == order_id, _FAILED)
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
            for subject in json.loads(call.subjects):
                change(connection, subject, State.REFUND_NEEDED, State.CONFIRMING)
        sum_up(connection, order_id)
    return len(calls)
