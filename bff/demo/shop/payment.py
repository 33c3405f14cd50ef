"""Payment: the locked prices, the shopper's consent to a higher price, the charge.

``pay`` has four steps, in this order:

1. Renew the quote. If its total differs from the one on the page, charge nothing and explain.
2. Store the order.
3. Charge the card.
4. Confirm the order to the BFF.

If Rokt is down, the shopper loses the extras, never the tickets.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from bff import BffError, Quote
from bff.demo.shop import texts
from bff.demo.shop.basket import Basket
from bff.demo.shop.card import DECLINED_CARD, ONCE_CARD, TEST_CARD, CardForm, read_card
from bff.demo.shop.catalogue import CURRENCY
from bff.demo.shop.context import (
    ACCEPTED,
    BASKET,
    PLACEMENTS,
    basket,
    held_cart,
    parts,
    sync_tickets,
)
from bff.demo.shop.formats import money
from bff.demo.shop.orders import ShopOrder
from bff.demo.shopper import shopper
from bff.demo.timeline import captions

payment = Blueprint("payment", __name__)

log = logging.getLogger(__name__)

_EMPTY = CardForm("", "", {})


@dataclass(frozen=True, slots=True)
class Problem:
    """The message above the form when nothing was charged."""

    title: str
    text: str


CHANGED = Problem(
    "Your total has changed",
    "Something changed while this page was open. Nothing was charged. Please check the new "
    "total, then pay again.",
)
DECLINED = Problem(
    "Your card was declined",
    "Nothing was charged, and everything is still held for you. Please enter the details of "
    "another card.",
)


@payment.get("/payment")
def page() -> ResponseReturnValue:
    """Step 4: reserve the extras at Rokt, and show the locked prices beside the card form."""
    chosen = basket()
    if not chosen.lines:
        return redirect(url_for("shop.cart"))
    return _page(chosen, _locked(chosen))


_MAX_PRICE = 1_000_000  # no extra of this shop costs as much


@payment.post("/payment/accept")
def accept() -> ResponseReturnValue:
    """Store the shopper's consent to an item at the price that the page showed."""
    try:
        price = Decimal(request.form.get("price", ""))
    except InvalidOperation:
        return redirect(url_for("payment.page"), 303)
    chosen = request.form.get("cart_item_id", "")
    item = next((one for one in held_cart().items if one.cart_item_id == chosen), None)
    # The page offers the price that Rokt locked. A forged price is not consent.
    if item is not None and price.is_finite() and 0 <= price < _MAX_PRICE:
        session[ACCEPTED] = {**_accepted(), chosen: str(price)}
        _add_entry("price accepted", captions.of_consent(item.name, money(price, item.currency)))
    return redirect(url_for("payment.page"), 303)


@payment.post("/pay")
def pay() -> ResponseReturnValue:
    """Charge what the page showed, once, and confirm the extras."""
    token = request.form.get("form_token", "")
    before = parts().orders.of_form(token, shopper())
    if before is not None and before.status != "declined":
        return _to_thanks(before)
    chosen = basket()
    if not chosen.lines:
        return redirect(url_for("shop.cart"), 303)
    quote = _locked(chosen)
    card = read_card(request.form, datetime.now(UTC).date())
    if card.errors:
        return _page(chosen, quote, card), 422
    if request.form.get("shown", "") != _shown(chosen, quote):
        # A concurrent post of the same form may have bought the cart meanwhile.
        other = parts().orders.of_form(token, shopper())
        if other is not None and other.status != "declined":
            return _to_thanks(other)
        return _page(chosen, quote, card, CHANGED), 409
    if not token or len(token) > 64 or before is not None:
        return _page(chosen, quote, card, DECLINED if before else CHANGED), 409
    order, is_new = parts().orders.open(
        token,
        shopper(),
        chosen.lines,
        _extras(quote),
        CURRENCY,
        quote.quote_id if quote else None,
        card.buyer,
        texts.left_out(quote, held_cart()),
    )
    if not is_new:  # a concurrent post of the same form stored it first
        return _to_thanks(order)
    if card.declined:
        parts().orders.settle(order.order_id, paid=False)
        _add_entry("card declined", captions.of_declined())
        return _page(chosen, quote, card, DECLINED), 402
    parts().orders.settle(order.order_id, paid=True)
    _add_entry("paid", captions.of_payment(money(order.total), bool(quote and quote.items)))
    confirm(order.order_id, order.quote_id)
    for key in (BASKET, PLACEMENTS, ACCEPTED):
        session.pop(key, None)
    return _to_thanks(order)


