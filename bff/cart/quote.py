"""A quote: what may be charged, what was rejected, and which prices changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from bff.cart.held_cart import CartItem, HeldCart
from bff.cart.reservation import Reason, Reservation, ReserveOptions, State
from bff.cart.shown_cart import Item, totals_of, view_reservation
from bff.money import to_minor


@dataclass(frozen=True, slots=True)
class Rejected:
    """A part of a line that is not in the quote.

    Attributes:
        cart_item_id: The line.
        catalog_item_id: The product.
        name: The product's name.
        quantity: How many of the line are not in the quote.
        reason: A value of ``Reason``.
    """

    cart_item_id: str
    catalog_item_id: str
    name: str
    quantity: int
    reason: str


@dataclass(frozen=True, slots=True)
class PriceChange:
    """Rokt locked another unit price than the shopper saw or consented to.

    Attributes:
        cart_item_id: The line.
        before: The unit price that the shopper saw or consented to.
        after: The unit price that Rokt locked.
    """

    cart_item_id: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """What may be charged now.

    Attributes:
        quote_id: Our id of the quote.
        cart_id: The cart that it is for.
        items: What may be charged, at the prices that Rokt locked.
        rejected: What is not in it, and why.
        price_changes: Items whose price differs from the one that the shopper saw. A dearer one
            without consent is not in ``items``.
        totals: Currency → sum of the items' total prices.
        expires_at: Until when Rokt holds all items. None: nothing is reserved, or Rokt set no end.
        cart_version: The version of the cart that was reserved.
        reservation_ids: Our ids of the reservations of ``items``.
        options: What the shop passed to reserve, for an item that is reserved again at confirm.
        former: Cart item id → the ids that its line had on earlier loads of the page.
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
    options: ReserveOptions = field(default_factory=ReserveOptions, repr=False)
    former: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        """The one sum to charge; 0 for an empty quote.

        Raises:
            ValueError: The items are in several currencies. Use ``totals`` then.
        """
        if len(self.totals) > 1:
            raise ValueError(
                f"The quote has several currencies ({', '.join(self.totals)}): use its totals."
            )
        return next(iter(self.totals.values()), Decimal(0))


def make_quote(
    quote_id: str,
    cart: HeldCart,
    rows: Sequence[Reservation],
    unanswered: Mapping[str, Reason],
    options: ReserveOptions,
) -> Quote:
    """Return the quote of a cart. This decides what may be charged.

    Args:
        quote_id: The id of the new quote.
        cart: The held cart.
        rows: The reserved or rejected row of each line, if it has one.
        unanswered: Cart item id → a passing reason, for lines without a response from Rokt.
        options: What the shop passed to reserve.
    """
    by_item = {row.item.cart_item_id: row for row in rows}
    standing = [(line.item, by_item.get(line.item.cart_item_id)) for line in cart.lines]
    reserved = [row for _, row in standing if row is not None and row.state is not State.REJECTED]
    charged = [row for row in reserved if not row.is_dearer()]
    items = tuple(view_reservation(row) for row in charged)
    rejected = (_rejected(item, row, unanswered) for item, row in standing)
    return Quote(
        quote_id=quote_id,
        cart_id=cart.cart_id,
        items=items,
        rejected=tuple(one for one in rejected if one.quantity > 0),
        price_changes=tuple(
            PriceChange(
                row.item.cart_item_id,
                before=to_minor(row.seen_price, row.currency),
                after=to_minor(row.unit_price, row.currency),
            )
            for row in reserved
            if row.unit_price != row.seen_price
        ),
        totals=totals_of((item.currency, item.total_price) for item in items),
        expires_at=min((row.expires_at for row in charged if row.expires_at), default=None),
        cart_version=cart.version,
        reservation_ids=tuple(row.id for row in charged),
        options=options.members(),
        former={line.item.cart_item_id: line.former for line in cart.lines if line.former},
    )


def _rejected(
    item: CartItem, row: Reservation | None, unanswered: Mapping[str, Reason]
) -> Rejected:
    """Return what of a line is not in the quote; its quantity may be 0."""
    if row is None:
        reason: str = unanswered.get(item.cart_item_id, Reason.UNREACHABLE)
        return Rejected(item.cart_item_id, item.catalog_item_id, item.name, item.quantity, reason)
    item = row.item
    if row.state is State.REJECTED:
        missing, reason = item.quantity, row.reason or Reason.REJECTED
    else:
        missing, reason = item.quantity - row.quantity, Reason.PARTLY_RESERVED
    return Rejected(item.cart_item_id, item.catalog_item_id, item.name, missing, reason)


def is_same_quote(one: Quote, other: Quote) -> bool:
    """Return whether two quotes are the same for a shopper."""
    return replace(one, quote_id="", cart_version=0) == replace(other, quote_id="", cart_version=0)
