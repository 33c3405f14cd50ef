"""The endpoints: those of browsers, of servers, and of the service itself.

A view's docstring is its summary and description in the OpenAPI document.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flask import Response, g

from bff.cart.order import Order, Purchase
from bff.cart.quote import Quote
from bff.cart.reservation import ReserveOptions
from bff.cart.shown_cart import Cart
from bff.checkout.checkout import EMPTY_CART
from bff.checkout.instant_purchase import BegunPurchase
from bff.errors import Unauthorized
from bff.rokt.placements import Placements, PlacementsRequest
from bff.web.blueprint import blueprint as blueprint  # handed on, with its endpoints
from bff.web.guard import Access, Caller
from bff.web.openapi import document
from bff.web.rate_limits import Limit
from bff.web.runtime import runtime
from bff.web.schemas.instant_purchase import PurchaseBody, read_purchase
from bff.web.schemas.requests import (
    AttributesBody,
    CancelBody,
    OrderBody,
    PlacementsBody,
    ProductsBody,
    ReserveBody,
    SessionBody,
)
from bff.web.schemas.responses import (
    CartSchema,
    OrderSchema,
    PlacementsSchema,
    PurchaseSchema,
    QuoteSchema,
    SessionSchema,
)
from bff.web.schemas.sdk_items import UpdateBody, read_update
from bff.web.scripts import serve_current, serve_release
from bff.web.shopper import (
    cookie_name,
    for_shopper,
    offer_first_handle,
    request_handle,
    shopper_language,
)


@blueprint.operation("GET", "/cart", Caller.BROWSER, response=CartSchema)
def read_cart() -> Cart:
    """Read the held cart.

    Without a session the cart is empty, and nothing is stored.
    """
    access: Access = g.rokt_bff_access
    handle = request_handle()
    if handle is not None:
        try:
            return runtime().checkout.cart(handle)
        except Unauthorized:
            if access.handle:
                raise
            runtime().checkout.refuse_moved(handle)  # an empty cart would empty the placements
    if access.by_cookie:
        offer_first_handle()
    return EMPTY_CART


@blueprint.operation(
    "POST", "/session", Caller.SESSION,
    limit=Limit.SESSIONS, body=SessionBody, response=SessionSchema, statuses=(201,),
)  # fmt: skip
def start_session(body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Start a session.

    For a page on another origin, which keeps the handle and sends it as its bearer token.
    """
    checkout = runtime().checkout
    handle = checkout.open_session()
    return {"handle": handle, "cart": checkout.cart(handle)}


@blueprint.operation(
    "POST", "/cart/updates", Caller.BROWSER,
    limit=Limit.UPDATES, body=UpdateBody, response=CartSchema,
)  # fmt: skip
def update_cart(body: dict[str, Any]) -> Cart:
    """Apply a message of the Web SDK.

    Sets the item's line to what the message has. A message that is repeated, or late by its `page`
    and `seq`, changes nothing; the response is the cart as it is.
    """
    here = runtime()
    update, rokt_session_id = read_update(body, here.settings)
    return for_shopper(lambda handle: here.checkout.update(handle, update, rokt_session_id))


@blueprint.operation(
    "POST", "/placements/any", Caller.BROWSER,
    limit=Limit.CALLS, body=PlacementsBody, response=PlacementsSchema,
)  # fmt: skip
def any_placements(body: dict[str, Any]) -> Placements:
    """Ask whether to show the upsell.

    Responds in time even if Rokt is slow or down: then `result` is false.
    """
    checkout = runtime().checkout
    question = PlacementsRequest(**body, accept_language=shopper_language())
    return for_shopper(lambda handle: checkout.any_placements(handle, question))


@blueprint.operation(
    "POST", "/cart/reserve", Caller.BROWSER,
    limit=Limit.CALLS, body=ReserveBody, response=QuoteSchema,
)  # fmt: skip
def reserve(body: dict[str, Any]) -> Quote:
    """Reserve the held items and quote them.

    Call it before the payment. A repetition asks Rokt only for items that are new, changed or about
    to expire. Items that Rokt does not grant are in `rejected`; no failure of Rokt's is an error
    here.
    """
    checkout = runtime().checkout
    options = ReserveOptions(**body, accept_language=shopper_language())
    return for_shopper(lambda handle: checkout.reserve(handle, options))


