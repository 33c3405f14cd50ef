"""The shop's own route for instant purchases: guarded like ours, answered as the placement waits.

The shop's function charges; everything around it is here. For a partner's backend, which charges
elsewhere, ``bff.views`` has ``POST /purchases``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID

from flask import Response, jsonify, request

from bff.cart.quote import Quote
from bff.cart.reservation import ReserveOptions
from bff.checkout.instant_purchase import InstantPurchases, PurchaseReason, PurchaseRequest
from bff.errors import BffError, InvalidInput, Unauthorized
from bff.extension.arguments import order_id_text
from bff.web.guard import Caller, admit
from bff.web.json_body import read_json
from bff.web.problems import refused
from bff.web.runtime import runtime
from bff.web.schemas.instant_purchase import bought, load_press, not_bought
from bff.web.shopper import kept_handle, shopper_language

log = logging.getLogger(__name__)


Charge = Callable[[Quote], str | int | None]


def press(charge: Charge) -> Response:
    """Answer the request under way, which a page's bridge made; see ``Upsells.buy_instantly``."""
    here = runtime()
    try:
        access = admit(Caller.BROWSER, request, here.settings)
        pressed = load_press(read_json(request, here.settings.max_body_bytes), here.settings)
        handle = access.handle or kept_handle()
        if handle is None:
            return jsonify(not_bought(pressed.said, PurchaseReason.NO_SESSION))
        here.limits.count_update(request, handle)
        here.limits.count_call(request)
        told = _buy(here.buying, charge, handle, pressed)
        if told.get("reason") == PurchaseReason.NO_SESSION and access.by_cookie:
            here.checkout.refuse_moved(handle)
        return jsonify(told)
    except BffError as error:
        return refused(error)


def _buy(
    buying: InstantPurchases, charge: Charge, handle: str, pressed: PurchaseRequest
) -> dict[str, object]:
    language = shopper_language()
    try:
        begun = buying.begin(handle, pressed, ReserveOptions(accept_language=language))
    except Unauthorized:
        return not_bought(pressed.said, PurchaseReason.NO_SESSION)
    if begun.order is not None and begun.reason is None:
        return bought(pressed, begun.order)
    if begun.quote is None or begun.reason is not None:
        return not_bought(pressed.said, begun.reason or PurchaseReason.NOT_AVAILABLE)
    quote, charged = begun.quote, charge(begun.quote)
    if charged is None or charged is False or charged == "":
        buying.give_up(begun.handle)
        return not_bought(pressed.said, PurchaseReason.DECLINED)
    try:
        # What is none of these is no id, though it could be printed: a provider's answer, say.
        order_id = order_id_text(charged if isinstance(charged, str | int | UUID) else None)
    except InvalidInput as error:
        _alarm(quote, error)
        buying.give_up(begun.handle)
        raise
    try:
        return bought(pressed, buying.confirm(begun.handle, quote, order_id, language))
    except BffError as error:
        _alarm(quote, error)
        raise


def _alarm(quote: Quote, error: BffError) -> None:
    """Say that money was taken for nothing, which only the shop can give back."""
    sums = ", ".join(f"{total} {currency}" for currency, total in quote.totals.items())
    log.error(
        "an instant purchase was charged (quote %s, %s), and there is no order of it: %s",
        quote.quote_id,
        sums,
        error.code,
    )
