"""Sends what is owed to Rokt, has it settled, and tells of the orders that are settled by it.

Used in line, for the first attempt, and by the worker for the rest. The call is made
between two transactions, never inside one; a lease on the row keeps everybody else away. One
transaction may write down many answers and claim as many rows: see ``bff.draining``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, case, func, select

from bff.cart.order import Order, view_order
from bff.cart.shown_cart import Cart
from bff.outbox.queue import RowState
from bff.rokt.calls import Kind
from bff.rokt.client import Attempt
from bff.store import orders as order_book
from bff.store import reservations as ledger
from bff.store.tables import outbox


def read_order(connection: Connection, order_id: str) -> Order | None:
    """Read an order with its items and how its confirm is going, or None."""
    order = order_book.find_order(connection, order_id)
    if order is None:
        return None
    attempts, next_attempt_at = confirm_progress(connection, order_id)
    return view_order(
        order,
        ledger.rows_of_order(connection, order_id),
        attempts=attempts,
        next_attempt_at=next_attempt_at,
    )


def confirm_progress(connection: Connection, order_id: str) -> tuple[int, datetime | None]:
    """Return how often an order's confirm was tried, and when it is tried next, if it is owed."""
    query = select(
        func.coalesce(func.sum(outbox.c.attempts), 0),
        func.min(
            case((outbox.c.state == RowState.QUEUED.value, outbox.c.next_attempt_at), else_=None)
        ),
    ).where(outbox.c.order_id == order_id, outbox.c.kind == Kind.CONFIRM.name.lower())
    attempts, next_attempt_at = connection.execute(query).one()
    return int(attempts), next_attempt_at


def count_by_state(connection: Connection) -> Mapping[str, int]:
    """Count the rows in each state."""
    query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


class Listener(Protocol):
    """Called after the fact, from any thread; ``session_id`` is our id, no secret."""

    def cart_changed(self, session_id: str, cause: str, cart: Cart) -> None:
        """Tell that a held cart changed, and by which verb."""

    def call_made(self, attempt: Attempt) -> None:
        """Tell that a call to Rokt ended, and how."""

    def hears_of_orders(self) -> bool:
        """Tell whether anybody listens: else the settled orders need not be read."""

    def order_settled(self, order: Order) -> None:
        """Tell that an order is confirmed, cancelled, or needs a refund."""
