"""The OpenAPI document, made from the schemas that the views use.

The operations are in ``bff.operations``. What every call of a kind can be answered follows from
who calls, since the guard and the reader of bodies stand before every view. How our fields look
as JSON Schema is for ``bff.describing``.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from bff.checkout.instant_purchase import PurchaseReason
from bff.errors import codes
from bff.web.guard import BRIDGE_HEADER, Caller
from bff.web.openapi.json_schema import EXAMPLES, as_json_schema, complete
from bff.web.openapi.operations import JSON, LINKS, OPERATIONS, Operation
from bff.web.schemas.responses import ProblemAnswer
from bff.web.schemas.sdk_items import Named, SdkItem

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


_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
}


_IN_THE_PATH = {
    "order_id": "The shop's id of the order.",
    "release": "A release, as the tags of `rokt-bff integrity` name it.",
    "filename": "A module's file.",
}


# A header of its own, beside the bearer token or the cookie.
_ORIGIN = {
    "in": "header",
    "name": "Origin",
    "schema": {"type": "string"},
    "description": "The page's origin, which `ROKT_BFF_ORIGINS` must have unless it is this "
    "server's own. A browser sends it by itself; any other client must, else the answer is 403 "
    "`foreign_origin`.",
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
    converter: Any = plugin.converter  # made just now
    converter.add_attribute_function(as_json_schema)
    for name, scheme in _schemes(cookie).items():
        spec.components.security_scheme(name, scheme)
    spec.components.schema("SdkItem", schema=SdkItem)
    spec.components.schema("ItemId", schema=Named)
    for operation in OPERATIONS:
        spec.path(path=operation.path, operations={operation.method: _describe(operation)})
    document: dict[str, Any] = spec.to_dict()
    schemas = document["components"]["schemas"]
    complete(schemas)
    for (kind, *_options), name in converter.refs.items():
        about = inspect.getdoc(kind) or ""
        schemas[name]["description"] = about.split("\n\n")[0].replace("\n", " ")
    # The layers keep these from the answers themselves.
    schemas["PurchaseAnswer"]["properties"]["reason"]["enum"] = [str(why) for why in PurchaseReason]
    schemas["ProblemAnswer"]["properties"]["code"]["examples"] = sorted(codes())
    return document


def _schemes(cookie: str) -> dict[str, dict[str, str]]:
    return {
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie,
            "description": "The shopper's handle, signed; the server sets it.",
        },
        "bridge": {
            "type": "apiKey",
            "in": "header",
            "name": BRIDGE_HEADER,
            "description": "`1`. A form or an image of another site cannot send it.",
        },
        "handle": {
            "type": "http",
            "scheme": "bearer",
            "description": "The shopper's handle, for a page on another origin.",
        },
        "serverKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "`ROKT_BFF_SERVER_KEY`, for the shop's server; never in a page.",
        },
    }


def _describe(operation: Operation) -> dict[str, Any]:
    schema = operation.answer or {"type": "object" if operation.media == JSON else "string"}
    done: dict[str, Any] = {"content": {operation.media: {"schema": schema}}}
    if operation.id in LINKS:
        done["links"] = LINKS[operation.id]
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
        "summary": operation.summary,
        "description": operation.about,
        "operationId": operation.id,
        "security": _SECURITY[operation.caller],
        "parameters": [
            {"in": "path", "name": name, "required": True, "description": text,
             "schema": {"type": "string", "minLength": 1, "maxLength": 128}}
            for name, text in _IN_THE_PATH.items()
            if f"{{{name}}}" in operation.path
        ] + ([_ORIGIN] if operation.caller in (Caller.BROWSER, Caller.SESSION) else []),
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
