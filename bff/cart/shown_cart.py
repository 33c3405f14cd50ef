"""The cart and its items as a page and a shop see them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from bff.cart.held_cart import CartItem, HeldCart, Line
from bff.cart.reservation import Reason, Reservation, State
from bff.money import to_minor

# The status of a line that is not reserved at Rokt.
HELD = "held"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a cart, a quote or an order.

    In a cart, the quantity and the prices are what the shopper wanted and saw. In a quote or an
    order, they are what Rokt granted and locked.

    Attributes:
        cart_item_id: The SDK's id of the line.
        catalog_item_id: The product.
        name: The product's name.
        description: The product's description.
        quantity: How many.
        unit_price: The price of one.
        total_price: The price of all.
        currency: The currency's code in ISO 4217.
        status: ``held``, or a value of ``State``.
        linked_product_id: The SKU of the shop's product that the item belongs to.
        quantity_must_be_synchronized: Whether its quantity follows that product's.
        reserved_until: When the reservation expires. None: it is not reserved, or has no end.
        reason: Why it cannot be had: a value of ``Reason``.
        available: In a cart, how many of ``quantity`` can be had. None: all.
        locked_price: In a cart, the unit price that Rokt locked. None: as seen.
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
    """What the shopper holds.

    Attributes:
        cart_id: The cart's id. None: the shopper has no session yet.
        version: Grows with each change.
        items: The held items.
        totals: Currency → sum of what is available, at the price that Rokt locked, else as seen.
        removed: The products that the shopper removed.
    """

    cart_id: str | None
    version: int
    items: tuple[Item, ...]
    totals: Mapping[str, Decimal]
    removed: tuple[str, ...]


def view_reservation(row: Reservation) -> Item:
    """Return a reservation as it is shown in a quote or an order."""
    return replace(
        _as_seen(row.item, row.state.value),
        quantity=row.quantity,
        unit_price=to_minor(row.unit_price, row.currency),
        total_price=to_minor(row.total_price, row.currency),
        currency=row.currency,
        reserved_until=row.expires_at if row.state is State.RESERVED else None,
        reason=row.reason,
    )


def view_cart(cart: HeldCart, rows: Iterable[Reservation], now: datetime) -> Cart:
    """Return a held cart as it is shown, with its rows that belong to no order."""
    rows = tuple(rows)
    standing = [(line.item, _standing(line, rows, now)) for line in cart.lines]
    items = tuple(_view_line(item, row) for item, row in standing)
    priced = [row or item for item, row in standing]
    return Cart(
        cart_id=cart.cart_id,
        version=cart.version,
        items=items,
        totals=totals_of(
            (one.currency, to_minor(one.total_price, one.currency))
            for one, item in zip(priced, items, strict=True)
            if item.available != 0
        ),
        removed=cart.removed,
    )


def totals_of(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Return the sum of each currency."""
    totals: dict[str, Decimal] = {}
    for currency, amount in amounts:
        totals[currency] = totals.get(currency, Decimal(0)) + amount
    return totals


def _standing(line: Line, rows: Sequence[Reservation], now: datetime) -> Reservation | None:
    """Return the newest row of a line as it is now, if that is rejected or still reserved."""
    row = next((row for row in reversed(rows) if row.is_for(line)), None)
    if row is None or row.state is State.REJECTED:
        return row
    return row if row.state is State.RESERVED and not row.lapsed(now) else None


def _view_line(item: CartItem, row: Reservation | None) -> Item:
    if row is None:
        return _as_seen(item, HELD)
    seen = _as_seen(item, row.state.value)
    if row.state is State.REJECTED:
        return replace(seen, reason=row.reason, available=0)
    dearer = row.is_dearer()
    available = 0 if dearer else row.quantity
    same_price = row.unit_price == item.unit_price
    return replace(
        seen,
        reserved_until=row.expires_at,
        reason=Reason.PRICE_CHANGED if dearer else row.reason,
        available=None if available == item.quantity else available,
        locked_price=None if same_price else to_minor(row.unit_price, row.currency),
    )


def _as_seen(item: CartItem, status: str) -> Item:
    return Item(
        cart_item_id=item.cart_item_id,
        catalog_item_id=item.catalog_item_id,
        name=item.name,
        description=item.description,
        quantity=item.quantity,
        unit_price=to_minor(item.unit_price, item.currency),
        total_price=to_minor(item.total_price, item.currency),
        currency=item.currency,
        status=status,
        linked_product_id=item.linked_product_id,
        quantity_must_be_synchronized=item.quantity_must_be_synchronized,
    )
