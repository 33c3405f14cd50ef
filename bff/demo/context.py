"""The parts of one demo shop, and how a view gets at them."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, replace
from decimal import Decimal

from flask import abort, current_app, session

from bff import BffError, Cart, Item, Upsells
from bff.demo.shop.basket import Basket, from_session
from bff.demo.shop.orders import Orders, ShopOrder
from bff.demo.timeline.listener import SHOPPER, Listener
from bff.demo.timeline.switches import Controls
from bff.demo.timeline.timeline import Timeline

BASKET = "basket"  # keys in Flask's session
PLACEMENTS = "placements"
ACCEPTED = "accepted"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the views share. ``controls`` is None when the shop talks to Rokt itself."""

    upsells: Upsells
    orders: Orders
    timeline: Timeline
    listener: Listener
    controls: Controls | None
    emulator_url: str
    account_id: str
    sandbox: bool
    partner_url: str


def parts() -> Parts:
    """The parts of the current app."""
    found: Parts = current_app.extensions["demo"]
    return found


def shopper() -> str:
    """The name under which the shop knows this browser; made on the first visit."""
    known = session.get(SHOPPER)
    if not isinstance(known, str):
        known = session[SHOPPER] = secrets.token_urlsafe(16)
    return known


def own(order_id: str) -> ShopOrder:
    """The order, if it is this browser's: another's is a 404, so that nobody learns it exists."""
    order = parts().orders.find(order_id)
    if order is None or order.status == "declined" or order.shopper != session.get(SHOPPER):
        abort(404)
    return order


def basket() -> Basket:
    """The tickets that this browser chose."""
    return from_session(session.get(BASKET))


def keep(new: Basket) -> None:
    """Keep the tickets, and tell the BFF, so that what is linked to them follows."""
    session[BASKET] = new.quantities()
    follow(new)


def follow(tickets: Basket) -> None:
    """Tell the BFF how many tickets there are. A shop must work while its BFF does not."""
    try:
        parts().upsells.sync_products(tickets.products())
    except BffError:
        log.exception("the upsell could not follow the tickets")


def held() -> Cart:
    """The held upsell, an empty one when the BFF cannot say."""
    try:
        return parts().upsells.cart
    except BffError:
        log.exception("the held upsell could not be read")
        return Cart(cart_id=None, version=0, items=(), totals={}, removed=())


def wanted(cart: Cart) -> list[Item]:
    """What of the held upsell counts into a preview of the total, as it can be had."""
    return [_as_had(item) for item in cart.items if item.available != 0]


def _as_had(item: Item) -> Item:
    quantity = item.quantity if item.available is None else item.available
    price = item.unit_price if item.locked_price is None else item.locked_price
    return replace(item, quantity=quantity, unit_price=price, total_price=price * quantity)


def preview(tickets: Basket, extras: list[Item]) -> Decimal:
    """The total as it looks from here; what is charged is what Rokt locks at payment."""
    return tickets.total + sum((item.total_price for item in extras), Decimal(0))
