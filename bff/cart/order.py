"""A paid order: its status, its errors, and how a shop sees it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from bff.cart.reservation import Reservation, State
from bff.cart.shown_cart import Item, totals_of, view_reservation


class OrderStatus(StrEnum):
    """Where an order's upsell stands.

    Attributes:
        CONFIRMING: Rokt has not confirmed it yet. The confirm is owed, and is retried.
        CONFIRMED: Rokt has confirmed it.
        REFUND_NEEDED: At least one paid item cannot be had. Give the money back.
        CANCELLED: All its items are cancelled.
    """

    CONFIRMING = "confirming"
    CONFIRMED = "confirmed"
    REFUND_NEEDED = "refund_needed"
    CANCELLED = "cancelled"


class OrderError(StrEnum):
    """What is wrong with an order, for programs. The order's ``last_error`` is for people."""

    QUOTE_BOUGHT = "quote_bought"
    ITEM_BOUGHT = "item_bought"
    CONFIRM_PENDING = "confirm_pending"
    CONFIRM_REFUSED = "confirm_refused"
    CONFIRM_GIVEN_UP = "confirm_given_up"
    PARTLY_CONFIRMED = "partly_confirmed"
    RESERVE_PENDING = "reserve_pending"
    NOT_RESERVED = "not_reserved"
    CANCEL_PENDING = "cancel_pending"
    CANCEL_FAILED = "cancel_failed"
    NOT_CANCELLABLE = "not_cancellable"


# An item of the order was not cancelled. It stays known until all items are.
CANCEL_FAILED = frozenset({OrderError.CANCEL_FAILED, OrderError.NOT_CANCELLABLE})

# Two orders paid for the same item. That is not an error of Rokt's, so a retry is only on request.
PAID_TWICE = frozenset({OrderError.QUOTE_BOUGHT, OrderError.ITEM_BOUGHT})


@dataclass(frozen=True, slots=True)
class Purchase:
    """A paid order as the shop passes it to confirm.

    Attributes:
        order_id: The shop's id of the order, unique.
        quote_id: The quote that was charged. None: the session's last quote.
        attributes: Attributes of the shopper, for the confirm's body.
        extra: Further members of the confirm's body.
        accept_language: The shopper's language. None: that of the quote.
        insists: The shop itself named the quote. The same order with another quote is a conflict.
    """

    order_id: str
    quote_id: str | None
    attributes: Mapping[str, str] = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)
    accept_language: str | None = field(default=None, repr=False)
    insists: bool = False


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A paid order as stored.

    ``quote_id`` is the quote that it bought, if any, and ``named_quote_id`` the one that the shop
    named. ``attributes`` and ``extra`` are parts of the confirm's body.
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
    error_code: OrderError | None = None
    named_quote_id: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A paid order's upsell, as a shop sees it.

    Attributes:
        order_id: The shop's id of the order.
        cart_id: The cart that it was bought from.
        status: Where the upsell stands.
        items: The items that were paid for, each with its own ``status``.
        totals: Currency → sum of the items' total prices.
        attempts: How many confirm calls were made so far.
        next_attempt_at: When the next one is due. None: none is owed.
        last_error: What went wrong last, for people.
        error_code: The same for programs: a value of ``OrderError``.
    """

    order_id: str
    cart_id: str
    status: OrderStatus
    items: tuple[Item, ...]
    totals: Mapping[str, Decimal]
    attempts: int = 0
    next_attempt_at: datetime | None = None
    last_error: str | None = None
    error_code: OrderError | None = None


def view_order(
    order: OrderRow,
    rows: Iterable[Reservation],
    *,
    attempts: int,
    next_attempt_at: datetime | None,
) -> Order:
    """Return an order as a shop sees it."""
    items = tuple(view_reservation(row) for row in rows)
    return Order(
        order_id=order.id,
        cart_id=order.cart_id,
        status=order.status,
        items=items,
        totals=totals_of((item.currency, item.total_price) for item in items),
        attempts=attempts,
        next_attempt_at=next_attempt_at,
        last_error=order.last_error,
        error_code=order.error_code,
    )


def order_status(states: Iterable[State]) -> OrderStatus:
    """Return the status of an order with items in these states; a refund comes first."""
    found = set(states)
    if State.REFUND_NEEDED in found:
        return OrderStatus.REFUND_NEEDED
    if State.CONFIRMING in found:
        return OrderStatus.CONFIRMING
    return OrderStatus.CANCELLED if found == {State.CANCELLED} else OrderStatus.CONFIRMED
