"""The shop's own route for instant purchases: guarded like ours, answered as the placement waits.

The shop's function charges; everything around it is here. For a partner's backend, which charges
elsewhere, ``bff.views`` has ``POST /purchases``.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, jsonify, request

from bff.buying import Buying
from bff.errors import BffError, Unauthorized
from bff.guard import Caller, admit
from bff.instant import Press, Why, bought, load_press, not_bought
from bff.problems import refused
from bff.reading import read_json
from bff.reservation import Wish
from bff.runtime import kept_handle, runtime, shopper_language
from bff.shapes import Quote

Charge = Callable[[Quote], str | int | None]


def press(charge: Charge) -> Response:
    """Answer the request under way, which a page's bridge made; see ``Upsells.buy_instantly``."""
    here = runtime()
    try:
        access = admit(Caller.BROWSER, request, here.settings)
        pressed = load_press(read_json(request, here.settings.max_body_bytes), here.settings)
        handle = access.handle or kept_handle()
        if handle is None:
            return jsonify(not_bought(pressed.said, Why.NO_SESSION))
        here.limits.count_update(request, handle)
        here.limits.count_call(request)
        told = _buy(here.buying, charge, handle, pressed)
        if told.get("reason") == Why.NO_SESSION and access.by_cookie:
            here.checkout.refuse_moved(handle)
        return jsonify(told)
    except BffError as error:
        return refused(error)


def _buy(buying: Buying, charge: Charge, handle: str, pressed: Press) -> dict[str, object]:
    language = shopper_language()
    try:
        begun = buying.begin(handle, pressed, Wish(accept_language=language))
    except Unauthorized:
        return not_bought(pressed.said, Why.NO_SESSION)
    if begun.order is not None and begun.why is None:
        return bought(pressed, begun.order)
    if begun.quote is None or begun.why is not None:
        return not_bought(pressed.said, begun.why or Why.NOT_AVAILABLE)
    order_id = charge(begun.quote)
    if order_id is None:
        buying.give_up(begun.handle)
        return not_bought(pressed.said, Why.DECLINED)
    return bought(pressed, buying.confirm(begun.handle, begun.quote, str(order_id), language))
