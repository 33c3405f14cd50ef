"""The shapes that callers see (Cart, Item, Quote, Order), made from held lines and reservations.

Pure: what is in a quote, what counts as rejected, which price changes need consent, what an
order's status is. What a cart shows is for ``bff.showing``, how they look as JSON for
``bff.answering``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bff.cart.held_cart import CartItem, HeldCart, Line
from bff.cart.reservation import Reason, Reservation, State
from bff.money import to_minor

# The status of a line that is in the cart, and not at Rokt.
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


def totals_of(items: Iterable[Item]) -> dict[str, Decimal]:
    """Sum the items' totals by currency."""
    return sum_up((item.currency, item.total_price) for item in items)


def sum_up(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Sum pairs of currency and amount by currency."""
    totals: dict[str, Decimal] = {}
    for currency, amount in amounts:
        totals[currency] = totals.get(currency, Decimal(0)) + amount
    return totals


def view_cart(cart: HeldCart, rows: Iterable[Reservation], now: datetime) -> Cart:
    """Join the held lines with where each stands at Rokt (``rows`` without an order)."""
    rows = tuple(rows)
    standing = [(line.item, _answer_to(line, rows, now)) for line in cart.lines]
    return Cart(
        cart_id=cart.cart_id,
        version=cart.version,
        items=tuple(_view_line(item, row) for item, row in standing),
        totals=sum_up(_due(item, row) for item, row in standing if _available(item, row)),
        removed=cart.removed,
    )


def _answer_to(line: Line, rows: Sequence[Reservation], now: datetime) -> Reservation | None:
    """Find what Rokt said last of a line as it is now, while that stands."""
    row = next((row for row in reversed(rows) if row.is_for(line)), None)
    if row is None or row.state is State.REJECTED:
        return row
    return row if row.state is State.RESERVED and not row.lapsed(now) else None


def _available(item: CartItem, row: Reservation | None) -> int:
    if row is None:
        return item.quantity
    return 0 if row.state is State.REJECTED or row.is_dearer() else row.quantity


def _due(item: CartItem, row: Reservation | None) -> tuple[str, Decimal]:
    if row is None:
        return item.currency, to_minor(item.total_price, item.currency)
    return row.currency, to_minor(row.total_price, row.currency)


def _view_line(item: CartItem, row: Reservation | None) -> Item:
    available = _available(item, row)
    live = row is not None and row.state is State.RESERVED
    return Item(
        cart_item_id=item.cart_item_id,
        catalog_item_id=item.catalog_item_id,
        name=item.name,
        description=item.description,
        quantity=item.quantity,
        unit_price=to_minor(item.unit_price, item.currency),
        total_price=to_minor(item.total_price, item.currency),
        currency=item.currency,
        status=row.state.value if row else HELD,
        linked_product_id=item.linked_product_id,
        quantity_must_be_synchronized=item.quantity_must_be_synchronized,
        reserved_until=row.expires_at if row and live else None,
        reason=_reason(row) if row else None,
        available=None if available == item.quantity else available,
        locked_price=to_minor(row.unit_price, row.currency)
        if row and live and row.unit_price != item.unit_price
        else None,
    )


def _reason(row: Reservation) -> str | None:
    dearer = row.state is State.RESERVED and row.is_dearer()
    return Reason.PRICE_CHANGED if dearer else row.reason
