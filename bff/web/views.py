"""The blueprint: browser endpoints, server endpoints, service; problems as RFC 9457 documents.

Every view passes the guard before it runs. Errors under our own prefix, and no others, become
problem documents, so the host shop's own error pages stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from flask import Response, current_app, g, jsonify, request
from werkzeug.exceptions import HTTPException, default_exceptions

from bff.cart.order import Purchase
from bff.cart.reservation import ReserveOptions
from bff.checkout.checkout import EMPTY_CART
from bff.errors import BffError, Unauthorized
from bff.rokt.placements import PlacementsRequest
from bff.web.catch_all import ClosedBlueprint, methods_here
from bff.web.guard import Access, Caller, admit, caller_of, opened_to
from bff.web.json_body import read_json
from bff.web.openapi.document import describe
from bff.web.problems import failed, refused
from bff.web.runtime import runtime
from bff.web.schemas.fields import load
from bff.web.schemas.instant_purchase import load_press
from bff.web.schemas.requests import (
    AttributesBody,
    CancelBody,
    OrderBody,
    PlacementsBody,
    ProductsBody,
    PurchaseBody,
    ReserveBody,
)
from bff.web.schemas.responses import begun_to_json, to_json
from bff.web.schemas.sdk_items import load_update
from bff.web.scripts import current, of_release
from bff.web.shopper import cookie_name, kept_handle, promise_handle, shopper_language, with_handle

T = TypeVar("T")


blueprint = ClosedBlueprint("rokt_bff", __name__)


@blueprint.before_request
def guard() -> None:
    """Let nobody in whom the view is not open to. A preflight is answered by flask-cors."""
    rule = request.url_rule
    if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
        return  # Flask answers it, and runs no view
    view = current_app.view_functions.get(request.endpoint or "")
    g.rokt_bff_access = admit(caller_of(view), request, runtime().settings)


@blueprint.after_request
def no_store(response: Response) -> Response:
    """Nothing but scripts may be kept by a cache."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if request.method == "OPTIONS" and response.status_code == 200:
        # Flask finds that what is nowhere takes them all.
        response.headers["Allow"] = ", ".join([*methods_here(), "OPTIONS"])
    return response


blueprint.register_error_handler(BffError, refused)


# Flask prefers a shop's handler of a code (its 404 page) to a blueprint's handler of them all,
# so the blueprint has one for each code.
blueprint.register_error_handler(HTTPException, failed)


for _code in default_exceptions:
    blueprint.register_error_handler(_code, failed)


@blueprint.errorhandler(Exception)
def broken(error: Exception) -> NoReturn:
    """Hand a fault of ours to Flask, which logs it, tells error trackers and answers 500.

    Without this a shop's own handler of every exception would answer with a page.
    """
    raise error


@blueprint.get("/cart")
@opened_to(Caller.BROWSER)
def get_cart() -> Response:
    """Read the held cart; without a session an empty one, and nothing is stored."""
    access: Access = g.rokt_bff_access
    handle = access.handle or (kept_handle() if access.by_cookie else None)
    if handle is not None:
        try:
            return jsonify(to_json(runtime().checkout.cart(handle)))
        except Unauthorized:
            if access.handle:
                raise
            runtime().checkout.refuse_moved(handle)  # an empty cart would empty the placements
    if access.by_cookie:
        promise_handle()
    return jsonify(to_json(EMPTY_CART))


@blueprint.post("/session")
@opened_to(Caller.SESSION)
def post_session() -> tuple[Response, int]:
    """Start a session for a page elsewhere, which keeps the handle itself."""
    checkout = runtime().checkout
    _body()
    runtime().limits.count_session(request)
    handle = checkout.open_session()
    return jsonify({"handle": handle, "cart": to_json(checkout.cart(handle))}), 201


@blueprint.post("/cart/updates")
@opened_to(Caller.BROWSER)
def post_update() -> Response:
    """Apply one message of the Web SDK."""
    here = runtime()
    here.limits.count_update(request, _handle())
    data = _body()
    update, rokt_session_id = load_update(data, here.settings)
    cart = _for_shopper(lambda one: here.checkout.update(one, update, rokt_session_id))
    return jsonify(to_json(cart))


@blueprint.post("/placements/any")
@opened_to(Caller.BROWSER)
def post_placements() -> Response:
    """Ask Rokt whether there is anything to show."""
    runtime().limits.count_call(request)
    body = load(PlacementsBody(), _body())
    question = PlacementsRequest(
        page_identifier=body["page_identifier"],
        url=body["url"],
        attributes=body["attributes"],
        accept_language=shopper_language(),
    )
    checkout = runtime().checkout
    return jsonify(to_json(_for_shopper(lambda one: checkout.any_placements(one, question))))


