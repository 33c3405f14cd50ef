"""The pages before payment: tickets, cart, extras. Every form works without JavaScript."""

from __future__ import annotations

import logging
from dataclasses import replace

from flask import Blueprint, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from bff import BffError
from bff.demo.shop.basket import BadBasket, Basket, is_known, read_basket, without
from bff.demo.shop.catalogue import LOCALE, MAX_TICKETS, TICKETS
from bff.demo.shop.context import (
    PLACEMENTS,
    available_items,
    basket,
    held_cart,
    parts,
    preview,
    store_basket,
    sync_tickets,
)

shop = Blueprint("shop", __name__)

log = logging.getLogger(__name__)


@shop.get("/")
def tickets() -> ResponseReturnValue:
    """Show the concert and its ticket categories."""
    return _tickets_page(basket())


@shop.post("/cart")
def add() -> ResponseReturnValue:
    """Store the quantities of the ticket page."""
    try:
        chosen = read_basket(request.form)
    except BadBasket as error:
        return _tickets_page(basket(), str(error)), 422
    if not chosen.lines:
        return _tickets_page(chosen, "Please choose at least one ticket."), 422
    store_basket(chosen)
    return redirect(url_for("shop.cart"), 303)


@shop.get("/cart")
def cart() -> ResponseReturnValue:
    """Show the tickets, and the extras that the BFF holds."""
    return _cart_page()


@shop.post("/cart/change")
def change() -> ResponseReturnValue:
    """Set the quantity of one category."""
    sku = request.form.get("sku", "")
    if is_known(sku):
        try:
            quantities = {**basket().quantities(), sku: request.form.get("quantity", "")}
            store_basket(read_basket(quantities))
        except BadBasket as error:
            return _cart_page(str(error)), 422
    return redirect(url_for("shop.cart"), 303)


@shop.post("/cart/remove")
def remove() -> ResponseReturnValue:
    """Remove one category."""
    store_basket(without(basket(), request.form.get("sku", "")))
    return redirect(url_for("shop.cart"), 303)


@shop.post("/checkout")
def checkout() -> ResponseReturnValue:
    """Step 1: ask Rokt for placements, then redirect to the extras or to payment."""
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
    """Steps 2 and 3: show the page on which the Web SDK draws its placement."""
    chosen = basket()
    if not chosen.lines:
        return redirect(url_for("shop.cart"))
    if session.get(PLACEMENTS) is False:
        return redirect(url_for("payment.page"))
    cart = held_cart()
    extras = available_items(cart)
    return render_template(
        "demo/upsell.html",
        step=3,
        basket=chosen,
        extras=extras,
        total=preview(chosen, extras),
    )


@shop.post("/extras/remove")
def remove_extra() -> ResponseReturnValue:
    """Remove a held extra by a form of the cart or of the extras page."""
    try:
        parts().upsells.remove(request.form.get("cart_item_id", ""))
    except BffError:
        log.exception("a held extra could not be removed")
        return _cart_page("That could not be removed just now. Please try again."), 503
    back = "shop.upsell" if request.form.get("back") == "extras" else "shop.cart"
    return redirect(url_for(back), 303)


@shop.post("/extras/follow")
def follow_tickets() -> ResponseReturnValue:
    """Sync linked items with the tickets. The page then reads the cart again."""
    sync_tickets(basket())
    return jsonify({})


def _tickets_page(chosen: Basket, problem: str = "") -> str:
    wished = chosen.quantities()
    if request.method == "POST":  # show what was typed, even if it is wrong
        wished = {one.sku: _typed(request.form.get(one.sku, "0")) for one in TICKETS}
    return render_template(
        "demo/tickets.html",
        step=1,
        tickets=TICKETS,
        chosen=wished,
        held=bool(basket().lines),
        most=MAX_TICKETS,
        problem=problem,
    )


def _cart_page(problem: str = "") -> str:
    chosen = basket()
    cart = held_cart()
    extras = available_items(cart)
    return render_template(
        "demo/cart.html",
        step=2,
        basket=chosen,
        held=cart if chosen.lines else replace(cart, items=()),
        extras=extras,
        total=preview(chosen, extras),
        most=MAX_TICKETS,
        problem=problem,
    )


def _typed(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 0
