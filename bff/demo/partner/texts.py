"""What shoppers read about a failed payment, and about the state of each extra. Pure.

The BFF's states are for programs. These are the theater's own words for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bff.demo.partner.bookings import Booking


@dataclass(frozen=True, slots=True)
class Problem:
    """The message at the top of a page."""

    title: str
    text: str = ""


CHANGED = Problem(
    "Your total has changed",
    "Nothing was charged. Please check the new total, then pay again.",
)
NOT_HELD = Problem(
    "Your extras could not be held",
    "Nothing was charged. You can try again, or pay for your seats alone.",
)
CHECK = Problem("Please check your details", "Nothing has been charged yet.")
NOT_CANCELED = Problem("That could not be canceled just now", "Please try again in a minute.")
PROVIDER_REFUSED = Problem(
    "The provider did not agree", "Your extra stays booked, and nothing is refunded."
)


@dataclass(frozen=True, slots=True)
class ItemState:
    """The state of one extra, in words. ``tone`` is good, wait, bad or over."""

    cart_item_id: str
    name: str
    quantity: int
    total: Decimal
    title: str
    text: str
    tone: str
    can_cancel: bool = False
    refund: Decimal = Decimal(0)


_STATES: Mapping[str, tuple[str, str, str]] = {
    "confirmed": ("Confirmed", "The provider has your booking.", "good"),
    "cancelling": (
        "Being canceled",
        "We are asking the provider. Once they agree, you get the money back.",
        "wait",
    ),
    "cancelled": ("Canceled", "You get back what you paid for it.", "over"),
    "refund_needed": (
        "Not available after all",
        "We are sorry. You get back what you paid for it. Your seats are not affected.",
        "bad",
    ),
}
_CONFIRMING = (
    "Being confirmed",
    "Paid. The provider has not answered yet. This page updates by itself.",
    "wait",
)
_UNKNOWN: Mapping[str, tuple[str, str, str]] = {
    "owed": _CONFIRMING,
    "refused": _STATES["refund_needed"],
    "yes": (
        "Booked",
        "We cannot look up its state just now. This page tries again.",
        "wait",
    ),
}
_REFUNDED = frozenset({"cancelled", "refund_needed"})


def item_states(order: Mapping[str, Any]) -> list[ItemState]:
    """Return the state of each extra of the BFF's order."""
    return [_item_state(item) for item in order["items"]]


def unknown_states(booking: Booking) -> list[ItemState]:
    """Return the state of the extras if the BFF's order cannot be read."""
    if booking.recorded == "none":
        return []
    title, text, tone = _UNKNOWN[booking.recorded]
    refund = booking.extras if booking.recorded == "refused" else Decimal(0)
    return [ItemState("", "Your extras", 1, booking.extras, title, text, tone, refund=refund)]


def _item_state(item: Mapping[str, Any]) -> ItemState:
    status, total = item["status"], Decimal(item["totalPrice"])
    title, text, tone = _STATES.get(status, _CONFIRMING)
    return ItemState(
        cart_item_id=item["cartItemId"],
        name=item["name"],
        quantity=item["quantity"],
        total=total,
        title=title,
        text=text,
        tone=tone,
        can_cancel=status == "confirmed",
        refund=total if status in _REFUNDED else Decimal(0),
    )
