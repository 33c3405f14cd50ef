"""What the core tells of carts, calls and orders becomes the app's signals."""

from __future__ import annotations

import logging
from typing import Any

from blinker import Namespace
from flask import Flask

from bff.cart.order import Order, OrderStatus
from bff.cart.shown_cart import Cart
from bff.rokt.client import Attempt
from bff.rokt.outcomes import Done, NotSent, Refused

log = logging.getLogger(__name__)


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
            answer=attempt.response(),
            detail=getattr(outcome, "detail", ""),
        )

    def wants_orders(self) -> bool:
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


_signals = Namespace()


upsell_confirmed = _signals.signal("upsell-confirmed", doc="An order is confirmed: ``order``.")


upsell_refund_needed = _signals.signal(
    "upsell-refund-needed",
    doc="A paid order's upsell cannot be had: ``order``. Give the shopper their money back.",
)


upsell_cart_changed = _signals.signal(
    "upsell-cart-changed",
    doc="A held cart changed: ``session_ref``, ``cause`` (the verb), ``cart``.",
)


upsell_call_made = _signals.signal(
    "upsell-call-made",
    doc=(
        "A call to Rokt ended: ``session_ref``, ``call``, ``started_at``, ``milliseconds``, "
        "``attempt``, ``outcome``, ``status``, ``request`` and ``answer`` (ids, amounts, states "
        "and codes of the bodies; attributes masked), ``detail``."
    ),
)
