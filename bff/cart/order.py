"""The rows of paid orders: written once, and where each stands.

What of an order stands at Rokt is in its items' rows, in ``bff.ledger``; an order's status is
what they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from bff.cart.reservation import Reservation, State
from bff.cart.shown_cart import Item, totals_of, view_reservation


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A paid order as stored. ``attributes`` and ``extra`` go into the body of confirm.

    ``quote_id``: the quote that it bought. ``named_quote_id``: the one that the shop named, which
    another order may have bought.
    """

    id: str
    session_id: str
    cart_id: str
    quote_id: str | None
    rokt_session_id: str
    status: OrderStatus
    created_at: datetime
    attributes: Mapping[str, str] = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)
    accept_language: str | None = field(default=None, repr=False)
    last_error: str | None = None
    named_quote_id: str | None = None


def view_order(
    order: OrderRow,
    rows: Iterable[Reservation],
    *,
    attempts: int,
    next_attempt_at: datetime | None,
) -> Order:
    """Show an order with its items."""
    items = tuple(view_reservation(row) for row in rows)
    return Order(
        order_id=order.id,
        cart_id=order.cart_id,
        status=order.status,
        items=items,
        totals=totals_of(items),
        attempts=attempts,
        next_attempt_at=next_attempt_at,
        last_error=order.last_error,
    )


@dataclass(frozen=True, slots=True)
class Purchase:
    """What the shop says of a paid order. ``quote_id`` None: the session's last quote.

    ``insists``: the shop named the quote itself, so that an order known with another is wrong.

    ``extra``: further members of confirm's body, as Rokt's documentation has them for you.
    ``accept_language``: the shopper's; None where the shop's own server or a payment provider
    calls, and then the one that the quote was asked for with counts.
    """

    order_id: str
    quote_id: str | None
    attributes: Mapping[str, str] = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)
    accept_language: str | None = field(default=None, repr=False)
    insists: bool = False


class OrderStatus(StrEnum):
    """Where an order's upsell stands."""

    CONFIRMING = "confirming"
    CONFIRMED = "confirmed"
    REFUND_NEEDED = "refund_needed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Order:
    """A paid order's upsell. ``attempts`` counts the calls of confirm so far.

    ``next_attempt_at`` is set while one is owed; ``last_error`` says what went wrong last.
    """

    order_id: str
    cart_id: str
    status: OrderStatus
    items: tuple[Item, ...]
    totals: Mapping[str, Decimal]
    attempts: int = 0
    next_attempt_at: datetime | None = None
    last_error: str | None = None


def order_status(states: Iterable[State]) -> OrderStatus:
    """Sum up an order's items: one that needs a refund is never hidden by the others."""
    found = set(states)
    if State.REFUND_NEEDED in found:
        return OrderStatus.REFUND_NEEDED
    if State.CONFIRMING in found:
        return OrderStatus.CONFIRMING
    if found and found <= {State.CANCELLED}:
        return OrderStatus.CANCELLED
    return OrderStatus.CONFIRMED
