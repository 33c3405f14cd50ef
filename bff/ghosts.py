"""Reserves without an answer: Rokt may hold their items for us without our knowing (*ghosts*).

Each is a row in the state *asked*, written before the call and left there when nobody knows what
became of it. While a ghost may stand at Rokt, what Rokt denies may be denied because of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bff import ledger
from bff.reservation import Reservation, State
from bff.store import new_id
from bff.tables import reservations

# How long a reservation of which we know nothing may stand at Rokt. Its length is not documented;
# an hour is longer than any checkout.
GHOST = timedelta(hours=1)


def find(connection: Connection, session_id: str, now: datetime) -> frozenset[str]:
    """Return the cart item ids that Rokt may hold for a session without our knowing."""
    unanswered = ledger.rows_of_session(connection, session_id, [State.ASKED])
    return frozenset(x.item.cart_item_id for x in unanswered if x.created_at > now - GHOST)


def note(
    connection: Connection, rows: Sequence[Reservation], now: datetime
) -> dict[str, Reservation]:
    """Write that items of an order are about to be asked for; the notes by their rows' ids."""
    notes = {
        row.id: replace(
            row,
            id=new_id(),
            state=State.ASKED,
            order_id=None,
            created_at=now,
            item_reservation_id=None,
            granted_at=None,
            expires_at=None,
        )
        for row in rows
    }
    ledger.add_reservations(connection, notes.values())
    return notes


def forget(connection: Connection, notes: Iterable[Reservation]) -> None:
    """Take back the notes of what was answered: it is known now."""
    ids = [row.id for row in notes]
    connection.execute(
        reservations.delete().where(
            reservations.c.id.in_(ids), reservations.c.state == State.ASKED.value
        )
    )


def may_hold(doubted: frozenset[str], row: Reservation, answer: Reservation) -> bool:
    """Tell whether what ``answer`` denies of a row may be what a ghost holds. Pure."""
    if row.item.cart_item_id not in doubted:
        return False
    if answer.state is State.REJECTED:
        return answer.item_reservation_id is None
    return answer.quantity < row.quantity
