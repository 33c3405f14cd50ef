"""The shop's own route for instant purchases: guarded, charged by the shop, confirmed.

A partner's backend, which charges elsewhere, calls ``POST /purchases`` of ``bff.web.endpoints``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID

from flask import Response, jsonify, request

from bff.cart.order import Order
from bff.cart.quote import Quote
from bff.cart.reservation import ReserveOptions
from bff.checkout.instant_purchase import PurchaseReason, PurchaseRequest
from bff.errors import BffError, InvalidInput, Unauthorized
from bff.extension.arguments import order_id_text
from bff.web.guard import Access, Caller, admit
from bff.web.json_body import read_json
from bff.web.problems import problem_response
from bff.web.rate_limits import Limit
from bff.web.runtime import Runtime, runtime
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
    """Respond to the bridge's request; see ``Upsells.buy_instantly``."""
    here = runtime()
    try:
        access = admit(Caller.BROWSER, request, here)
        message = read_json(request, here.settings.max_body_bytes)
        purchase = read_purchase(load(InstantPurchaseBody(), message), here.settings)
        result = _buy(here, access, charge, purchase)
    except BffError as error:
        return problem_response(error)
    if isinstance(result, PurchaseReason):
        return jsonify(unpaid_response(message, purchase, result))
    return jsonify(paid_response(message, purchase, result))


def _buy(
    here: Runtime, access: Access, charge: Charge, purchase: PurchaseRequest
) -> Order | PurchaseReason:
    """Return the paid order, or why nothing was charged."""
    handle = access.handle or kept_handle()
    if handle is None:
        return PurchaseReason.NO_SESSION
    here.limits.count(Limit.UPDATES, request, handle)
    here.limits.count(Limit.CALLS, request)
    language = shopper_language()
    try:
        begun = here.purchases.begin(handle, purchase, ReserveOptions(accept_language=language))
    except Unauthorized:
        if access.by_cookie:
            here.checkout.refuse_moved(handle)
        return PurchaseReason.NO_SESSION
    if begun.order is not None and begun.reason is None:
        return begun.order
    if begun.quote is None or begun.reason is not None:
        return begun.reason or PurchaseReason.NOT_AVAILABLE
    charged = charge(begun.quote)
    if charged is None or charged is False or charged == "":
        here.purchases.give_up(begun.handle)
        return PurchaseReason.DECLINED
    try:
        # Other types are not an id, even if they can be printed, such as a provider's response.
        order_id = order_id_text(charged if isinstance(charged, str | int | UUID) else None)
        return here.purchases.confirm(begun.handle, begun.quote, order_id, language)
    except BffError as error:
        sums = ", ".join(f"{total} {currency}" for currency, total in begun.quote.totals.items())
        log.error(
            "an instant purchase was charged, but has no order: refund %s of quote %s (%s)",
            sums,
            begun.quote.quote_id,
            error.code,
        )
        if isinstance(error, InvalidInput):  # no repetition can confirm it
            here.purchases.give_up(begun.handle)
        raise
