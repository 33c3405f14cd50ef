"""The lines of a confirm request, and the checks of confirm, release and cancel. Pure.

A line confirms a reservation (`itemReservationId`), or buys by quantity what was never reserved. A
line with a reservation may repeat quantity and prices. Then they must equal the locked ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bff.emulator.errors import ApiFault, Code
from bff.emulator.records import Order, Reservation
from bff.emulator.rejection import ItemFault, new_reservation_id
from bff.emulator.settings import CatalogItem, Repeat


@dataclass(frozen=True, slots=True)
class ConfirmLine:
    """A line of a confirm: by reservation, or by quantity if `reservation_id` is None."""

    cart_item_id: str
    reservation_id: str | None
    quantity: int | None
    unit_price: Decimal | None
    total_price: Decimal | None


@dataclass(frozen=True, slots=True)
class Purchase:
    """A whole confirm. `extra` holds the members that Rokt does not document."""

    cart_id: str
    order_id: str
    session_id: str | None
    lines: tuple[ConfirmLine, ...]
    attributes: dict[str, str]
    extra: dict[str, Any]


def confirm_error(found: Reservation, line: ConfirmLine, order_id: str) -> Code | None:
    """Return why this order cannot confirm this reservation, or None.

    A repeat by the same order is not an error here: a setting decides about it.
    """
    total = found.unit_price * found.quantity
    if found.state == "lapsed":
        return Code.RESERVATION_EXPIRED
    if found.state == "released":
        return Code.RESERVATION_RELEASED
    if found.order_id not in (None, order_id):
        return Code.OTHER_ORDER
    if line.quantity not in (None, found.quantity):
        return Code.QUANTITY_MISMATCH
    if line.unit_price not in (None, found.unit_price) or line.total_price not in (None, total):
        return Code.PRICE_MISMATCH
    return None


def release_error(found: Reservation, repeat: Repeat) -> Code | None:
    """Return why this reservation cannot be released, or None. `repeat` is the setting."""
    match found.state:
        case "reserved":
            return None
        case "lapsed":
            return Code.RESERVATION_EXPIRED
        case "released":
            return Code.ALREADY_RELEASED if repeat == "error" else None
    return Code.ALREADY_CONFIRMED


def cancel_error(found: Reservation, item: CatalogItem | None, repeat: Repeat) -> Code | None:
    """Return why this item cannot be canceled, or None. `repeat` is the setting."""
    if found.state == "cancelled":
        return Code.ALREADY_CANCELLED if repeat == "error" else None
    if found.state != "confirmed":
        return Code.NOT_CONFIRMED
    return Code.CANCEL_REFUSED if item and item.refuse_cancel else None


def new_sale(
    line: ConfirmLine, purchase: Purchase, item: CatalogItem, item_fault: ItemFault, now: datetime
) -> Reservation | ApiFault:
    """Create the sale of an item that was not reserved, at its present price, or an error."""
    kind = item_fault.on(line.cart_item_id, item.catalog_item_id)
    if kind in ("reject", "no_stock"):
        code = Code.ITEM_REJECTED if kind == "reject" else Code.OUT_OF_STOCK
        return ApiFault(code, {"cartItemId": line.cart_item_id})
    return Reservation(
        new_reservation_id(),  # for a later cancel
        purchase.cart_id,
        purchase.session_id,
        line.cart_item_id,
        item.catalog_item_id,
        line.quantity or 0,
        item_fault.unit_price if kind == "price" else item.unit_price,
        item.currency,
        now,
        held=False,
        confirm_calls=1,
    )


def new_order(purchase: Purchase) -> Order:
    """Create the order of a confirm."""
    return Order(
        purchase.order_id,
        purchase.cart_id,
        purchase.session_id,
        purchase.attributes,
        purchase.extra,
    )
