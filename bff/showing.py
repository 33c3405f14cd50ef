"""The held cart as a page shows it: each line with what Rokt's answer makes of it. Pure.

Rokt's answer counts while it stands: for the line as it is now, and until the reservation
lapses. Before it and after it, the shopper can have what they asked for, for what they saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from bff.cart import CartItem, HeldCart, Line
from bff.money import to_minor
from bff.reservation import Reason, Reservation, State
from bff.shapes import HELD, Cart, Item, sum_up


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
