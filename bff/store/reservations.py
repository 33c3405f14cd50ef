"""What stands at Rokt: the rows of reservations, an order's items too, and their changes.

A state changes only *from a named state*, in one statement: of two that want to release and to
confirm the same reservation, one finds it gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.engine import Row

from bff.cart.reservation import Reservation, State
from bff.store import reservations as ledger
from bff.store.database import new_id
from bff.store.documents import dump_item, load_item
from bff.store.tables import reservations


def add_reservations(connection: Connection, rows: Iterable[Reservation]) -> None:
    """Write new rows."""
    for row in rows:
        connection.execute(reservations.insert().values(_columns(row)))


def change(
    connection: Connection, row_id: str, was: State, to: State | None = None, **values: Any
) -> bool:
    """Change a row that is in the state ``was``; False when it is not (any more)."""
    if to is not None:
        values["state"] = to.value
    result = connection.execute(
        reservations.update()
        .where(reservations.c.id == row_id, reservations.c.state == was.value)
        .values(**values)
    )
    return result.rowcount == 1


def rows_of_session(
    connection: Connection, session_id: str, states: Iterable[State]
) -> tuple[Reservation, ...]:
    """Read a session's rows in these states that belong to no order, oldest first."""
    return _read(
        connection,
        reservations.c.session_id == session_id,
        reservations.c.order_id.is_(None),
        reservations.c.state.in_([state.value for state in states]),
    )


def rows_of_order(connection: Connection, order_id: str) -> tuple[Reservation, ...]:
    """Read an order's rows, in the order of the cart's lines."""
    rows = _read(connection, reservations.c.order_id == order_id)
    return tuple(sorted(rows, key=lambda row: row.position))


def rows_by_id(connection: Connection, ids: Iterable[str]) -> tuple[Reservation, ...]:
    """Read rows by their ids, oldest first."""
    return _read(connection, reservations.c.id.in_(list(ids)))


def lines_bought(
    connection: Connection, session_id: str, cart_ids: Iterable[str]
) -> frozenset[tuple[str, str]]:
    """Return the lines of these carts that orders have, as pairs of cart id and cart item id.

    A line has its item's id in one cart only: what is added after a purchase is in the next cart.
    """
    own = reservations.c.session_id == session_id
    bought = reservations.c.order_id.is_not(None)
    rows = _read(connection, own, bought, reservations.c.cart_id.in_(set(cart_ids)))
    return frozenset((row.cart_id, row.item.cart_item_id) for row in rows)


def _read(connection: Connection, *conditions: Any) -> tuple[Reservation, ...]:
    query = select(reservations).where(*conditions)
    ordered = query.order_by(reservations.c.created_at, reservations.c.position, reservations.c.id)
    return tuple(_reservation(row) for row in connection.execute(ordered))


def _columns(row: Reservation) -> dict[str, Any]:
    """Return a row's columns: there is one for each of its fields, by the same name."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return values | {"item": dump_item(row.item), "state": row.state.value}


def _reservation(row: Row[Any]) -> Reservation:
    values = row._asdict()
    return Reservation(**values | {"item": load_item(row.item), "state": State(row.state)})


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
