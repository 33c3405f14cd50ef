"""What is asked of Rokt for each line, and where it stands: states, and pure plans over them.

::

    asked ──► reserved ──► confirming ──► confirmed ──► cancelling ──► cancelled
      │          │              │                            └──► confirmed (refused)
      ├─► rejected              └──► refund_needed
      │          └──► released | expired
      (no answer: stays *asked*, which is an unknown, never assumed free)

A *held* line is one without a row here. Every change is made by the store as a conditional
update from a named state; this module only says which changes are wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from bff.cart.held_cart import CartItem, HeldCart, Line


class State(StrEnum):
    """Where one item stands with Rokt."""

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
    """Why an item is not in a quote, for programs; Rokt's own words never reach a shopper.

    ``price_changed`` is only told of a held line: Rokt has reserved it, for more than the shopper
    saw or consented to.
    """

    SOLD_OUT = "sold_out"
    REJECTED = "rejected"
    PARTLY_RESERVED = "partly_reserved"
    CURRENCY_CHANGED = "currency_changed"
    PRICE_CHANGED = "price_changed"
    UNREACHABLE = "unreachable"
    BUSY = "busy"


# The states of a row that a cart shows.
OPEN_STATES = (State.RESERVED, State.REJECTED)

# The reason of an order's item: another order of the session had bought the line.
BOUGHT_BEFORE = "bought_before"

# How long Rokt may hold an item whose reserve had no response. Rokt does not document how long a
# reservation lasts. An hour is longer than any checkout.
UNANSWERED_FOR = timedelta(hours=1)


# Reasons that say nothing about the item: the next reserve asks again.
PASSING = frozenset({Reason.UNREACHABLE, Reason.BUSY})


@dataclass(frozen=True, slots=True)
class ReserveOptions:
    """What the shop asks with: prices the shopper took, and documented optional members."""

    accept_prices: Mapping[str, Decimal] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_paypal_payment: bool | None = None
    merchant_id: str | None = None
    accept_language: str | None = field(default=None, repr=False)

    def members(self) -> ReserveOptions:
        """Return what goes to Rokt; the prices are ours, and kept with the reservations."""
        return replace(self, accept_prices={})

    def over(self, earlier: ReserveOptions) -> ReserveOptions:
        """Return the members of both; where both name one, this one counts."""
        paypal, merchant = self.is_paypal_payment, self.merchant_id
        return ReserveOptions(
            attributes={**earlier.attributes, **self.attributes},
            is_paypal_payment=earlier.is_paypal_payment if paypal is None else paypal,
            merchant_id=earlier.merchant_id if merchant is None else merchant,
            accept_language=self.accept_language or earlier.accept_language,
        )


@dataclass(frozen=True, slots=True)
class Reservation:
    """One item as it was asked for at Rokt. ``item`` is what the shopper saw then.

    ``quantity``, ``unit_price``, ``total_price``, ``currency`` are what Rokt granted and
    locked (as seen, until it did). ``accepted_price``: the unit price the shopper consented to
    beyond what they saw. ``item_reservation_id`` is None until granted, and for an item
    confirmed by quantity. ``by_quantity``: confirmed without a reservation, as the shop allows.
    ``position``: where the item stood among the cart's lines.
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
        """Tell whether this was asked for the line as it is now."""
        return self.item.cart_item_id == line.item.cart_item_id and self.revision == line.revision

    def lapsed(self, now: datetime) -> bool:
        """Tell whether Rokt has given the item back to its stock by now."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def seen_price(self) -> Decimal:
        """The unit price that the shopper saw, or the dearer one that they consented to."""
        return max(self.item.unit_price, self.accepted_price or Decimal(0))

    def is_dearer(self) -> bool:
        """Tell whether Rokt locked more than the shopper saw or consented to."""
        return self.unit_price > self.seen_price


@dataclass(frozen=True, slots=True)
class Plan:
    """What a reserve has to do: keep these rows, ask for these lines, give these rows back.

    ``lapsed`` rows need no call: Rokt has taken them back already.
    """

    keep: tuple[Reservation, ...]
    ask: tuple[Line, ...]
    give_back: tuple[Reservation, ...]
    lapsed: tuple[Reservation, ...]


def plan_reserve(
    lines: Sequence[Line], rows: Iterable[Reservation], *, now: datetime, margin: timedelta
) -> Plan:
    """Compare the held lines with what is reserved already.

    ``rows``: the session's rows in the states reserved and rejected that belong to no order.
    A reservation with less than ``margin`` left is asked for anew, so that nobody is charged
    for one about to lapse. Where Rokt grants less than the margin in the first place, the
    grant is used as long as it lasts, rather than renewed in a loop.
    """
    rows = tuple(rows)
    keep: list[Reservation] = []
    ask: list[Line] = []
    for line in lines:
        usable = [row for row in rows if row.is_for(line) and _usable(row, now, margin)]
        if usable:
            keep.append(usable[-1])
        else:
            ask.append(line)
    kept = {row.id for row in keep}
    rest = [row for row in rows if row.state is State.RESERVED and row.id not in kept]
    return Plan(
        keep=tuple(keep),
        ask=tuple(ask),
        give_back=tuple(row for row in rest if not row.lapsed(now)),
        lapsed=tuple(row for row in rest if row.lapsed(now)),
    )


def _usable(row: Reservation, now: datetime, margin: timedelta) -> bool:
    if row.state is State.REJECTED:
        return row.reason not in PASSING
    if row.state is not State.RESERVED or row.lapsed(now):
        return False
    if row.expires_at is None or row.expires_at - now >= margin:
        return True
    # Granted for less than the margin in the first place: used as long as it lasts.
    return row.granted_at is not None and row.expires_at - row.granted_at < margin


def accepted_price(
    line: Line, stale: Iterable[Reservation], accepted: Mapping[str, Decimal]
) -> Decimal | None:
    """Return the unit price that the shopper consented to for a line, or None. Pure.

    A consent stays valid when the reservation of the same line is renewed. A line that changed
    since is another offer, perhaps in another currency.

    Args:
        line: The held line.
        stale: Its reservations before, with the prices that were consented to.
        accepted: Cart item id → the unit price that the shopper consents to now.
    """
    given = accepted.get(line.item.cart_item_id)
    before = [row.accepted_price for row in stale if row.is_for(line)]
    return given if given is not None else next((x for x in before if x is not None), None)


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

    Args:
        line: The held line.
        cart: The cart that holds it.
        row_id: The id of the new row.
        session_id: The id of the shopper's session.
        rokt_session_id: Rokt's session id, as the Web SDK gave it.
        now: The current time.
        order_id: The order that buys the line by quantity, without a reservation. None: the row
            is about to be reserved.
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
    """Return a copy of a quoted row for an order whose reservation is gone."""
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
    """Return a copy of a quoted row for an order, whose line another order has bought."""
    again = reserved_again(row, row_id=row_id, order_id=order_id, now=now)
    return replace(again, state=State.REFUND_NEEDED, reason=BOUGHT_BEFORE)


def unanswered_items(rows: Iterable[Reservation], now: datetime) -> frozenset[str]:
    """Return the cart item ids that Rokt may hold because of a reserve without a response."""
    since = now - UNANSWERED_FOR
    return frozenset(
        row.item.cart_item_id for row in rows if row.state is State.ASKED and row.created_at > since
    )
