"""The parts of the running shop, and what a view needs of this browser's session."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from decimal import Decimal

from flask import abort, current_app, session

from bff import BffError, Cart, Item, Upsells
from bff.demo.shop.basket import Basket, from_session
from bff.demo.shop.orders import Orders, ShopOrder
from bff.demo.shopper import known_shopper
from bff.demo.timeline.timeline import Timeline

# Keys in Flask's session.
BASKET = "basket"
PLACEMENTS = "placements"
ACCEPTED = "accepted"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """The objects that the shop's views share."""

    upsells: Upsells
    orders: Orders
    timeline: Timeline


def parts() -> Parts:
    """Return the parts of the current app."""
    found: Parts = current_app.extensions["demo_shop"]
    return found


def own_order(order_id: str) -> ShopOrder:
    """Return an order of this browser.

    The order of another browser is a 404, so that its number is not confirmed to exist.
    """
    order = parts().orders.find(order_id)
    if order is None or order.status == "declined" or order.shopper != known_shopper():
        abort(404)
    return order


def basket() -> Basket:
    """Return the tickets that this browser chose."""
    return from_session(session.get(BASKET))


def store_basket(tickets: Basket) -> None:
    """Store the tickets in the session, and sync linked items with them."""
    session[BASKET] = tickets.quantities()
    sync_tickets(tickets)


def sync_tickets(tickets: Basket) -> None:
    """Send the number of tickets to the BFF. The shop works on if the BFF fails."""
    try:
        parts().upsells.sync_products(tickets.products())
    except BffError:
        log.exception("the upsell could not be synced with the tickets")


def held_cart() -> Cart:
    """Return the held upsell, or an empty cart if the BFF cannot read it."""
    try:
        return parts().upsells.cart
    except BffError:
        log.exception("the held upsell could not be read")
        return Cart(cart_id=None, version=0, items=(), totals={}, removed=())


def available_items(cart: Cart) -> list[Item]:
    """Return the held items that can be had, with the quantity and price that Rokt gave last."""
    return [_as_available(item) for item in cart.items if item.available != 0]


def _as_available(item: Item) -> Item:
    quantity = item.quantity if item.available is None else item.available
    price = item.unit_price if item.locked_price is None else item.locked_price
    return replace(item, quantity=quantity, unit_price=price, total_price=price * quantity)


def preview(tickets: Basket, extras: list[Item]) -> Decimal:
    """Return the expected total. The charge uses the prices that Rokt locks at payment."""
    return tickets.total + sum((item.total_price for item in extras), Decimal(0))