@blueprint.post("/cart/reserve")
@opened_to(Caller.BROWSER)
def post_reserve() -> Response:
    """Hold the items at Rokt and quote them."""
    runtime().limits.count_call(request)
    body = load(ReserveBody(), _body())
    wish = ReserveOptions(**body, accept_language=shopper_language())
    checkout = runtime().checkout
    return jsonify(to_json(_for_shopper(lambda one: checkout.reserve(one, wish))))


@blueprint.post("/cart/release")
@opened_to(Caller.BROWSER)
def post_release() -> Response:
    """Give the reserved items back."""
    runtime().limits.count_call(request)
    attributes = load(AttributesBody(), _body())["attributes"]
    language = shopper_language()
    checkout = runtime().checkout
    cart = _for_shopper(lambda one: checkout.release(one, attributes, language))
    return jsonify(to_json(cart))


@blueprint.post("/orders")
@opened_to(Caller.SERVER)
def post_order() -> tuple[Response, int]:
    """Record a paid order: the one way to confirm over HTTP."""
    body = load(OrderBody(), _body())
    purchase = Purchase(
        order_id=body["order_id"],
        quote_id=str(body["quote_id"]) if body["quote_id"] else None,
        attributes=body["attributes"],
        extra=body["extra"],
        insists=body["quote_id"] is not None,
    )
    order, new = runtime().checkout.record(body["handle"], purchase)
    return jsonify(to_json(order)), 201 if new else 200


@blueprint.get("/orders/<rokt_bff_order:order_id>")
@opened_to(Caller.SERVER)
def get_order(order_id: str) -> Response:
    """Read an order."""
    return jsonify(to_json(runtime().checkout.order(order_id)))


@blueprint.post("/orders/<rokt_bff_order:order_id>/cancel")
@opened_to(Caller.SERVER)
def post_cancel(order_id: str) -> Response:
    """Cancel an order's items, or one of them."""
    body = load(CancelBody(), _body())
    return jsonify(to_json(runtime().checkout.cancel(order_id, body["cart_item_id"])))


@blueprint.post("/products")
@opened_to(Caller.SERVER)
def post_products() -> Response:
    """Let linked items follow a partner's own cart."""
    body = load(ProductsBody(), _body())
    return jsonify(to_json(runtime().checkout.sync_products(body["handle"], body["quantities"])))


@blueprint.post("/purchases")
@opened_to(Caller.SERVER)
def post_purchase() -> Response:
    """Reserve an instant purchase for a partner's backend, which then charges and confirms."""
    here = runtime()
    data = _body()
    handle = load(PurchaseBody(), data)["handle"]
    pressed = load_press(data, here.settings)
    begun = here.buying.begin(
        handle, pressed, ReserveOptions()
    )  # the language would be the backend's
    return jsonify(begun_to_json(begun))


@blueprint.get("/static/<filename>")
@opened_to(Caller.PUBLIC)
def static(filename: str) -> Response:
    """Serve the bridge as it is now, to pages of any origin."""
    return current(filename)


@blueprint.get("/static/<release>/<filename>")
@opened_to(Caller.PUBLIC)
def released(release: str, filename: str) -> Response:
    """Serve a script of exactly this release, as ``rokt-bff integrity`` names it, for ever."""
    return of_release(release, filename)


@blueprint.get("/openapi.json")
@opened_to(Caller.PUBLIC)
def get_openapi() -> Response:
    """Describe this interface, for machines."""
    return jsonify(describe(runtime().settings.url_prefix, cookie_name(current_app)))


@blueprint.get("/health")
@opened_to(Caller.PUBLIC)
def get_health() -> Response:
    """Tell that the server runs and reaches its database. 503 when it does not."""
    runtime().store.check_schema()
    return jsonify({"status": "ok"})


def _body() -> Any:
    return read_json(request, runtime().settings.max_body_bytes)


def _handle() -> str | None:
    access: Access = g.rokt_bff_access
    return access.handle or kept_handle()


def _for_shopper(verb: Callable[[str], T]) -> T:
    """Run a verb with the bearer's handle, else with the one in our cookie."""
    access: Access = g.rokt_bff_access
    if access.handle is not None:
        return verb(access.handle)
    return with_handle(verb, opening=lambda: runtime().limits.count_session(request))
