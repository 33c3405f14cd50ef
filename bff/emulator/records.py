"""What the emulator remembers: reservations and orders, and how they are spelled.

The counters (`confirm_calls`, `fulfilled`, …) tell what was asked from what took effect, so that a
test can prove that goods were fulfilled exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

Standing = Literal["reserved", "confirmed", "released", "lapsed", "cancelled"]


def stamp(moment: datetime) -> str:
    """Spell a time as Rokt's samples do: UTC, seven digits of a second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


@dataclass(slots=True)
class Reservation:
    """An item held, and what became of it. One bought without a reservation has `held` False."""

    reservation_id: str
    cart_id: str
    session_id: str | None
    cart_item_id: str
    catalog_item_id: str
    quantity: int
    unit_price: Decimal
    currency: str
    expires_at: datetime
    held: bool = True
    state: Standing = "reserved"
    order_id: str | None = None
    confirm_calls: int = 0
    fulfilled: int = 0
    release_calls: int = 0
    cancel_calls: int = 0
    cancelled: int = 0

    @property
    def names(self) -> dict[str, Any]:
        """The ids that name it in an error's `value` and in an echo."""
        return {"cartItemId": self.cart_item_id, "itemReservationId": self.reservation_id}

    def to_item(self, *, expiry: bool) -> dict[str, Any]:
        """Spell it as an item of an answer; the locked price as JSON numbers."""
        item = self.names | {
            "quantity": self.quantity,
            "unitPrice": float(self.unit_price),
            "totalPrice": float(self.unit_price * self.quantity),
            "currency": self.currency,
        }
        return item | {"expirationDateTimeUtc": stamp(self.expires_at)} if expiry else item

    def to_state(self) -> dict[str, Any]:
        """Spell it for `GET /_emulator/state`."""
        return self.to_item(expiry=True) | {
            "cartId": self.cart_id,
            "catalogItemId": self.catalog_item_id,
            "sessionId": self.session_id,
            "orderId": self.order_id,
            "held": self.held,
            "state": self.state,
            "confirmCalls": self.confirm_calls,
            "fulfilled": self.fulfilled,
            "releaseCalls": self.release_calls,
            "cancelCalls": self.cancel_calls,
            "cancelled": self.cancelled,
        }


@dataclass(slots=True)
class Order:
    """A purchase; `confirms` counts the calls that were answered with a success."""

    order_id: str
    cart_id: str
    session_id: str | None
    attributes: dict[str, str]
    extra: dict[str, Any]
    reservations: list[Reservation] = field(default_factory=list)
    confirms: int = 0

    def to_state(self) -> dict[str, Any]:
        """Spell it for `GET /_emulator/state`."""
        return {
            "cartId": self.cart_id,
            "sessionId": self.session_id,
            "confirms": self.confirms,
            "items": [r.to_state() for r in self.reservations],
            "attributes": self.attributes,
            "extra": self.extra,
        }
