"""The signals that a shop can listen to, sent with the Flask app as the sender.

They come after the fact and from any thread, the delivery's too. A listener that raises is
logged and otherwise ignored.
"""

from __future__ import annotations

from blinker import Namespace

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
        "``attempt``, ``outcome``, ``status``, ``request`` and ``answer`` (bodies, no headers; "
        "attributes, further members and echoes masked), ``detail``."
    ),
)
