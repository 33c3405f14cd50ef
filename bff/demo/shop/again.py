"""One more thing after payment: a press in the thanks page's placement, charged to the same card.

The page cannot say that it may be charged again; this shop says so for an hour after the order,
and then the bank has its word. What was bought is an order of its own. Where the process ends
between charge and confirm, the page's repetition finds the order and has it confirmed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Blueprint
from flask.typing import ResponseReturnValue

from bff import Quote
from bff.demo.context import own, parts
from bff.demo.shop.card import charge_again
from bff.demo.shop.catalogue import CURRENCY
from bff.demo.shop.formats import money
from bff.demo.shop.orders import ShopOrder
from bff.demo.timeline import captions

# Without ``csrf.check``: ``buy_instantly`` has the guard of the BFF's own endpoints.
again = Blueprint("again", __name__)

# Longer, and the shopper should be asked for the card once more.
LIMIT = timedelta(hours=1)


def may_buy(order: ShopOrder) -> bool:
    """Tell whether the thanks page may offer something, and the card be charged for it."""
    return order.status == "paid" and datetime.now(UTC) - order.created_at < LIMIT


@again.post("/orders/<order_id>/buy")
def buy(order_id: str) -> ResponseReturnValue:
    """Answer the placement's press."""
    order = own(order_id)
    return parts().upsells.buy_instantly(lambda quote: _charge(order, quote))


def _charge(first: ShopOrder, quote: Quote) -> str | None:
    """Charge the card that paid the order, once a quote; None when that cannot be done."""
    if not may_buy(first) or set(quote.totals) != {CURRENCY}:
        return None
    total = quote.totals[CURRENCY]
    order, is_new = parts().orders.open(
        f"press {quote.quote_id}",  # a payment form's token has no space
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
        words = captions.of_payment_again(money(total), is_paid)
        parts().timeline.add(first.shopper, "bff", "bff", label, words)
    return order.order_id if is_paid else None
