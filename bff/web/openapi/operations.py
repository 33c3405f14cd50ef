"""The operations of the interface: who may call each, what it takes, what it answers and means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from bff.web.guard import Caller
from bff.web.schemas.requests import (
    AttributesBody,
    CancelBody,
    OrderBody,
    PlacementsBody,
    ProductsBody,
    PurchaseBody,
    ReserveBody,
    SessionBody,
)
from bff.web.schemas.responses import (
    CartAnswer,
    OrderAnswer,
    PlacementsAnswer,
    PurchaseAnswer,
    QuoteAnswer,
    SessionAnswer,
)
from bff.web.schemas.sdk_items import UpdateBody

JSON = "application/json"


_LIMITED = {429: "Too many calls: come again after `Retry-After` seconds."}


_MISSING = {404: "There is no such thing, or not for this caller."}


_STATE = {409: "Its state does not allow it."}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``fails`` adds to what every such call can be answered."""

    id: str
    path: str
    method: str
    caller: Caller
    summary: str
    about: str
    answer: type[Schema] | None = None
    body: type[Schema] | None = None
    statuses: tuple[int, ...] = (200,)
    fails: Mapping[int, str] | None = None
    media: str = JSON


OPERATIONS = (
    Operation(
        "readCart", "/cart", "get", Caller.BROWSER, "Read the held cart.",
        "Without a session an empty cart, and nothing is stored.", CartAnswer,
    ),
    Operation(
        "startSession", "/session", "post", Caller.SESSION, "Start a session.",
        "For a page on another origin, which keeps the handle and sends it as its bearer token.",
        SessionAnswer, SessionBody, (201,), _LIMITED,
    ),
    Operation(
        "updateCart", "/cart/updates", "post", Caller.BROWSER, "Apply a message of the Web SDK.",
        "Sets the item's line to what the message says. What came before, or comes late by `page` "
        "and `seq`, changes nothing; the answer is the cart as it is.",
        CartAnswer, UpdateBody, fails=_LIMITED,
    ),
    Operation(
        "anyPlacements", "/placements/any", "post", Caller.BROWSER,
        "Ask whether to show the upsell.",
        "Answers in time whatever Rokt does: when Rokt is slow or down, `result` is false.",
        PlacementsAnswer, PlacementsBody, fails=_LIMITED,
    ),
    Operation(
        "reserve", "/cart/reserve", "post", Caller.BROWSER,
        "Reserve the held items and quote them.",
        "Before the payment. Repeating it asks Rokt only for what is new, changed or about to "
        "lapse. What Rokt does not give is in `rejected`; nothing of Rokt's is an error here.",
        QuoteAnswer, ReserveBody, fails=_LIMITED,
    ),
    Operation(
        "release", "/cart/release", "post", Caller.BROWSER, "Give reserved items back.",
        "The lines stay in the cart. What nobody pays for goes back by itself, later.",
        CartAnswer, AttributesBody, fails=_LIMITED,
    ),
    Operation(
        "confirmOrder", "/orders", "post", Caller.SERVER, "Record a paid order and confirm it.",
        "After the payment. From the answer on it cannot get lost: what Rokt does not take at once "
        "is told again for days. A repetition changes nothing, and is answered 200.",
        OrderAnswer, OrderBody, (201, 200), _MISSING | _STATE,
    ),
    Operation(
        "readOrder", "/orders/{order_id}", "get", Caller.SERVER, "Read an order.",
        "Where it stands, item by item.", OrderAnswer, fails=_MISSING,
    ),
    Operation(
        "cancelOrder", "/orders/{order_id}/cancel", "post", Caller.SERVER,
        "Cancel an order's items.",
        "All of them, or the named one; what is not confirmed yet, right after it is.",
        OrderAnswer, CancelBody, fails=_MISSING | _STATE,
    ),
    Operation(
        "followProducts", "/products", "post", Caller.SERVER,
        "Let linked items follow the shop's own cart.",
        "Call it whenever that cart changes, with all that is in it.", CartAnswer, ProductsBody,
    ),
    Operation(
        "beginPurchase", "/purchases", "post", Caller.SERVER, "Reserve an instant purchase.",
        "Charge the quote, then confirm the order with the handle of the answer. A repetition has "
        "the same `quoteId` and total.",
        PurchaseAnswer, PurchaseBody,
    ),
    Operation(
        "health", "/health", "get", Caller.PUBLIC, "Tell that the server works.",
        "Its database answers, and has the tables of this version.",
    ),
    Operation(
        "describe", "/openapi.json", "get", Caller.PUBLIC, "Describe this interface.",
        "This document.",
    ),
    Operation(
        "loadModule", "/static/{filename}", "get", Caller.PUBLIC, "Load a module of the bridge.",
        "`bridge.js`, and what it imports.", fails=_MISSING, media="text/javascript",
    ),
    Operation(
        "loadReleasedModule", "/static/{release}/{filename}", "get", Caller.PUBLIC,
        "Load a release's module.", "Its bytes never change, so a page may insist on them.",
        fails=_MISSING, media="text/javascript",
    ),
)  # fmt: skip


# What a call's answer gives to the next one.
LINKS: Mapping[str, Mapping[str, Any]] = {
    "startSession": {
        "order": {
            "operationId": "confirmOrder",
            "requestBody": {"handle": "$response.body#/handle", "orderId": "A-1001"},
        }
    },
    "confirmOrder": {
        "read": {
            "operationId": "readOrder",
            "parameters": {"order_id": "$response.body#/orderId"},
        },
        "cancel": {
            "operationId": "cancelOrder",
            "parameters": {"order_id": "$response.body#/orderId"},
            "requestBody": {},
        },
    },
}
