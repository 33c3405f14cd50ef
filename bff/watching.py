"""What is told to those who watch: carts that changed, calls that were made, orders settled.

The core knows only this interface; ``bff.extension`` turns it into signals of the app. A
watcher that fails is logged and otherwise ignored: it must not undo a payment.
"""

from __future__ import annotations

from typing import Protocol

from bff.cart_api import Attempt
from bff.shapes import Cart, Order


class Watcher(Protocol):
    """Called after the fact, from any thread; ``session_id`` is our id, no secret."""

    def cart_changed(self, session_id: str, cause: str, cart: Cart) -> None:
        """Tell that a held cart changed, and by which verb."""

    def call_made(self, attempt: Attempt) -> None:
        """Tell that a call to Rokt ended, and how."""

    def hears_of_orders(self) -> bool:
        """Tell whether anybody listens: else the settled orders need not be read."""

    def order_settled(self, order: Order) -> None:
        """Tell that an order is confirmed, cancelled, or needs a refund."""
