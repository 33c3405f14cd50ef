"""What a confirm says, and whether a reservation can be confirmed by it. Pure.

A line confirms a reservation (`itemReservationId`), or buys by quantity what was never reserved. A
line that names its reservation may repeat its quantity and prices; then they must be the locked
ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bff.emulator.errors import ApiFault, Code
from bff.emulator.records import Order, Reservation
from bff.emulator.rejection import Tweak, new_reservation_id
from bff.emulator.settings import CatalogItem


@dataclass(frozen=True, slots=True)
class Confirming:
    """A line of a confirm: by reservation, or by quantity when `reservation_id` is None."""

    cart_item_id: str
    reservation_id: str | None
    quantity: int | None
    unit_price: Decimal | None
    total_price: Decimal | None


@dataclass(frozen=True, slots=True)
class Purchase:
    """A whole confirm; `extra` holds the members that the documentation does not name."""

    cart_id: str
    order_id: str
    session_id: str | None
    lines: tuple[Confirming, ...]
    attributes: dict[str, str]
    extra: dict[str, Any]


def obstacle(found: Reservation, line: Confirming, order_id: str) -> Code | None:
    """Say what stands in the way of confirming this reservation for this order, or None.

    A reservation that this order has confirmed already is no obstacle here: whether a repeat is a
    success is a setting.
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


def sale(
    line: Confirming, purchase: Purchase, item: CatalogItem, tweak: Tweak, now: datetime
) -> Reservation | ApiFault:
    """Make the sale of an item that was not reserved, at its price of now; or say why not."""
    kind = tweak.on(line.cart_item_id, item.catalog_item_id)
    if kind in ("reject", "no_stock"):
        code = Code.ITEM_REJECTED if kind == "reject" else Code.OUT_OF_STOCK
        return ApiFault(code, {"cartItemId": line.cart_item_id})
    return Reservation(
        new_reservation_id(),  # so that it can be cancelled
        purchase.cart_id,
        purchase.session_id,
        line.cart_item_id,
        item.catalog_item_id,
        line.quantity or 0,
        tweak.unit_price if kind == "price" else item.unit_price,
        item.currency,
        now,
        held=False,
        confirm_calls=1,
    )


def order_of(purchase: Purchase) -> Order:
    """Begin the order that a confirm tells of."""
    return Order(
        purchase.order_id,
        purchase.cart_id,
        purchase.session_id,
        purchase.attributes,
        purchase.extra,
    )
