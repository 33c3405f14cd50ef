"""After payment: the order's state, and the cancelling of an extra."""

from __future__ import annotations

import logging
from decimal import Decimal

from flask import Blueprint, abort, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from bff import BffError, Item, NotFound, Order
from bff.demo.context import own, parts
from bff.demo.shop import csrf
from bff.demo.shop.again import may_buy
from bff.demo.shop.catalogue import AFTER_PAYMENT
from bff.demo.shop.orders import ShopOrder
from bff.demo.shop.payment import confirm
from bff.demo.shop.texts import standings

orders = Blueprint("orders", __name__)
orders.before_request(csrf.check)

log = logging.getLogger(__name__)

Told = tuple[ShopOrder, Order | None]  # as the shop knows it, and as the BFF does

_WAITING = frozenset({"confirming", "cancelling"})
_GIVEN_BACK = frozenset({"cancelled", "refund_needed"})  # not before the provider has agreed


@orders.get("/thanks/<order_id>")
def thanks(order_id: str) -> ResponseReturnValue:
    """The order and where its extras stand; what was bought afterwards stands with it."""
    order = own(order_id)
    first = parts().orders.first(order_id)
    if first != order_id:
        return redirect(url_for("orders.thanks", order_id=first))
    return _page(order)


@orders.get("/orders/<order_id>/state")
def state(order_id: str) -> ResponseReturnValue:
    """What the thanks page's script compares, to know when to load itself anew."""
    return jsonify(state=_state(_told(own(order_id))))


@orders.get("/orders/<order_id>/cancel")
def ask_cancel(order_id: str) -> ResponseReturnValue:
    """Ask before an extra is given back."""
    order = own(order_id)
    item = _item(_upsell(order), request.args.get("item", ""))
    if item.status != "confirmed":
        return redirect(url_for("orders.thanks", order_id=order_id))
    return render_template("demo/cancel.html", order=order, item=item)


@orders.post("/orders/<order_id>/cancel-parking")
def cancel(order_id: str) -> ResponseReturnValue:
    """Step 7: cancel one extra of a paid order."""
    order = own(order_id)
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


def _first(order: ShopOrder) -> ShopOrder:
    """The order on whose page this one stands."""
    return own(parts().orders.first(order.order_id))


def _told(order: ShopOrder) -> list[Told]:
    """The order and what was bought after it, each with its extras."""
    return [(one, _upsell(one)) for one in (order, *parts().orders.afterwards(order.order_id))]


def _state(told: list[Told]) -> str:
    return ";".join(
        ",".join([order.status, *(item.status for item in upsell.items)])
        if upsell
        else order.status
        for order, upsell in told
    )


def _page(order: ShopOrder, problem: str = "") -> str:
    told = _told(order)
    extras = [
        (one.order_id, standing)
        for one, upsell in told
        if upsell
        for standing in standings(upsell, one.buyer.card, parts().orders.cancels(one.order_id))
    ]
    items = [standing.item for _, standing in extras]
    refund = sum((one.total_price for one in items if one.status in _GIVEN_BACK), Decimal(0))
    untold = any(upsell is None and one.quote_id and one.extras > 0 for one, upsell in told)
    afterwards = sum((one.total for one, _ in told[1:]), Decimal(0))
    return render_template(
        "demo/thanks.html",
        order=order,
        extras=extras,
        afterwards=afterwards,
        refund=refund,
        total=order.total + afterwards - refund,
        state=_state(told),
        untold=untold,
        waiting=order.status == "paying" or untold or any(one.status in _WAITING for one in items),
        problem=problem,
        may_buy=may_buy(order) and not afterwards,
        account_id=parts().account_id,
        sandbox=parts().sandbox,
        emulator_url=parts().emulator_url,
        item_after_payment=AFTER_PAYMENT,
    )
