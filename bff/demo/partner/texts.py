"""What the partner tells a shopper: about a payment that was not made, and about each extra. Pure.

The BFF's states are for programs; these are the theatre's own words for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bff.demo.partner.bookings import Booking


@dataclass(frozen=True, slots=True)
class Problem:
    """What stands above a page."""

    title: str
    text: str = ""


CHANGED = Problem(
    "Your total has changed",
    "Nothing was charged. Please look at the new total, and pay again.",
)
NOT_HELD = Problem(
    "Your extras could not be held",
    "Nothing was charged. You can try again, or pay for your seats alone.",
)
CHECK = Problem("Please check your details", "Nothing was charged yet.")
NOT_CANCELED = Problem("That could not be canceled just now", "Please try again in a minute.")
PROVIDER_REFUSED = Problem(
    "The provider did not agree", "It stays booked, and nothing is refunded."
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one extra of a booking stands. ``tone``: good, wait, bad or over."""

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
    "Paid. The provider has not answered yet; this page looks again by itself.",
    "wait",
)
_UNTOLD: Mapping[str, tuple[str, str, str]] = {
    "owed": _CONFIRMING,
    "refused": _STATES["refund_needed"],
    "yes": ("Booked", "How it stands cannot be looked up just now; this page tries again.", "wait"),
}
_GIVEN_BACK = frozenset({"cancelled", "refund_needed"})


def standings(order: Mapping[str, Any]) -> list[Standing]:
    """Say of each extra of the BFF's order where it stands."""
    return [_standing(item) for item in order["items"]]


def untold(booking: Booking) -> list[Standing]:
    """Say where the extras stand when the BFF cannot be asked."""
    if booking.told == "none":
        return []
    title, text, tone = _UNTOLD[booking.told]
    refund = booking.extras if booking.told == "refused" else Decimal(0)
    return [Standing("", "Your extras", 1, booking.extras, title, text, tone, refund=refund)]


def _standing(item: Mapping[str, Any]) -> Standing:
    status, total = item["status"], Decimal(item["totalPrice"])
    title, text, tone = _STATES.get(status, _CONFIRMING)
    return Standing(
        cart_item_id=item["cartItemId"],
        name=item["name"],
        quantity=item["quantity"],
        total=total,
        title=title,
        text=text,
        tone=tone,
        can_cancel=status == "confirmed",
        refund=total if status in _GIVEN_BACK else Decimal(0),
    )
