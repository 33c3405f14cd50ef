"""Reservations: the states of an item at Rokt, and what a reserve has to do. Pure.

::

    asked ──► reserved ──► confirming ──► confirmed ──► cancelling ──► cancelled
      │          │              │                            └──► confirmed (refused)
      ├─► rejected              └──► refund_needed
      │          └──► released | expired
      (without a response it stays *asked*: Rokt may hold the item)

A *held* line has no row here. ``bff.store.reservations`` changes a row only from a named state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from bff.cart.held_cart import CartItem, HeldCart, Line


class State(StrEnum):
    """The state of an item at Rokt."""

    ASKED = "asked"
    RESERVED = "reserved"
    REJECTED = "rejected"
    RELEASED = "released"
    EXPIRED = "expired"
    CONFIRMING = "confirming"
    CONFIRMED = "confirmed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    REFUND_NEEDED = "refund_needed"


class Reason(StrEnum):
    """Why an item is not in a quote. A shopper never sees Rokt's own words.

    Only a held line has ``price_changed``: Rokt locked more than the shopper consented to.
    """

    SOLD_OUT = "sold_out"
    REJECTED = "rejected"
    PARTLY_RESERVED = "partly_reserved"
    CURRENCY_CHANGED = "currency_changed"
    PRICE_CHANGED = "price_changed"
    UNREACHABLE = "unreachable"
    BUSY = "busy"


# The reason of an order's item whose line another order of the session has bought.
BOUGHT_BEFORE = "bought_before"

# The states of a row that a cart shows.
OPEN_STATES = (State.RESERVED, State.REJECTED)

# Reasons that say nothing about the item. The next reserve asks for it again.
PASSING = frozenset({Reason.UNREACHABLE, Reason.BUSY})

# How long Rokt may hold an item whose reserve had no response. Rokt does not document how long a
# reservation lasts. An hour is longer than any checkout.
UNANSWERED_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ReserveOptions:
    """What the shop passes to reserve: prices that the shopper accepted, and optional members."""

    accept_prices: Mapping[str, Decimal] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_paypal_payment: bool | None = None
    merchant_id: str | None = None
    accept_language: str | None = field(default=None, repr=False)

    def members(self) -> ReserveOptions:
        """Return the options without the prices, which are stored with the reservations."""
        return replace(self, accept_prices={})

    def over(self, earlier: ReserveOptions) -> ReserveOptions:
        """Return the members of both. Where both have one, this one counts."""
        paypal, merchant = self.is_paypal_payment, self.merchant_id
        return ReserveOptions(
            attributes={**earlier.attributes, **self.attributes},
            is_paypal_payment=earlier.is_paypal_payment if paypal is None else paypal,
            merchant_id=earlier.merchant_id if merchant is None else merchant,
            accept_language=self.accept_language or earlier.accept_language,
        )


@dataclass(frozen=True, slots=True)
class Reservation:
    """One item that Rokt was asked to reserve.

    Attributes:
        revision: The revision of the line that it was asked for.
        item: The item as the shopper saw it then.
        quantity: How many Rokt reserved; until then, as the shopper saw it. So are the prices.
        item_reservation_id: Rokt's id. None: not reserved, or confirmed by quantity.
        accepted_price: The higher unit price that the shopper consented to.
        by_quantity: It is confirmed without a reservation.
        position: The place of its line in the cart.
    """

    id: str
    session_id: str
    cart_id: str
    revision: int
    item: CartItem
    state: State
    quantity: int
    unit_price: Decimal
    total_price: Decimal
    currency: str
    created_at: datetime
    rokt_session_id: str
    item_reservation_id: str | None = None
    granted_at: datetime | None = None
    expires_at: datetime | None = None
    accepted_price: Decimal | None = None
    reason: str | None = None
    order_id: str | None = None
    by_quantity: bool = False
    cancel_requested: bool = False
    position: int = 0

    def is_for(self, line: Line) -> bool:
        """Return whether this was asked for the line as it is now."""
        return self.item.cart_item_id == line.item.cart_item_id and self.revision == line.revision

    def lapsed(self, now: datetime) -> bool:
        """Return whether the reservation has expired."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def seen_price(self) -> Decimal:
        """The unit price that the shopper saw, or the higher one that they consented to."""
        return max(self.item.unit_price, self.accepted_price or Decimal(0))

    def is_dearer(self) -> bool:
        """Return whether Rokt locked more than the shopper saw or consented to."""
        return self.unit_price > self.seen_price


def accepted_price(
    line: Line, stale: Iterable[Reservation], accepted: Mapping[str, Decimal]
) -> Decimal | None:
    """Return the unit price that the shopper consents to for a line, or has consented to before.

    Args:
        line: The held line. A consent to an earlier revision of it is invalid.
        stale: Its earlier reservations.
        accepted: Cart item id → the unit price that the shopper consents to now.
    """
    given = accepted.get(line.item.cart_item_id)
    before = [row.accepted_price for row in stale if row.is_for(line)]
    return next((price for price in (given, *before) if price is not None), None)


def row_of_line(
    line: Line,
    cart: HeldCart,
    *,
    row_id: str,
    session_id: str,
    rokt_session_id: str,
    now: datetime,
    order_id: str | None = None,
) -> Reservation:
    """Return a new row for a held line, as the shopper saw it.

    With an ``order_id``, the order buys the line by quantity. Otherwise it is to be reserved.
    """
    item = line.item
    return Reservation(
        id=row_id,
        session_id=session_id,
        cart_id=cart.cart_id,
        revision=line.revision,
        item=item,
        state=State.ASKED if order_id is None else State.CONFIRMING,
        quantity=item.quantity,
        unit_price=item.unit_price,
        total_price=item.total_price,
        currency=item.currency,
        created_at=now,
        rokt_session_id=rokt_session_id,
        order_id=order_id,
        by_quantity=order_id is not None,
        position=cart.lines.index(line),
    )


def reserved_again(row: Reservation, *, row_id: str, order_id: str, now: datetime) -> Reservation:
    """Return a copy of a quoted row that has expired, to be reserved again for an order."""
    return replace(
        row,
        id=row_id,
        state=State.CONFIRMING,
        order_id=order_id,
        item_reservation_id=None,
        expires_at=None,
        created_at=now,
        reason=None,
        by_quantity=False,
        cancel_requested=False,
    )


def bought_before(row: Reservation, *, row_id: str, order_id: str, now: datetime) -> Reservation:
    """Return a copy of a quoted row for an order. Another order has bought its line."""
    again = reserved_again(row, row_id=row_id, order_id=order_id, now=now)
    return replace(again, state=State.REFUND_NEEDED, reason=BOUGHT_BEFORE)


def unanswered_items(rows: Iterable[Reservation], now: datetime) -> frozenset[str]:
    """Return the cart item ids that Rokt may hold after a reserve without a response."""
    since = now - UNANSWERED_FOR
    return frozenset(
        row.item.cart_item_id for row in rows if row.state is State.ASKED and row.created_at > since
    )
