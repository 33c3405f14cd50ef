"""The OpenAPI document, made from the schemas that the views use.

One line an operation: who may call it, what it takes, what it answers. The responses follow from
who calls, since the guard and the reader of bodies stand before every view. How our fields look
as JSON Schema is for ``bff.describing``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from bff.answering import (
    CartAnswer,
    OrderAnswer,
    PlacementsAnswer,
    ProblemAnswer,
    PurchaseAnswer,
    QuoteAnswer,
    SessionAnswer,
)
from bff.describing import EXAMPLES, MEMBER, PRESS, UPDATE, as_json_schema
from bff.fields import Body
from bff.guard import BRIDGE_HEADER, Caller
from bff.schemas import (
    AttributesBody,
    CancelBody,
    OrderBody,
    PlacementsBody,
    ProductsBody,
    PurchaseBody,
    ReserveBody,
)
from bff.sdk_items import Named, SdkItem, UpdateBody

JSON = "application/json"
PROBLEM = "application/problem+json"

_SECURITY: Mapping[Caller, list[dict[str, list[str]]]] = {
    Caller.BROWSER: [{"cookie": [], "bridge": []}, {"handle": []}],
    Caller.SESSION: [{"bridge": []}],
    Caller.SERVER: [{"serverKey": []}],
    Caller.PUBLIC: [],
}
# What the guard, the reader of bodies and the database can answer, whatever the view does.
_GUARDED = {
    401: "The handle or key is missing, unknown, ended or wrong.",
    403: "The caller may not do this, whatever its handle or key.",
    503: "The database cannot be used right now, or the shopper just logged in: come again.",
}
_WITH_BODY = {
    400: "The body is no JSON object.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "A field is wrong; `errors` names it.",
}
_LIMITED = {429: "Too many calls: come again after `Retry-After` seconds."}
_MISSING = {404: "There is no such thing, or not for this caller."}
_STATE = {409: "Its state does not allow it."}

_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``fails`` adds to what every such call can be answered."""

    path: str
    method: str
    caller: Caller
    about: str
    answer: type[Schema] | None = None
    body: type[Schema] | None = None
    statuses: tuple[int, ...] = (200,)
    fails: Mapping[int, str] | None = None
    media: str = JSON

    @property
    def id(self) -> str:
        """The operation's name: ``post_cart_updates``."""
        return self.method + self.path.replace("/", "_").replace("{", "").replace("}", "")


OPERATIONS = (
    Operation("/cart", "get", Caller.BROWSER, "Read the held cart.", CartAnswer),
    Operation("/session", "post", Caller.SESSION, "Start a session for a page elsewhere.",
              SessionAnswer, Body, (201,), _LIMITED),
    Operation("/cart/updates", "post", Caller.BROWSER, "Apply a message of the Web SDK.",
              CartAnswer, UpdateBody, fails=_LIMITED),
    Operation("/placements/any", "post", Caller.BROWSER, "Ask whether to show the upsell.",
              PlacementsAnswer, PlacementsBody, fails=_LIMITED),
    Operation("/cart/reserve", "post", Caller.BROWSER, "Reserve the held items and quote them.",
              QuoteAnswer, ReserveBody, fails=_LIMITED),
    Operation("/cart/release", "post", Caller.BROWSER, "Give reserved items back.", CartAnswer,
              AttributesBody, fails=_LIMITED),
    Operation("/orders", "post", Caller.SERVER, "Record a paid order and confirm it.",
              OrderAnswer, OrderBody, (201, 200), _MISSING | _STATE),
    Operation("/orders/{order_id}", "get", Caller.SERVER, "Read an order.", OrderAnswer,
              fails=_MISSING),
    Operation("/orders/{order_id}/cancel", "post", Caller.SERVER, "Cancel items of an order.",
              OrderAnswer, CancelBody, fails=_MISSING | _STATE),
    Operation("/products", "post", Caller.SERVER, "Let linked items follow the shop's own cart.",
              CartAnswer, ProductsBody),
    Operation("/purchases", "post", Caller.SERVER,
              "Reserve an instant purchase; its repetition has the same `quoteId` and total.",
              PurchaseAnswer, PurchaseBody),
    Operation("/health", "get", Caller.PUBLIC, "Tell that the server works."),
    Operation("/openapi.json", "get", Caller.PUBLIC, "Describe this interface."),
    Operation("/static/{filename}", "get", Caller.PUBLIC, "Load a module of the bridge.",
              fails=_MISSING, media="text/javascript"),
    Operation("/static/{release}/{filename}", "get", Caller.PUBLIC,
              "Load a release's module, which never changes.", fails=_MISSING,
              media="text/javascript"),
)  # fmt: skip

