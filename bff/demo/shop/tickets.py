"""The pages before payment: tickets, cart, extras. Every form works without JavaScript."""

from __future__ import annotations

import logging
from dataclasses import replace

from flask import Blueprint, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from bff import BffError
from bff.demo.context import PLACEMENTS, basket, follow, held, keep, parts, preview, wanted
from bff.demo.shop import csrf
from bff.demo.shop.basket import BadBasket, Basket, is_known, read_basket, without
from bff.demo.shop.catalogue import LOCALE, MOST_TICKETS, TICKETS

shop = Blueprint("shop", __name__)
shop.before_request(csrf.check)

log = logging.getLogger(__name__)


@shop.get("/")
def tickets() -> ResponseReturnValue:
    """The evening and its ticket categories."""
    return _tickets_page(basket())


@shop.post("/cart")
def add() -> ResponseReturnValue:
    """Take the quantities of the ticket page."""
    try:
        chosen = read_basket(request.form)
    except BadBasket as error:
        return _tickets_page(basket(), str(error)), 422
    if not chosen.lines:
        return _tickets_page(chosen, "Please choose at least one ticket."), 422
    keep(chosen)
    return redirect(url_for("shop.cart"), 303)


@shop.get("/cart")
def cart() -> ResponseReturnValue:
    """The tickets, and the extras that are held from an earlier visit to their page."""
    return _cart_page()


@shop.post("/cart/change")
def change() -> ResponseReturnValue:
    """Set the quantity of one category."""
    sku = request.form.get("sku", "")
    if is_known(sku):
        try:
            wished = {**basket().quantities(), sku: request.form.get("quantity", "")}
            keep(read_basket(wished))
        except BadBasket as error:
            return _cart_page(str(error)), 422
    return redirect(url_for("shop.cart"), 303)


@shop.post("/cart/remove")
def remove() -> ResponseReturnValue:
    """Take one category out."""
    keep(without(basket(), request.form.get("sku", "")))
    return redirect(url_for("shop.cart"), 303)


@shop.post("/checkout")
def checkout() -> ResponseReturnValue:
    """Step 1: ask whether there is anything to offer, and go there or straight to payment."""
    if not basket().lines:
        return redirect(url_for("shop.cart"), 303)
    placements = parts().upsells.any_placements(
        page_identifier="checkout.upsell",
        url=url_for("shop.upsell", _external=True),
        attributes={"locale": LOCALE, "country": "US", "eventId": "last-ferry-home"},
    )
    session[PLACEMENTS] = bool(placements)
    return redirect(url_for("shop.upsell" if placements else "payment.page"), 303)


@shop.get("/extras")
def upsell() -> ResponseReturnValue:
    """Step 2 and 3: the page on which the Web SDK draws its placement."""
    chosen = basket()
    if not chosen.lines:
        return redirect(url_for("shop.cart"))
    if session.get(PLACEMENTS) is False:
        return redirect(url_for("payment.page"))
    cart = held()
    extras = wanted(cart)
    return render_template(
        "demo/upsell.html",
        step=3,
        basket=chosen,
        extras=extras,
        total=preview(chosen, extras),
        account_id=parts().account_id,
        sandbox=parts().sandbox,
        emulator_url=parts().emulator_url,
    )


@shop.post("/extras/remove")
def remove_extra() -> ResponseReturnValue:
    """Take a held extra out by a form, from the cart or from the extras page without a script."""
    try:
        parts().upsells.remove(request.form.get("cart_item_id", ""))
    except BffError:
        log.exception("an extra could not be taken out")
        return _cart_page("That could not be removed just now. Please try again."), 503
    back = "shop.upsell" if request.form.get("back") == "extras" else "shop.cart"
    return redirect(url_for(back), 303)


@shop.post("/extras/follow")
def follow_tickets() -> ResponseReturnValue:
    """Bring what is linked to the tickets to their number; the page reads the cart anew."""
    follow(basket())
    return jsonify({})


def _tickets_page(chosen: Basket, problem: str = "") -> str:
    wished = chosen.quantities()
    if request.method == "POST":  # what was typed stays, wrong as it is
        wished = {one.sku: _shown(request.form.get(one.sku, "0")) for one in TICKETS}
    return render_template(
        "demo/tickets.html",
        step=1,
        tickets=TICKETS,
        chosen=wished,
        held=bool(basket().lines),
        most=MOST_TICKETS,
        problem=problem,
    )


def _cart_page(problem: str = "") -> str:
    chosen = basket()
    cart = held()
    extras = wanted(cart)
    return render_template(
        "demo/cart.html",
        step=2,
        basket=chosen,
        held=cart if chosen.lines else replace(cart, items=()),
        extras=extras,
        total=preview(chosen, extras),
        most=MOST_TICKETS,
        problem=problem,
    )


def _shown(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 0
