"""The emulator's reservations and orders, and their JSON.

The counters tell the calls (`confirm_calls`) from their effects (`fulfilled`). So a test can prove
that an item was fulfilled exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

ReservationState = Literal["reserved", "confirmed", "released", "lapsed", "cancelled"]


def rokt_time(moment: datetime) -> str:
    """Format a time as Rokt's samples do: UTC, with seven digits after the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


@dataclass(slots=True)
class Reservation:
    """A reserved or sold item. `held` is False if it was sold without a reservation."""

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
    state: ReservationState = "reserved"
    order_id: str | None = None
    confirm_calls: int = 0
    fulfilled: int = 0
    release_calls: int = 0
    cancel_calls: int = 0
    cancelled: int = 0

    @property
    def names(self) -> dict[str, Any]:
        """The ids of the item, as in an error's `value` and in a response."""
        return {"cartItemId": self.cart_item_id, "itemReservationId": self.reservation_id}

    def to_item(self, *, expiry: bool) -> dict[str, Any]:
        """Return it as an item of a response, with the locked price as JSON numbers."""
        item = self.names | {
            "quantity": self.quantity,
            "unitPrice": float(self.unit_price),
            "totalPrice": float(self.unit_price * self.quantity),
            "currency": self.currency,
        }
        return item | {"expirationDateTimeUtc": rokt_time(self.expires_at)} if expiry else item

    def to_state(self) -> dict[str, Any]:
        """Return the JSON for `GET /_emulator/state`."""
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
    """A purchase. `confirms` counts the successful calls."""

    order_id: str
    cart_id: str
    session_id: str | None
    attributes: dict[str, str]
    extra: dict[str, Any]
    reservations: list[Reservation] = field(default_factory=list)
    confirms: int = 0

    def to_state(self) -> dict[str, Any]:
        """Return the JSON for `GET /_emulator/state`."""
        return {
            "cartId": self.cart_id,
            "sessionId": self.session_id,
            "confirms": self.confirms,
            "items": [r.to_state() for r in self.reservations],
            "attributes": self.attributes,
            "extra": self.extra,
        }