@blueprint.operation(
    "POST", "/cart/release", Caller.BROWSER,
    limit=Limit.CALLS, body=AttributesBody, response=CartSchema,
)  # fmt: skip
def release(body: dict[str, Any]) -> Cart:
    """Give reserved items back.

    The lines stay in the cart. Reservations that are never paid are given back later by themselves.
    """
    checkout, language = runtime().checkout, shopper_language()
    return for_shopper(lambda handle: checkout.release(handle, body["attributes"], language))


@blueprint.operation(
    "POST", "/orders", Caller.SERVER,
    body=OrderBody, response=OrderSchema, statuses=(201, 200), failures=(404, 409),
)  # fmt: skip
def confirm_order(body: dict[str, Any]) -> tuple[Order, int]:
    """Record a paid order and confirm it.

    Call it after the payment. Once it responds the order cannot be lost: the confirm is sent to
    Rokt again, for days, until Rokt responds. A repetition changes nothing, and its status is 200.
    """
    quote_id = body["quote_id"]
    purchase = Purchase(
        order_id=body["order_id"],
        quote_id=str(quote_id) if quote_id else None,
        attributes=body["attributes"],
        extra=body["extra"],
        insists=quote_id is not None,
    )
    order, is_new = runtime().checkout.record(body["handle"], purchase)
    return order, 201 if is_new else 200


@blueprint.operation(
    "GET", "/orders/<rokt_bff_path:order_id>", Caller.SERVER, response=OrderSchema, failures=(404,)
)
def read_order(order_id: str) -> Order:
    """Read an order.

    The response has the state of each item.
    """
    return runtime().checkout.order(order_id)


@blueprint.operation(
    "POST", "/orders/<rokt_bff_path:order_id>/cancel", Caller.SERVER,
    body=CancelBody, response=OrderSchema, failures=(404, 409),
)  # fmt: skip
def cancel_order(order_id: str, body: dict[str, Any]) -> Order:
    """Cancel an order's items.

    Cancels all of them, or the named one. An item that is not confirmed yet is cancelled right
    after it is confirmed.
    """
    return runtime().checkout.cancel(order_id, body["cart_item_id"])


@blueprint.operation("POST", "/products", Caller.SERVER, body=ProductsBody, response=CartSchema)
def follow_products(body: dict[str, Any]) -> Cart:
    """Let linked items follow the shop's own cart.

    Call it whenever that cart changes, with all products in it.
    """
    return runtime().checkout.sync_products(body["handle"], body["quantities"])


@blueprint.operation(
    "POST", "/purchases", Caller.SERVER, body=PurchaseBody, response=PurchaseSchema
)
def begin_purchase(body: dict[str, Any]) -> BegunPurchase:
    """Reserve an instant purchase.

    Charge the quote, then confirm the order with the handle of the response. A repetition has the
    same `quoteId` and total.
    """
    here = runtime()
    purchase = read_purchase(body, here.settings)
    # Without the request's language, which is the server's.
    return here.purchases.begin(body["handle"], purchase, ReserveOptions())


@blueprint.operation("GET", "/health", Caller.PUBLIC, failures=(503,))
def health() -> dict[str, str]:
    """Report that the server works.

    Its database responds, and has the tables of this version.
    """
    runtime().store.check_schema()
    return {"status": "ok"}


@blueprint.operation("GET", "/openapi.json", Caller.PUBLIC)
def describe() -> dict[str, Any]:
    """Describe this interface.

    The response is this document.
    """
    return _document(runtime().settings.url_prefix, cookie_name())


@lru_cache(maxsize=8)
def _document(prefix: str, cookie: str) -> dict[str, Any]:
    return document.describe(blueprint.operations, prefix, cookie)


@blueprint.operation(
    "GET", "/static/<filename>", Caller.PUBLIC,
    failures=(404,), media="text/javascript", endpoint="static",
)  # fmt: skip
def load_module(filename: str) -> Response:
    """Load a module of the bridge.

    The module is `bridge.js`, or one that it imports.
    """
    return serve_current(filename)


@blueprint.operation(
    "GET", "/static/<release>/<filename>", Caller.PUBLIC, failures=(404,), media="text/javascript"
)
def load_released_module(release: str, filename: str) -> Response:
    """Load a release's module.

    Its bytes never change, so a page can require them by `integrity`.
    """
    return serve_release(release, filename)
