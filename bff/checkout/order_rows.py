"""Rows of a paid order that stand for what is not reserved as it was quoted.

What lapsed is reserved again, what another order bought is paid back, and what nobody reserved
goes by quantity where the shop allows it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bff.cart.held_cart import Line
from bff.cart.reservation import BOUGHT_BEFORE, Reservation, State
from bff.store.database import new_id
from bff.store.sessions import Session


def anew(row: Reservation, order_id: str, now: datetime) -> Reservation:
    """Copy a quoted row whose reservation is not there for this order."""
    return replace(
        row,
        id=new_id(),
        state=State.CONFIRMING,
        order_id=order_id,
        item_reservation_id=None,
        expires_at=None,
        created_at=now,
        reason=None,
        by_quantity=False,
        cancel_requested=False,
    )


def bought_before(row: Reservation, order_id: str, now: datetime) -> Reservation:
    """Copy a quoted row whose line another order has bought."""
    again = anew(row, order_id, now)
    return replace(again, state=State.REFUND_NEEDED, reason=BOUGHT_BEFORE)


def by_quantity(session: Session, line: Line, order_id: str, now: datetime) -> Reservation:
    """Make the row of a held line that goes to Rokt by its quantity, unreserved."""
    return Reservation(
        id=new_id(),
        session_id=session.id,
        cart_id=session.cart.cart_id,
        revision=line.revision,
        item=line.item,
        state=State.CONFIRMING,
        quantity=line.item.quantity,
        unit_price=line.item.unit_price,
        total_price=line.item.total_price,
        currency=line.item.currency,
        created_at=now,
        rokt_session_id=session.rokt_session_id,
        order_id=order_id,
        by_quantity=True,
        position=session.cart.lines.index(line),
    )
