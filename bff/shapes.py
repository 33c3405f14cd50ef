"""The shapes that callers see (Cart, Item, Quote, Order), made from held lines and reservations.

Pure: what is in a quote, what counts as rejected, which price changes need consent, what an
order's status is. What a cart shows is for ``bff.showing``, how they look as JSON for
``bff.answering``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from bff.cart import CartItem, HeldCart
from bff.money import to_minor
from bff.reservation import Reason, Reservation, State, Wish

NOTHING_ELSE = Wish()
# The status of a line that is in the cart, and not at Rokt.
HELD = "held"


@dataclass(frozen=True, slots=True)
class Item:
    """One line as it stands. ``status``: ``held`` or a ``State``; ``reason`` says why not.

    In a cart, ``quantity`` and the prices are what the shopper asked for and saw. What Rokt's
    answer makes of that stands beside them: ``available`` of ``quantity`` can be had (None: all
    of it), each for ``locked_price`` (None: as seen). In a quote or an order, quantity and prices
    are what Rokt granted and locked, and these two say nothing.
    """

    cart_item_id: str
    catalog_item_id: str
    name: str
    description: str
    quantity: int
    unit_price: Decimal
    total_price: Decimal
    currency: str
    status: str
    linked_product_id: str | None = None
    quantity_must_be_synchronized: bool = False
    reserved_until: datetime | None = None
    reason: str | None = None
    available: int | None = None
    locked_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Cart:
    """What the shopper holds. ``cart_id`` is None for who has no session yet.

    ``totals``: currency → sum of what they would pay as it stands, for what is available: what
    Rokt locked where it has, else what they saw.
    """

    cart_id: str | None
    version: int
    items: tuple[Item, ...]
    totals: Mapping[str, Decimal]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """What of a line is not in the quote: ``quantity`` of it, for a ``Reason``."""

    cart_item_id: str
    catalog_item_id: str
    name: str
    quantity: int
    reason: str


@dataclass(frozen=True, slots=True)
class PriceChange:
    """Rokt locked another unit price than the shopper saw or consented to."""

    cart_item_id: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """What may be charged now: ``items`` and ``totals`` are locked at Rokt until ``expires_at``.

    ``expires_at`` is None when nothing is reserved or Rokt did not say. ``cart_version`` is
    the held cart's at the moment of asking; ``reservation_ids`` stand behind ``items``;
    ``wish`` is what the shop asked with, should an item have to be reserved again at confirm.
    ``former``: cart item id → the ids that its line had before, on another load of the page.
    """

    quote_id: str
    cart_id: str
    items: tuple[Item, ...]
    rejected: tuple[Rejected, ...]
    price_changes: tuple[PriceChange, ...]
    totals: Mapping[str, Decimal]
    expires_at: datetime | None
    cart_version: int = 0
    reservation_ids: tuple[str, ...] = ()
    wish: Wish = field(default_factory=Wish, repr=False)
    former: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        """The one sum to charge; 0 for an empty quote.

        Raises ``ValueError`` when the items are in several currencies: use ``totals`` then.
        """
        if len(self.totals) > 1:
            raise ValueError(f"the quote is in several currencies: {', '.join(self.totals)}")
        return next(iter(self.totals.values()), Decimal(0))


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


class Answered(StrEnum):
    """What ``placements/any`` said, or why Rokt did not say: all but the first mean "skip"."""

    PLACEMENTS = "placements"
    NO_PLACEMENTS = "no_placements"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BUSY = "busy"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Placements:
    """Whether to show the upsell page; true in a condition when so."""

    result: bool
    reason: Answered

    def __bool__(self) -> bool:
        return self.result


def make_quote(
    quote_id: str,
    cart: HeldCart,
    rows: Sequence[Reservation],
    unanswered: Mapping[str, Reason],
    wish: Wish = NOTHING_ELSE,
) -> Quote:
    """Decide what may be charged. Source of the rules: design, "Rules of the held cart" 10.

    ``rows``: the reserved or rejected row of each line asked for or kept. ``unanswered``:
    cart item id → passing reason, for lines that Rokt did not answer for. A dearer item
    without consent is told as a price change and is not among the items.
    """
    items: list[Item] = []
    rejected: list[Rejected] = []
    changes: list[PriceChange] = []
    charged: list[Reservation] = []
    by_id = {row.item.cart_item_id: row for row in rows}
    for line in cart.lines:
        row = by_id.get(line.item.cart_item_id)
        if row is None:
            reason = unanswered.get(line.item.cart_item_id, Reason.UNREACHABLE)
            rejected.append(_rejected(line.item, line.item.quantity, reason))
            continue
        if row.state is State.REJECTED:
            rejected.append(_rejected(row.item, row.item.quantity, row.reason or Reason.REJECTED))
            continue
        missing = row.item.quantity - row.quantity
        if missing > 0:
            rejected.append(_rejected(row.item, missing, Reason.PARTLY_RESERVED))
        if row.unit_price != row.seen_price:
            changes.append(
                PriceChange(
                    row.item.cart_item_id,
                    to_minor(row.seen_price, row.currency),
                    to_minor(row.unit_price, row.currency),
                )
            )
        if not row.is_dearer():
            items.append(view_reservation(row))
            charged.append(row)
    ends = [row.expires_at for row in charged if row.expires_at is not None]
    return Quote(
        quote_id=quote_id,
        cart_id=cart.cart_id,
        items=tuple(items),
        rejected=tuple(rejected),
        price_changes=tuple(changes),
        totals=totals_of(items),
        expires_at=min(ends, default=None),
        cart_version=cart.version,
        reservation_ids=tuple(row.id for row in charged),
        wish=wish.members(),
        former={line.item.cart_item_id: line.former for line in cart.lines if line.former},
    )


def view_reservation(row: Reservation) -> Item:
    """Show an item at Rokt with what was granted and locked."""
    return Item(
        cart_item_id=row.item.cart_item_id,
        catalog_item_id=row.item.catalog_item_id,
        name=row.item.name,
        description=row.item.description,
        quantity=row.quantity,
        unit_price=to_minor(row.unit_price, row.currency),
        total_price=to_minor(row.total_price, row.currency),
        currency=row.currency,
        status=row.state.value,
        linked_product_id=row.item.linked_product_id,
        quantity_must_be_synchronized=row.item.quantity_must_be_synchronized,
        reserved_until=row.expires_at if row.state is State.RESERVED else None,
        reason=row.reason,
    )


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


def totals_of(items: Iterable[Item]) -> dict[str, Decimal]:
    """Sum the items' totals by currency."""
    return sum_up((item.currency, item.total_price) for item in items)


def sum_up(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Sum pairs of currency and amount by currency."""
    totals: dict[str, Decimal] = {}
    for currency, amount in amounts:
        totals[currency] = totals.get(currency, Decimal(0)) + amount
    return totals


def _rejected(item: CartItem, quantity: int, reason: str) -> Rejected:
    return Rejected(
        cart_item_id=item.cart_item_id,
        catalog_item_id=item.catalog_item_id,
        name=item.name,
        quantity=quantity,
        reason=str(reason),
    )
