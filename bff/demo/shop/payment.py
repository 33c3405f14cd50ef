"""Payment: what Rokt locked, the shopper's word on a dearer price, the charge.

The order of things in ``pay`` is what matters. The quote is renewed first; if its total is not
the one that the page showed, nothing is charged and the page explains. Then the order is
written, then the card is charged, then the BFF is told that the order is paid. A Rokt that is
down costs the shopper the extras, never the tickets.
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
from bff.demo.context import ACCEPTED, BASKET, PLACEMENTS, basket, follow, held, parts, shopper
from bff.demo.shop import csrf
from bff.demo.shop import texts as wording
from bff.demo.shop.basket import Basket
from bff.demo.shop.card import DECLINED_CARD, ONCE_CARD, TEST_CARD, CardForm, read_card
from bff.demo.shop.catalogue import CURRENCY
from bff.demo.shop.formats import money
from bff.demo.timeline.captions import Words, of_consent, of_dearer, of_payment

payment = Blueprint("payment", __name__)
payment.before_request(csrf.check)

log = logging.getLogger(__name__)

_EMPTY = CardForm("", "", {})


@dataclass(frozen=True, slots=True)
class Problem:
    """What stands above the form when nothing was charged."""

    title: str
    text: str


CHANGED = Problem(
    "Your total has changed",
    "Something changed while this page was open. Nothing was charged: please look at the new "
    "total and pay again.",
)
DECLINED = Problem(
    "Your card was declined",
    "Nothing was charged, and everything is still held for you. Please enter another card: we do "
    "not keep the numbers.",
)


@payment.get("/payment")
def page() -> ResponseReturnValue:
    """Step 4: have stock and prices locked, and show them beside the card form."""
    chosen = basket()
    if not chosen.lines:
        return redirect(url_for("shop.cart"))
    return _page(chosen, _locked(chosen))


# No extra of this shop costs as much.
MOST_ACCEPTED = 1_000_000


@payment.post("/payment/accept")
def accept() -> ResponseReturnValue:
    """Keep the shopper's word: this item, at the price that the page showed."""
    try:
        price = Decimal(request.form.get("price", ""))
    except InvalidOperation:
        return redirect(url_for("payment.page"), 303)
    wish = request.form.get("cart_item_id", "")
    item = next((one for one in held().items if one.cart_item_id == wish), None)
    # The page offered the price that Rokt locked; a forged form's is no consent to anything.
    if item is not None and price.is_finite() and 0 <= price < MOST_ACCEPTED:
        session[ACCEPTED] = {**_accepted(), wish: str(price)}
        _tell("price accepted", of_consent(item.name, money(price, item.currency)))
    return redirect(url_for("payment.page"), 303)


@payment.post("/pay")
def pay() -> ResponseReturnValue:
    """Charge what the page showed, once, and have the extras confirmed."""
    token = request.form.get("form_token", "")
    before = parts().orders.of_form(token, shopper())
    if before is not None and before.status != "declined":
        return redirect(url_for("orders.thanks", order_id=before.order_id), 303)
    chosen = basket()
    if not chosen.lines:
        return redirect(url_for("shop.cart"), 303)
    quote = _locked(chosen)
    card = read_card(request.form, datetime.now(UTC).date())
    if card.errors:
        return _page(chosen, quote, card), 422
    if request.form.get("shown", "") != _shown(chosen, quote):
        # Where the same form was posted at once, the other one may have bought the cart meanwhile.
        ahead = parts().orders.of_form(token, shopper())
        if ahead is not None and ahead.status != "declined":
            return redirect(url_for("orders.thanks", order_id=ahead.order_id), 303)
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
        wording.left_out(quote, held()),
    )
    if not is_new:  # the same form was posted twice at once, and the other one is ahead
        return redirect(url_for("orders.thanks", order_id=order.order_id), 303)
    if card.declined:
        parts().orders.settle(order.order_id, paid=False)
        stays = Words(None, "Nothing is charged; what Rokt holds stays held.", "warn")
        _tell("card declined", stays)
        return _page(chosen, quote, card, DECLINED), 402
    parts().orders.settle(order.order_id, paid=True)
    _tell("paid", of_payment(money(order.total), bool(quote and quote.items)))
    confirm(order.order_id, order.quote_id)
    for key in (BASKET, PLACEMENTS, ACCEPTED):
        session.pop(key, None)
    return redirect(url_for("orders.thanks", order_id=order.order_id), 303)


def confirm(order_id: str, quote_id: str | None) -> None:
    """Step 5: tell the BFF that the order is paid. Safe to repeat.

    Without a quote nothing of the extras was charged, and nothing may be confirmed.
    """
    if quote_id is None:
        return
    try:
        parts().upsells.confirm(order_id, quote_id)
    except BffError:
        # The order is stored as paid with its quote: the thanks page tells the BFF again.
        log.exception("the BFF did not take the paid order %s", order_id)


def _locked(chosen: Basket) -> Quote | None:
    """Have what is held locked at Rokt; None when the BFF itself fails: no extras, then."""
    follow(chosen)
    prices = {item: Decimal(price) for item, price in _accepted().items()}
    try:
        quote = parts().upsells.reserve(accept_prices=prices or None)
    except BffError:
        log.exception("nothing could be reserved; the checkout goes on without extras")
        return None
    if set(quote.totals) - {CURRENCY}:
        log.error("this shop charges in %s only; the extras are given back", CURRENCY)
        parts().upsells.release()
        return None
    return quote


def _accepted() -> Mapping[str, str]:
    accepted = session.get(ACCEPTED)
    return accepted if isinstance(accepted, dict) else {}


def _extras(quote: Quote | None) -> Decimal:
    return quote.totals.get(CURRENCY, Decimal(0)) if quote else Decimal(0)


def _shown(chosen: Basket, quote: Quote | None) -> str:
    """What the page shows, line by line, to be compared when it is paid for.

    It comes back out of the browser, and that is safe: it only says what the shopper saw. The
    charge is computed here.
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
    cart = held()
    dearer = wording.dearer(quote, cart) if quote else []
    for one in dearer:
        words = of_dearer(one.name, money(one.before), money(one.after))
        parts().timeline.add(shopper(), "bff", "bff", "price rose", words, once=True)
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
        refused=wording.refusals(quote.rejected) if quote else [],
        notices=[_cheaper(item.name, change.after) for item, change in wording.cheaper(quote)]
        if quote
        else [],
        left_out=wording.left_out(quote, cart),
        change_at=_place_for_extras() if cart.items else "",
        test_card=TEST_CARD,
        declined_card=DECLINED_CARD,
        once_card=ONCE_CARD,
    )


def _place_for_extras() -> str:
    """The page on which extras are changed: theirs, or the cart when theirs is skipped."""
    return "shop.cart" if session.get(PLACEMENTS) is False else "shop.upsell"


def _cheaper(name: str, price: Decimal) -> str:
    return f"{name} is cheaper now: {money(price)}. Your total has the new price."


def _tell(label: str, words: Words) -> None:
    parts().timeline.add(shopper(), "page", "bff", label, words)
