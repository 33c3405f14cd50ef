"""What the core tells of carts, calls and orders becomes the app's signals."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask

from bff.cart_api import Attempt
from bff.outcomes import Done, NotSent, Refused
from bff.shapes import Cart, Order, OrderStatus
from bff.signals import (
    upsell_call_made,
    upsell_cart_changed,
    upsell_confirmed,
    upsell_refund_needed,
)

log = logging.getLogger("bff")


class Signals:
    """The ``Watcher`` of one app: sends the signals, and outlives a listener that raises."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def cart_changed(self, session_id: str, cause: str, cart: Cart) -> None:
        """Send ``upsell-cart-changed``."""
        self._send(upsell_cart_changed, session_ref=session_id, cause=cause, cart=cart)

    def call_made(self, attempt: Attempt) -> None:
        """Send ``upsell-call-made``."""
        outcome = attempt.outcome
        name = {Done: "done", Refused: "refused", NotSent: "not_sent"}.get(type(outcome), "unknown")
        self._send(
            upsell_call_made,
            session_ref=attempt.session_id,
            call=attempt.call.kind.value,
            started_at=attempt.started_at,
            milliseconds=attempt.milliseconds,
            attempt=attempt.number,
            outcome=name,
            status=outcome.status,
            request=attempt.request(),
            answer=attempt.answer(),
            detail=getattr(outcome, "detail", ""),
        )

    def hears_of_orders(self) -> bool:
        """Tell whether anybody listens to how orders end."""
        return any(
            True
            for heard in (upsell_confirmed, upsell_refund_needed)
            for _ in heard.receivers_for(self._app)
        )

    def order_settled(self, order: Order) -> None:
        """Send ``upsell-confirmed`` or ``upsell-refund-needed``, whichever it is."""
        if order.status is OrderStatus.REFUND_NEEDED:
            self._send(upsell_refund_needed, order=order)
        elif order.status is OrderStatus.CONFIRMED:
            self._send(upsell_confirmed, order=order)

    def _send(self, signal: Any, **told: Any) -> None:
        for receiver in signal.receivers_for(self._app):
            try:
                receiver(self._app, **told)
            except Exception as error:
                # Not its text, which may hold what it was told; whose it is is enough to find it.
                log.error(
                    "%r, a listener of %s, failed: %s",
                    getattr(receiver, "__qualname__", type(receiver).__name__),
                    signal.name,
                    type(error).__name__,
                )