def _to_thanks(order: ShopOrder) -> ResponseReturnValue:
    return redirect(url_for("orders.thanks", order_id=order.order_id), 303)


def confirm(order_id: str, quote_id: str | None) -> None:
    """Step 5: confirm the paid order to the BFF. Safe to repeat.

    Without a quote no extras were charged, and nothing may be confirmed.
    """
    if quote_id is None:
        return
    try:
        parts().upsells.confirm(order_id, quote_id)
    except BffError:
        # The order is stored as paid with its quote. The thanks page confirms it again.
        log.exception("the BFF did not accept the paid order %s", order_id)


def _locked(chosen: Basket) -> Quote | None:
    """Reserve the held extras. None if the BFF fails: then the order has no extras."""
    sync_tickets(chosen)
    prices = {item: Decimal(price) for item, price in _accepted().items()}
    try:
        quote = parts().upsells.reserve(accept_prices=prices or None)
    except BffError:
        log.exception("the extras could not be reserved; the checkout continues without them")
        return None
    if set(quote.totals) - {CURRENCY}:
        log.error("the quote is not in %s, so the extras were released", CURRENCY)
        parts().upsells.release()
        return None
    return quote


def _accepted() -> Mapping[str, str]:
    accepted = session.get(ACCEPTED)
    return accepted if isinstance(accepted, dict) else {}


def _extras(quote: Quote | None) -> Decimal:
    return quote.totals.get(CURRENCY, Decimal(0)) if quote else Decimal(0)


def _shown(chosen: Basket, quote: Quote | None) -> str:
    """Return what the page shows, line by line. The post of the form has to carry the same.

    The browser may send anything here: it only says what the shopper saw. The charge is computed
    on the server.
    """
    lines = [f"{line.sku}*{line.quantity}@{line.price}" for line in chosen.lines]
    for item in quote.items if quote else ():
        lines.append(f"{item.cart_item_id}*{item.quantity}@{item.unit_price}")
    return "|".join([str(chosen.total + _extras(quote)), *sorted(lines)])


def _page(
    chosen: Basket,
    quote: Quote | None,
    form: CardForm = _EMPTY,
    problem: Problem | None = None,
) -> str:
    cart = held_cart()
    dearer = texts.dearer(quote, cart) if quote else []
    for one in dearer:
        caption = captions.of_dearer(one.name, money(one.before), money(one.after))
        parts().timeline.add(shopper(), "bff", "bff", "price rose", caption, once=True)
    return render_template(
        "demo/payment.html",
        step=4,
        basket=chosen,
        quote=quote,
        total=chosen.total + _extras(quote),
        shown=_shown(chosen, quote),
        form_token=secrets.token_urlsafe(24),
        form=form,
        errors=form.errors,
        problem=problem,
        dearer=dearer,
        refused=texts.refusals(quote.rejected) if quote else [],
        notices=[_cheaper(item.name, change.after) for item, change in texts.cheaper(quote)]
        if quote
        else [],
        left_out=texts.left_out(quote, cart),
        change_at=_extras_endpoint() if cart.items else "",
        test_card=TEST_CARD,
        declined_card=DECLINED_CARD,
        once_card=ONCE_CARD,
    )


def _extras_endpoint() -> str:
    """Return the endpoint where extras are changed: their page, or the cart if it is skipped."""
    return "shop.cart" if session.get(PLACEMENTS) is False else "shop.upsell"


def _cheaper(name: str, price: Decimal) -> str:
    return f"{name} is cheaper now: {money(price)}. Your total has the new price."


def _add_entry(label: str, caption: captions.Caption) -> None:
    parts().timeline.add(shopper(), "page", "bff", label, caption)
