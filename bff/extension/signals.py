"""The signals of an app, and the listener that sends them."""

from __future__ import annotations

import logging
from typing import Any

from blinker import NamedSignal, Namespace
from flask import Flask

from bff.cart.order import Order, OrderStatus
from bff.cart.shown_cart import Cart
from bff.rokt.client import Attempt
from bff.rokt.outcomes import Done, NotSent, Refused

log = logging.getLogger(__name__)

_signals = Namespace()

upsell_confirmed = _signals.signal(
    "upsell-confirmed",
    doc="""Sent when Rokt has confirmed an order's upsell.

    Args:
        order: The ``Order``.
    """,
)

upsell_refund_needed = _signals.signal(
    "upsell-refund-needed",
    doc="""Sent when a paid upsell cannot be had. Give the shopper the money back.

    Args:
        order: The ``Order``. Its items with the status ``refund_needed`` are not sold.
    """,
)

upsell_cart_changed = _signals.signal(
    "upsell-cart-changed",
    doc="""Sent when a held cart, or its state at Rokt, has changed.

    Args:
        session_ref: The session's public name, as ``Upsells.session_ref`` returns it.
        cause: The verb: ``update``, ``sync``, ``reserve``, ``release`` or ``confirm``.
        cart: The ``Cart`` after the change.
    """,
)

upsell_call_made = _signals.signal(
    "upsell-call-made",
    doc="""Sent when a call to Rokt has ended.

    Args:
        session_ref: The session's public name. None: the call belongs to no session.
        call: The call's kind, such as ``reserve`` or ``confirm``.
        started_at: When the call started.
        milliseconds: How long it took.
        attempt: The attempt's number, from 1.
        outcome: ``done``, ``refused``, ``not_sent`` or ``unknown``.
        status: The HTTP status. None: there was no response.
        request: The body sent, with ids, amounts and states; attributes are masked.
        response: The body received, in the same form. None: there was none.
        detail: What went wrong, for people.
    """,
)


class Signals:
    """The ``Listener`` of one app. A receiver that raises is logged and breaks nothing."""

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
            response=attempt.response(),
            detail=getattr(outcome, "detail", ""),
        )

    def wants_orders(self) -> bool:
        """Return whether a receiver listens to the end of orders."""
        return any(
            signal.has_receivers_for(self._app)
            for signal in (upsell_confirmed, upsell_refund_needed)
        )

    def order_settled(self, order: Order) -> None:
        """Send ``upsell-confirmed`` or ``upsell-refund-needed``."""
        if order.status is OrderStatus.REFUND_NEEDED:
            self._send(upsell_refund_needed, order=order)
        elif order.status is OrderStatus.CONFIRMED:
            self._send(upsell_confirmed, order=order)

    def _send(self, signal: NamedSignal, **arguments: Any) -> None:
        for receiver in signal.receivers_for(self._app):
            try:
                receiver(self._app, **arguments)
            except Exception as error:
                # Without the error's text, which may repeat the arguments.
                log.error(
                    "%r, a listener of %s, failed: %s",
                    getattr(receiver, "__qualname__", type(receiver).__name__),
                    signal.name,
                    type(error).__name__,
                )
