"""An order as it stands, and the listeners that are notified of it."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, case, func, select

from bff.cart.order import Order, OrderRow, OrderStatus, view_order
from bff.cart.reservation import Reservation
from bff.cart.shown_cart import Cart
from bff.outbox.queue import RowState
from bff.rokt.calls import Kind
from bff.rokt.client import Attempt
from bff.store.orders import find_order
from bff.store.reservations import rows_of_order
from bff.store.tables import outbox

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Notified after the fact, from any thread. ``session_id`` is our id, which is not a secret."""

    def cart_changed(self, session_id: str, cause: str, cart: Cart) -> None:
        """A held cart changed; ``cause`` is the verb that changed it."""

    def call_made(self, attempt: Attempt) -> None:
        """A call to Rokt ended."""

    def wants_orders(self) -> bool:
        """Return whether anything listens to settled orders. If not, they need not be read."""

    def order_settled(self, order: Order) -> None:
        """An order is confirmed, cancelled, or needs a refund."""


def read_order(connection: Connection, order_id: str) -> Order | None:
    """Return an order with its items and the progress of its confirm, or None."""
    order = find_order(connection, order_id)
    return None if order is None else view(connection, order, rows_of_order(connection, order_id))


def view(connection: Connection, order: OrderRow, rows: tuple[Reservation, ...]) -> Order:
    """Return an order as a shop sees it, from rows that were just read or written."""
    attempts, next_attempt_at = _confirm_progress(connection, order.id)
    return view_order(order, rows, attempts=attempts, next_attempt_at=next_attempt_at)


def notify(listener: Listener, order: Order) -> None:
    """Tell the listeners of a settled order; one that needs a refund is logged as an error."""
    if order.status is OrderStatus.CONFIRMING:
        return
    if order.status is OrderStatus.REFUND_NEEDED:
        log.error("order %r needs a refund: %s", order.order_id, order.last_error)
    listener.order_settled(order)


def _confirm_progress(connection: Connection, order_id: str) -> tuple[int, datetime | None]:
    """Return how many attempts a confirm had, and when the next is due, if one is owed."""
    query = select(
        func.coalesce(func.sum(outbox.c.attempts), 0),
        func.min(
            case((outbox.c.state == RowState.QUEUED.value, outbox.c.next_attempt_at), else_=None)
        ),
    ).where(outbox.c.order_id == order_id, outbox.c.kind == Kind.CONFIRM.name.lower())
    attempts, next_attempt_at = connection.execute(query).one()
    return int(attempts), next_attempt_at
