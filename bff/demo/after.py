"""After payment: the order's state, and the cancelling of an extra."""

from __future__ import annotations

import logging
from decimal import Decimal

from flask import Blueprint, abort, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from bff import BffError, Item, NotFound, Order

from . import csrf
from .listening import SHOPPER
from .orders import ShopOrder
from .parts import parts
from .payment import confirm
from .wording import standings

orders = Blueprint("orders", __name__)
orders.before_request(csrf.check)

log = logging.getLogger(__name__)

_WAITING = frozenset({"confirming", "cancelling"})
_GIVEN_BACK = frozenset({"cancelled", "refund_needed"})  # not before the provider has agreed


@orders.get("/thanks/<order_id>")
def thanks(order_id: str) -> ResponseReturnValue:
    """The order and where its extras stand."""
    return _page(_own(order_id))


@orders.get("/orders/<order_id>/state")
def state(order_id: str) -> ResponseReturnValue:
    """What the thanks page's script compares, to know when to load itself anew."""
    order = _own(order_id)
    return jsonify(state=_state(order, _upsell(order)))


@orders.get("/orders/<order_id>/cancel")
def ask_cancel(order_id: str) -> ResponseReturnValue:
    """Ask before an extra is given back."""
    order = _own(order_id)
    item = _item(_upsell(order), request.args.get("item", ""))
    if item.status != "confirmed":
        return redirect(url_for("orders.thanks", order_id=order_id))
    return render_template("demo/cancel.html", order=order, item=item)


@orders.post("/orders/<order_id>/cancel-parking")
def cancel(order_id: str) -> ResponseReturnValue:
    """Step 7: cancel one extra of a paid order."""
    order = _own(order_id)
    item = _item(_upsell(order), request.form.get("cart_item_id", ""))
    try:
        upsell = parts().upsells.cancel(order_id, item.cart_item_id)
    except BffError:
        log.exception("item %s of order %s could not be canceled", item.name, order_id)
        return _page(order, f"{item.name} could not be canceled just now. Please try again."), 503
    parts().orders.note_cancel(order_id, item.cart_item_id)
    if _item(upsell, item.cart_item_id).status == "confirmed":
        return _page(
            order,
            f"{item.name} could not be canceled. The provider said no, so your booking stands.",
        ), 409
    return redirect(url_for("orders.thanks", order_id=order_id), 303)


def _own(order_id: str) -> ShopOrder:
    """The order, if it is this browser's: another's is a 404, so that nobody learns it exists."""
    order = parts().orders.find(order_id)
    if order is None or order.status == "declined" or order.shopper != session.get(SHOPPER):
        abort(404)
    return order


def _upsell(order: ShopOrder) -> Order | None:
    """The order's extras as the BFF knows them; None when there are none."""
    if order.status != "paid" or order.quote_id is None:
        return None
    try:
        return parts().upsells.order(order.order_id)
    except NotFound:
        # Paid, but the BFF never heard of it: the process ended in between. Tell it now.
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


def _state(order: ShopOrder, upsell: Order | None) -> str:
    if upsell is None:
        return order.status
    return ",".join([order.status, *(item.status for item in upsell.items)])


def _page(order: ShopOrder, problem: str = "") -> str:
    upsell = _upsell(order)
    items = upsell.items if upsell else ()
    refund = sum((one.total_price for one in items if one.status in _GIVEN_BACK), Decimal(0))
    return render_template(
        "demo/thanks.html",
        order=order,
        extras=standings(upsell, order.buyer.card, parts().orders.cancels(order.order_id))
        if upsell
        else [],
        refund=refund,
        state=_state(order, upsell),
        untold=upsell is None and order.quote_id is not None and order.extras > 0,
        waiting=order.status == "paying"
        or (upsell is None and order.extras > 0)
        or any(one.status in _WAITING for one in items),
        problem=problem,
    )
