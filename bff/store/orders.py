"""The rows of paid orders: written once, and where each stands.

What of an order stands at Rokt is in its items' rows, in ``bff.ledger``; an order's status is
what they say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from bff.cart.order import OrderRow, OrderStatus, order_status
from bff.store.reservations import rows_of_order
from bff.store.tables import orders

# What is wrong with an order that paid for what another order had bought: all of it, or a line.
TWICE = "the quote was confirmed before, for another order"


LINE_TWICE = "an item of the quote was confirmed before, for another order"


PAID_TWICE = (TWICE, LINE_TWICE)


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
    if "\0" in order_id:
        return False  # as in ``find_order``
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
