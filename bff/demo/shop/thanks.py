"""After payment: the order's state, canceling an extra, and an instant purchase.

An instant purchase is one press in the thanks page's placement, charged to the same card. The shop
allows it for an hour after the order. Each purchase is an order of its own. If the process ends
between charge and confirm, the page repeats the request, and the stored order is confirmed.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flask import Blueprint, abort, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from bff import BffError, Item, NotFound, Order, Quote
from bff.demo.shop.card import charge_again
from bff.demo.shop.catalogue import AFTER_PAYMENT, CURRENCY
from bff.demo.shop.context import own_order, parts
from bff.demo.shop.formats import money
from bff.demo.shop.orders import ShopOrder
from bff.demo.shop.payment import confirm
from bff.demo.shop.texts import item_states
from bff.demo.timeline import captions

orders = Blueprint("orders", __name__)

log = logging.getLogger(__name__)

OrderPair = tuple[ShopOrder, Order | None]  # the shop's order and the BFF's

PURCHASE_LIMIT = timedelta(hours=1)  # after that the shopper would have to enter the card again

_WAITING = frozenset({"confirming", "cancelling"})


@orders.get("/thanks/<order_id>")
def thanks(order_id: str) -> ResponseReturnValue:
    """Show the order, its extras, and what was bought afterwards."""
    order = own_order(order_id)
    first = parts().orders.first(order_id)
    if first != order_id:
        return redirect(url_for("orders.thanks", order_id=first))
    return _page(order)


@orders.get("/orders/<order_id>/state")
def state(order_id: str) -> ResponseReturnValue:
    """Return the state that the page's script compares to know when to reload."""
    return jsonify(state=_state(_order_pairs(own_order(order_id))))


@orders.get("/orders/<order_id>/cancel")
def ask_cancel(order_id: str) -> ResponseReturnValue:
    """Ask the shopper whether to cancel an extra."""
    order = own_order(order_id)
    item = _item(_upsell(order), request.args.get("item", ""))
    if item.status != "confirmed":
        return redirect(url_for("orders.thanks", order_id=order_id))
    return render_template("demo/cancel.html", order=order, item=item)


@orders.post("/orders/<order_id>/cancel-parking")
def cancel(order_id: str) -> ResponseReturnValue:
    """Step 7: cancel one extra of a paid order."""
    order = own_order(order_id)
    item = _item(_upsell(order), request.form.get("cart_item_id", ""))
    try:
        upsell = parts().upsells.cancel(order_id, item.cart_item_id)
    except BffError:
        log.exception("item %s of order %s could not be canceled", item.name, order_id)
        problem = f"{item.name} could not be canceled just now. Please try again."
        return _page(_first(order), problem), 503
    parts().orders.note_cancel(order_id, item.cart_item_id)
    if _item(upsell, item.cart_item_id).status == "confirmed":
        return _page(
            _first(order),
            f"{item.name} could not be canceled. The provider said no, so your booking stands.",
        ), 409
    return redirect(url_for("orders.thanks", order_id=order_id), 303)


@orders.post("/orders/<order_id>/buy")
def buy(order_id: str) -> ResponseReturnValue:
    """Sell what the shopper pressed in the placement."""
    order = own_order(order_id)
    return parts().upsells.buy_instantly(lambda quote: _charge(order, quote))


def _may_buy(order: ShopOrder) -> bool:
    return order.status == "paid" and datetime.now(UTC) - order.created_at < PURCHASE_LIMIT


def _charge(first: ShopOrder, quote: Quote) -> str | None:
    """Charge the card of the first order, once a quote. None if it cannot be charged."""
    if not _may_buy(first) or set(quote.totals) != {CURRENCY}:
        return None
    total = quote.totals[CURRENCY]
    order, is_new = parts().orders.open(
        f"purchase {quote.quote_id}",  # the token of a payment form has no space
        first.shopper,
        (),
        total,
        CURRENCY,
        quote.quote_id,
        first.buyer,
        after=first.order_id,
    )
    is_paid = charge_again(first.buyer)
    parts().orders.settle(order.order_id, paid=is_paid)
    if is_new:
        label = "paid again" if is_paid else "card declined"
        caption = captions.of_purchase(money(total), is_paid)
        parts().timeline.add(first.shopper, "bff", "bff", label, caption)
    return order.order_id if is_paid else None


def _upsell(order: ShopOrder) -> Order | None:
    """Return the BFF's order, or None if there is none or it cannot be read."""
    if order.status != "paid" or order.quote_id is None:
        return None
    try:
        return parts().upsells.order(order.order_id)
    except NotFound:
        # The process ended between the charge and the confirm. Confirm it now.
        confirm(order.order_id, order.quote_id)
    except BffError:
        log.exception("the extras of order %s could not be read", order.order_id)
        return None
    try:
        return parts().upsells.order(order.order_id)
    except BffError:
        return None


def _item(upsell: Order | None, cart_item_id: str) -> Item:
    items = {item.cart_item_id: item for item in upsell.items} if upsell else {}
    if cart_item_id not in items:
        abort(404)
    return items[cart_item_id]


def _first(order: ShopOrder) -> ShopOrder:
    """Return the order on whose page this one is shown."""
    return own_order(parts().orders.first(order.order_id))


def _order_pairs(order: ShopOrder) -> list[OrderPair]:
    """Return the order and those bought after it, each with the BFF's order."""
    return [(one, _upsell(one)) for one in (order, *parts().orders.afterwards(order.order_id))]


def _state(pairs: list[OrderPair]) -> str:
    return ";".join(
        ",".join([order.status, *(item.status for item in upsell.items)])
        if upsell
        else order.status
        for order, upsell in pairs
    )


def _page(order: ShopOrder, problem: str = "") -> str:
    pairs = _order_pairs(order)
    extras = [
        (one.order_id, item_state)
        for one, upsell in pairs
        if upsell
        for item_state in item_states(upsell, one.buyer.card, parts().orders.cancels(one.order_id))
    ]
    items = [item_state.item for _, item_state in extras]
    refund = sum((one.item.total_price for _, one in extras if one.is_void), Decimal(0))
    unknown = any(upsell is None and one.quote_id and one.extras > 0 for one, upsell in pairs)
    afterwards = sum((one.total for one, _ in pairs[1:]), Decimal(0))
    return render_template(
        "demo/thanks.html",
        order=order,
        extras=extras,
        afterwards=afterwards,
        refund=refund,
        total=order.total + afterwards - refund,
        state=_state(pairs),
        unknown=unknown,
        waiting=order.status == "paying" or unknown or any(one.status in _WAITING for one in items),
        problem=problem,
        may_buy=_may_buy(order) and not afterwards,
        item_after_payment=AFTER_PAYMENT,
    )
