"""Order rows: written once, then only their status and their error change.

An order's items are reservation rows with its id. Its status is what their states say.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from bff.cart.order import OrderError, OrderRow, OrderStatus
from bff.store.tables import orders


def add_order(connection: Connection, order: OrderRow) -> None:
    """Insert an order. Its id is unique, so look for it first, in the same transaction."""
    confirm_members = {
        "attributes": dict(order.attributes),
        "extra": dict(order.extra),
        "quote": order.named_quote_id,
    }
    connection.execute(
        orders.insert().values(
            id=order.id,
            session_id=order.session_id,
            cart_id=order.cart_id,
            quote_id=order.quote_id,
            rokt_session_id=order.rokt_session_id,
            status=order.status.value,
            created_at=order.created_at,
            extra=json.dumps(confirm_members, default=str),  # as ``bff.rokt.calls`` does
            accept_language=order.accept_language,
            last_error=order.last_error,
            error_code=order.error_code,
        )
    )


def find_order(
    connection: Connection, order_id: str, *, for_update: bool = False
) -> OrderRow | None:
    """Return an order, or None. ``for_update`` locks its row until the transaction ends."""
    if "\0" in order_id:
        return None  # PostgreSQL refuses a query with it
    query = select(orders).where(orders.c.id == order_id)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    if row is None:
        return None
    confirm_members = json.loads(row.extra)
    return OrderRow(
        id=row.id,
        session_id=row.session_id,
        cart_id=row.cart_id,
        quote_id=row.quote_id,
        rokt_session_id=row.rokt_session_id,
        status=OrderStatus(row.status),
        created_at=row.created_at,
        attributes=confirm_members["attributes"],
        extra=confirm_members["extra"],
        accept_language=row.accept_language,
        last_error=row.last_error,
        error_code=None if row.error_code is None else OrderError(row.error_code),
        named_quote_id=confirm_members.get("quote"),
    )


def quotes_of_orders(
    connection: Connection, session_id: str, cart_id: str
) -> tuple[str | None, ...]:
    """Return the quote id of each order that was bought from this cart (None: it had no quote)."""
    query = select(orders.c.quote_id).where(
        orders.c.session_id == session_id, orders.c.cart_id == cart_id
    )
    return tuple(connection.execute(query).scalars())


def first_order(connection: Connection, session_id: str) -> str | None:
    """Return the id of a session's first order, or None."""
    query = select(orders.c.id).where(orders.c.session_id == session_id)
    return connection.execute(query.order_by(orders.c.created_at).limit(1)).scalar()


def set_refunded(connection: Connection, order_id: str, at: datetime) -> bool:
    """Record that the shopper has their money back. False: the order needs no refund."""
    if "\0" in order_id:
        return False  # as in ``find_order``
    result = connection.execute(
        orders.update()
        .where(orders.c.id == order_id, orders.c.status == OrderStatus.REFUND_NEEDED.value)
        .values(refunded_at=at)
    )
    return result.rowcount == 1


def set_order(connection: Connection, order: OrderRow) -> None:
    """Write an order's status and error. The caller holds its row."""
    _update(
        connection,
        order.id,
        status=order.status.value,
        last_error=order.last_error,
        error_code=order.error_code,
    )


def set_error(
    connection: Connection, order_id: str, code: OrderError | None, text: str | None = None
) -> None:
    """Write what went wrong last with an order; a code of None clears it."""
    _update(connection, order_id, error_code=code, last_error=text)


def _update(connection: Connection, order_id: str, **values: Any) -> None:
    connection.execute(orders.update().where(orders.c.id == order_id).values(**values))
