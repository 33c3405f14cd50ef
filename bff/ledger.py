"""What stands at Rokt: the rows of reservations and of orders, and their conditional changes.

A state changes only *from a named state*, in one statement: of two that want to release and to
confirm the same reservation, one finds it gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.engine import Row

from bff.documents import dump_item, load_item
from bff.reservation import Reservation, State
from bff.shapes import Order, OrderStatus, order_status, totals_of, view_reservation
from bff.tables import orders, reservations

# What is wrong with an order that paid for what another order had bought: all of it, or a line.
TWICE = "the quote was confirmed before, for another order"
LINE_TWICE = "an item of the quote was confirmed before, for another order"
PAID_TWICE = (TWICE, LINE_TWICE)


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A paid order as stored. ``attributes`` and ``extra`` go into the body of confirm.

    ``quote_id``: the quote that it bought. ``named_quote_id``: the one that the shop named, which
    another order may have bought.
    """

    id: str
    session_id: str
    cart_id: str
    quote_id: str | None
    rokt_session_id: str
    status: OrderStatus
    created_at: datetime
    attributes: Mapping[str, str] = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)
    accept_language: str | None = field(default=None, repr=False)
    last_error: str | None = None
    named_quote_id: str | None = None


def add_reservations(connection: Connection, rows: Iterable[Reservation]) -> None:
    """Write new rows."""
    for row in rows:
        connection.execute(
            reservations.insert().values(
                id=row.id,
                session_id=row.session_id,
                cart_id=row.cart_id,
                revision=row.revision,
                item=dump_item(row.item),
                state=row.state.value,
                quantity=row.quantity,
                unit_price=row.unit_price,
                total_price=row.total_price,
                currency=row.currency,
                created_at=row.created_at,
                rokt_session_id=row.rokt_session_id,
                item_reservation_id=row.item_reservation_id,
                granted_at=row.granted_at,
                expires_at=row.expires_at,
                accepted_price=row.accepted_price,
                reason=row.reason,
                order_id=row.order_id,
                by_quantity=row.by_quantity,
                cancel_requested=row.cancel_requested,
                position=row.position,
            )
        )


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


def quotes_bought(
    connection: Connection, session_id: str, cart_ids: Iterable[str]
) -> tuple[str, ...]:
    """Return the ids of the quotes that orders of these carts bought."""
    query = select(orders.c.quote_id).where(
        orders.c.session_id == session_id,
        orders.c.cart_id.in_(set(cart_ids)),
        orders.c.quote_id.is_not(None),
    )
    return tuple(connection.execute(query).scalars())


def add_order(connection: Connection, order: OrderRow) -> None:
    """Write a new order. Its id is unique: look for it first, in the same transaction."""
    connection.execute(
        orders.insert().values(
            id=order.id,
            session_id=order.session_id,
            cart_id=order.cart_id,
            quote_id=order.quote_id,
            rokt_session_id=order.rokt_session_id,
            status=order.status.value,
            created_at=order.created_at,
            extra=json.dumps(
                {
                    "attributes": dict(order.attributes),
                    "extra": dict(order.extra),
                    "quote": order.named_quote_id,
                },
                default=str,  # as ``bff.calls`` has it
            ),
            accept_language=order.accept_language,
            last_error=order.last_error,
        )
    )


def find_order(
    connection: Connection, order_id: str, *, for_update: bool = False
) -> OrderRow | None:
    """Read an order. ``for_update`` locks its row until the transaction ends."""
    if "\0" in order_id:
        return None  # PostgreSQL refuses to look for it
    query = select(orders).where(orders.c.id == order_id)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    if row is None:
        return None
    more = json.loads(row.extra)
    return OrderRow(
        id=row.id,
        session_id=row.session_id,
        cart_id=row.cart_id,
        quote_id=row.quote_id,
        rokt_session_id=row.rokt_session_id,
        status=OrderStatus(row.status),
        created_at=row.created_at,
        attributes=more["attributes"],
        extra=more["extra"],
        accept_language=row.accept_language,
        last_error=row.last_error,
        named_quote_id=more.get("quote"),
    )


def order_of_quote(connection: Connection, session_id: str, quote_id: str) -> str | None:
    """Return the id of the order that a quote was confirmed for, if any."""
    return connection.execute(
        select(orders.c.id).where(orders.c.session_id == session_id, orders.c.quote_id == quote_id)
    ).scalar()


def first_order(connection: Connection, session_id: str) -> str | None:
    """Return the id of a session's first order, if it has one."""
    query = select(orders.c.id).where(orders.c.session_id == session_id)
    return connection.execute(query.order_by(orders.c.created_at).limit(1)).scalar()


def set_refunded(connection: Connection, order_id: str, at: datetime) -> bool:
    """Note that the shopper has their money back; False when the order needs no refund."""
    result = connection.execute(
        orders.update()
        .where(orders.c.id == order_id, orders.c.status == OrderStatus.REFUND_NEEDED.value)
        .values(refunded_at=at)
    )
    return result.rowcount == 1


def set_error(connection: Connection, order_id: str, last_error: str | None) -> None:
    """Note what went wrong last with an order."""
    connection.execute(orders.update().where(orders.c.id == order_id).values(last_error=last_error))


def conclude(
    connection: Connection, order_id: str, status: OrderStatus, last_error: str | None
) -> None:
    """Write where an order stands and what went wrong last; the caller holds its row."""
    connection.execute(
        orders.update()
        .where(orders.c.id == order_id)
        .values(status=status.value, last_error=last_error)
    )


def sum_up(connection: Connection, order_id: str) -> bool:
    """Set an order's status to what its items say; True when it is another one now."""
    status = order_status(row.state for row in rows_of_order(connection, order_id))
    result = connection.execute(
        orders.update()
        .where(orders.c.id == order_id, orders.c.status != status.value)
        .values(status=status.value)
    )
    return result.rowcount == 1


def view_order(
    order: OrderRow,
    rows: Iterable[Reservation],
    *,
    attempts: int,
    next_attempt_at: datetime | None,
) -> Order:
    """Show an order with its items."""
    items = tuple(view_reservation(row) for row in rows)
    return Order(
        order_id=order.id,
        cart_id=order.cart_id,
        status=order.status,
        items=items,
        totals=totals_of(items),
        attempts=attempts,
        next_attempt_at=next_attempt_at,
        last_error=order.last_error,
    )


def _read(connection: Connection, *conditions: Any) -> tuple[Reservation, ...]:
    query = select(reservations).where(*conditions)
    ordered = query.order_by(reservations.c.created_at, reservations.c.position, reservations.c.id)
    return tuple(_reservation(row) for row in connection.execute(ordered))


def _reservation(row: Row[Any]) -> Reservation:
    return Reservation(
        id=row.id,
        session_id=row.session_id,
        cart_id=row.cart_id,
        revision=row.revision,
        item=load_item(row.item),
        state=State(row.state),
        quantity=row.quantity,
        unit_price=row.unit_price,
        total_price=row.total_price,
        currency=row.currency,
        created_at=row.created_at,
        rokt_session_id=row.rokt_session_id,
        item_reservation_id=row.item_reservation_id,
        granted_at=row.granted_at,
        expires_at=row.expires_at,
        accepted_price=row.accepted_price,
        reason=row.reason,
        order_id=row.order_id,
        by_quantity=row.by_quantity,
        cancel_requested=row.cancel_requested,
        position=row.position,
    )
