"""The shapes that callers see (Cart, Item, Quote, Order), made from held lines and reservations.

Pure: what is in a quote, what counts as rejected, which price changes need consent, what an
order's status is. What a cart shows is for ``bff.showing``, how they look as JSON for
``bff.answering``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from bff.cart.held_cart import CartItem, HeldCart
from bff.cart.reservation import Reason, Reservation, ReserveOptions, State
from bff.cart.shown_cart import Item, totals_of, view_reservation
from bff.money import to_minor

NOTHING_ELSE = ReserveOptions()


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
    wish: ReserveOptions = field(default_factory=ReserveOptions, repr=False)
    former: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        """The one sum to charge; 0 for an empty quote.

        Raises ``ValueError`` when the items are in several currencies: use ``totals`` then.
        """
        if len(self.totals) > 1:
            raise ValueError(f"the quote is in several currencies: {', '.join(self.totals)}")
        return next(iter(self.totals.values()), Decimal(0))


def make_quote(
    quote_id: str,
    cart: HeldCart,
    rows: Sequence[Reservation],
    unanswered: Mapping[str, Reason],
    wish: ReserveOptions = NOTHING_ELSE,
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


def _rejected(item: CartItem, quantity: int, reason: str) -> Rejected:
    return Rejected(
        cart_item_id=item.cart_item_id,
        catalog_item_id=item.catalog_item_id,
        name=item.name,
        quantity=quantity,
        reason=str(reason),
    )


def says_the_same(one: Quote, other: Quote) -> bool:
    """Tell whether two quotes differ in nothing that a shopper could see."""
    return replace(one, quote_id="", cart_version=0) == replace(other, quote_id="", cart_version=0)
