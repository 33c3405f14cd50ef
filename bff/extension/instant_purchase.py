"""Serves an instant purchase on the shop's own route, with our guard and limits.

The shop's function charges; everything around it is here. A partner's server, which charges by
itself, calls ``POST /purchases`` in ``bff.web.views``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID

from flask import Response, jsonify, request

from bff.cart.order import Order
from bff.cart.quote import Quote
from bff.cart.reservation import ReserveOptions
from bff.checkout.instant_purchase import InstantPurchases, PurchaseReason, PurchaseRequest
from bff.errors import BffError, InvalidInput, Unauthorized
from bff.extension.arguments import order_id_text
from bff.web.guard import Caller, admit
from bff.web.json_body import read_json
from bff.web.problems import problem_response
from bff.web.rate_limits import Limit
from bff.web.runtime import runtime
from bff.web.schemas.fields import load
from bff.web.schemas.instant_purchase import (
    InstantPurchaseBody,
    paid_response,
    read_purchase,
    unpaid_response,
)
from bff.web.shopper import kept_handle, shopper_language

log = logging.getLogger(__name__)


Charge = Callable[[Quote], str | int | None]


def respond(charge: Charge) -> Response:
    """Respond to the request of a page's bridge; see ``Upsells.buy_instantly``."""
    here = runtime()
    try:
        access = admit(Caller.BROWSER, request, here)
        message = read_json(request, here.settings.max_body_bytes)
        purchase = read_purchase(load(InstantPurchaseBody(), message), here.settings)
        handle = access.handle or kept_handle()
        if handle is None:
            return jsonify(unpaid_response(message, purchase, PurchaseReason.NO_SESSION))
        here.limits.count(Limit.UPDATES, request, handle)
        here.limits.count(Limit.CALLS, request)
        result = _buy(here.purchases, charge, handle, purchase)
        if result is PurchaseReason.NO_SESSION and access.by_cookie:
            here.checkout.refuse_moved(handle)
        if isinstance(result, PurchaseReason):
            return jsonify(unpaid_response(message, purchase, result))
        return jsonify(paid_response(message, purchase, result))
    except BffError as error:
        return problem_response(error)


def _buy(
    buying: InstantPurchases, charge: Charge, handle: str, purchase: PurchaseRequest
) -> Order | PurchaseReason:
    """Return the paid order, or why nothing was charged."""
    language = shopper_language()
    try:
        begun = buying.begin(handle, purchase, ReserveOptions(accept_language=language))
    except Unauthorized:
        return PurchaseReason.NO_SESSION
    if begun.order is not None and begun.reason is None:
        return begun.order
    if begun.quote is None or begun.reason is not None:
        return begun.reason or PurchaseReason.NOT_AVAILABLE
    quote, charged = begun.quote, charge(begun.quote)
    if charged is None or charged is False or charged == "":
        buying.give_up(begun.handle)
        return PurchaseReason.DECLINED
    try:
        # Other types are not an id, even if they can be printed: a provider's response, say.
        order_id = order_id_text(charged if isinstance(charged, str | int | UUID) else None)
    except InvalidInput as error:
        _alarm(quote, error)
        buying.give_up(begun.handle)
        raise
    try:
        return buying.confirm(begun.handle, quote, order_id, language)
    except BffError as error:
        _alarm(quote, error)
        raise


def _alarm(quote: Quote, error: BffError) -> None:
    """Log that money was taken without an order, which only the shop can refund."""
    sums = ", ".join(f"{total} {currency}" for currency, total in quote.totals.items())
    log.error(
        "an instant purchase was charged without an order (quote %s, %s): %s. Refund the charge.",
        quote.quote_id,
        sums,
        error.code,
    )