# What a call's answer gives to the next one.
_LINKS: Mapping[str, Mapping[str, Any]] = {
    "post_session": {
        "order": {
            "operationId": "post_orders",
            "requestBody": {"handle": "$response.body#/handle", "orderId": "A-1001"},
        }
    },
    "post_orders": {
        "read": {
            "operationId": "get_orders_order_id",
            "parameters": {"order_id": "$response.body#/orderId"},
        },
        "cancel": {
            "operationId": "post_orders_order_id_cancel",
            "parameters": {"order_id": "$response.body#/orderId"},
            "requestBody": {},
        },
    },
}


@lru_cache(maxsize=8)
def describe(prefix: str, cookie: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the endpoints under ``prefix``.

    ``cookie`` is the name of the cookie that holds a shopper's handle.
    """
    plugin = MarshmallowPlugin()
    spec = APISpec(
        title="rokt-bff",
        version="1",
        openapi_version="3.1.0",
        plugins=[plugin],
        info={"description": "Holds, reserves and confirms a checkout's upsell at Rokt."},
        servers=[{"url": prefix}],
    )
    if plugin.converter is not None:
        plugin.converter.add_attribute_function(as_json_schema)  # type: ignore[no-untyped-call]
    schemes = {
        "cookie": {"type": "apiKey", "in": "cookie", "name": cookie},
        "bridge": {"type": "apiKey", "in": "header", "name": BRIDGE_HEADER},
        "handle": {"type": "http", "scheme": "bearer"},
        "serverKey": {"type": "http", "scheme": "bearer"},
    }
    for name, scheme in schemes.items():
        spec.components.security_scheme(name, scheme)
    spec.components.schema("SdkItem", schema=SdkItem)
    spec.components.schema("Named", schema=Named)
    for operation in OPERATIONS:
        spec.path(path=operation.path, operations={operation.method: _describe(operation)})
    document: dict[str, Any] = spec.to_dict()
    schemas = document["components"]["schemas"]
    schemas["Member"] = MEMBER
    schemas["UpdateBody"] |= UPDATE
    schemas["UpdateBody"]["properties"] |= UPDATE["properties"]
    schemas["PurchaseBody"]["properties"] |= PRESS["properties"]
    schemas["PurchaseBody"]["required"] += PRESS["required"]
    return document


def _describe(operation: Operation) -> dict[str, Any]:
    schema = operation.answer or {"type": "object" if operation.media == JSON else "string"}
    done: dict[str, Any] = {"content": {operation.media: {"schema": schema}}}
    if operation.id in _LINKS:
        done["links"] = _LINKS[operation.id]
    responses = {
        str(status): {"description": "New." if status == 201 else "Done.", **done}
        for status in operation.statuses
    }
    fails = dict(_GUARDED if operation.caller is not Caller.PUBLIC else {})
    if operation.body is not None:
        fails |= _WITH_BODY
    if operation.path == "/health":
        fails |= {503: _GUARDED[503]}
    for status, text in sorted((fails | dict(operation.fails or {})).items()):
        responses[str(status)] = _problem(text, waits=status in (429, 503))
    described: dict[str, Any] = {
        "summary": operation.about,
        "operationId": operation.id,
        "security": _SECURITY[operation.caller],
        "parameters": [
            {"in": "path", "name": name, "required": True,
             "schema": {"type": "string", "minLength": 1, "maxLength": 128}}
            for name in ("order_id", "release", "filename")
            if f"{{{name}}}" in operation.path
        ],
        "responses": responses | {"default": _problem("A problem.")},
    }  # fmt: skip
    if operation.body is not None:
        content: dict[str, Any] = {"schema": operation.body}
        if operation.path in EXAMPLES:
            content["example"] = EXAMPLES[operation.path]
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    return described


def _problem(text: str, *, waits: bool = False) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": text,
        "content": {PROBLEM: {"schema": ProblemAnswer}},
    }
    return answer | ({"headers": _RETRY_AFTER} if waits else {})
