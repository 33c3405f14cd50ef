"""Reservation rows: what was asked for at Rokt, an order's items too.

A state changes only from a named state, in one statement. Where one caller releases a row and
another confirms it, only one of them succeeds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select
from sqlalchemy.engine import Row

from bff.cart.reservation import Reservation, State
from bff.store.documents import dump_item, load_item
from bff.store.tables import reservations


def add_reservations(connection: Connection, rows: Iterable[Reservation]) -> None:
    """Insert new rows."""
    for row in rows:
        connection.execute(reservations.insert().values(_columns(row)))


def change(
    connection: Connection, row_id: str, was: State, to: State | None = None, **values: Any
) -> bool:
    """Change a row that is in the state ``was``. False: it is in another state by now."""
    if to is not None:
        values["state"] = to.value
    result = connection.execute(
        reservations.update()
        .where(reservations.c.id == row_id, reservations.c.state == was.value)
        .values(**values)
    )
    return result.rowcount == 1


def answer(connection: Connection, row: Reservation) -> bool:
    """Write an asked row as Rokt's response says. False: it is not *asked* any more."""
    return change(
        connection,
        row.id,
        State.ASKED,
        row.state,
        quantity=row.quantity,
        unit_price=row.unit_price,
        total_price=row.total_price,
        item_reservation_id=row.item_reservation_id,
        granted_at=row.granted_at,
        expires_at=row.expires_at,
        reason=row.reason,
    )


def delete_asked(connection: Connection, ids: Collection[str]) -> None:
    """Delete rows that are still in the state *asked*."""
    connection.execute(
        reservations.delete().where(
            reservations.c.id.in_(ids), reservations.c.state == State.ASKED.value
        )
    )


def rows_of_session(
    connection: Connection, session_id: str, states: Iterable[State]
) -> tuple[Reservation, ...]:
    """Return a session's rows in these states that belong to no order, oldest first."""
    return _read(
        connection,
        reservations.c.session_id == session_id,
        reservations.c.order_id.is_(None),
        reservations.c.state.in_([state.value for state in states]),
    )


def rows_of_order(connection: Connection, order_id: str) -> tuple[Reservation, ...]:
    """Return an order's rows, sorted like the cart's lines."""
    rows = _read(connection, reservations.c.order_id == order_id)
    return tuple(sorted(rows, key=lambda row: row.position))


def rows_by_id(connection: Connection, ids: Iterable[str]) -> tuple[Reservation, ...]:
    """Return rows by their ids, oldest first."""
    return _read(connection, reservations.c.id.in_(list(ids)))


def rows_to_sweep(
    connection: Connection, *, after: str, granted_before: datetime, now: datetime, most: int
) -> tuple[Reservation, ...]:
    """Return reserved rows that have expired, or that were granted before a time.

    Sorted by their ids; ``after`` is the last id of the batch before.
    """
    rows = reservations.c
    query = (
        select(reservations)
        .where(
            rows.state == State.RESERVED.value,
            rows.order_id.is_(None),
            or_(rows.granted_at <= granted_before, rows.expires_at <= now),
            rows.id > after,
        )
        .order_by(rows.id)
        .limit(most)
    )
    return tuple(_reservation(row) for row in connection.execute(query))


def ids_to_renew(
    connection: Connection, ids: Collection[str], expires_by: datetime
) -> frozenset[str]:
    """Return those of these items whose reservation is missing, or gone by a time."""
    if not ids:
        return frozenset()
    rows = reservations.c
    query = select(rows.id).where(
        rows.id.in_(ids),
        rows.state == State.CONFIRMING.value,
        rows.by_quantity.is_(False),
        or_(rows.item_reservation_id.is_(None), rows.expires_at <= expires_by),
    )
    return frozenset(connection.execute(query).scalars())


def items_bought(connection: Connection, session_id: str, cart_id: str) -> frozenset[str]:
    """Return the cart item ids of a cart's lines that orders have bought."""
    of_cart = (reservations.c.session_id == session_id, reservations.c.cart_id == cart_id)
    rows = _read(connection, *of_cart, reservations.c.order_id.is_not(None))
    return frozenset(row.item.cart_item_id for row in rows)


def _read(connection: Connection, *conditions: Any) -> tuple[Reservation, ...]:
    query = select(reservations).where(*conditions)
    ordered = query.order_by(reservations.c.created_at, reservations.c.position, reservations.c.id)
    return tuple(_reservation(row) for row in connection.execute(ordered))


def _columns(row: Reservation) -> dict[str, Any]:
    """Return a row's columns: one for each of its fields, by the same name."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return values | {"item": dump_item(row.item), "state": row.state.value}


def _reservation(row: Row[Any]) -> Reservation:
    values = row._asdict()
    return Reservation(**values | {"item": load_item(row.item), "state": State(row.state)})
