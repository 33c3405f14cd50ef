"""The OpenAPI document, made from the blueprint's operations and their schemas.

The guard and the body's reader run before every view. So the failures that they cause follow from
an operation's caller and body, and are added here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from bff.web.blueprint import JSON, Operation, View
from bff.web.guard import BRIDGE_HEADER, Caller
from bff.web.openapi.json_schema import EXTRA_VALUE, ONE_SPELLING, as_json_schema
from bff.web.schemas.responses import ProblemSchema
from bff.web.schemas.sdk_items import ItemId, SdkItem

PROBLEM = "application/problem+json"

_SECURITY: Mapping[Caller, list[dict[str, list[str]]]] = {
    Caller.BROWSER: [{"cookie": [], "bridge": []}, {"handle": []}],
    Caller.SESSION: [{"bridge": []}],
    Caller.SERVER: [{"serverKey": []}],
    Caller.PUBLIC: [],
}

_FAILURES = {
    400: "The body is not a JSON object.",
    401: "The handle or key is missing, unknown, expired or wrong.",
    403: "The caller may not do this, whatever its handle or key.",
    404: "There is no such thing, or not for this caller.",
    409: "The state does not allow it.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "A field is wrong; `errors` names it.",
    429: "Too many requests: retry after `Retry-After` seconds.",
    503: "The database is not available, or the shopper has just logged in: retry.",
}

_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
}

_PATH_PARAMETERS = {
    "order_id": "The shop's id of the order.",
    "release": "A release's name, from the tags of `rokt-bff integrity`.",
    "filename": "A module's file.",
}

# A header beside the bearer token or the cookie.
_ORIGIN = {
    "in": "header",
    "name": "Origin",
    "schema": {"type": "string"},
    "description": "The page's origin. `ROKT_BFF_ORIGINS` must list it unless it is this server's "
    "own. A browser sends it by itself. Any other client must send it, else the status is 403 with "
    "the code `foreign_origin`.",
}

# Values of a response that the next request needs.
_LINKS: Mapping[str, Mapping[str, Any]] = {
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


def describe(
    operations: Iterable[tuple[Operation, View]], prefix: str, cookie: str
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document.

    Args:
        operations: The operations to describe, with their views.
        prefix: The URL prefix that they are under.
        cookie: The name of the cookie that holds a shopper's handle.
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
    converter: Any = plugin.converter  # the plugin has made it by now
    converter.add_attribute_function(as_json_schema)
    for name, scheme in _schemes(cookie).items():
        spec.components.security_scheme(name, scheme)
    spec.components.schema("SdkItem", schema=SdkItem)
    spec.components.schema("ItemId", schema=ItemId)
    spec.components.schema("ExtraValue", EXTRA_VALUE)
    for operation, view in operations:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", operation.rule)
        described = {operation.method.lower(): _describe(operation, view, path)}
        spec.path(path=path, operations=described)
    document: dict[str, Any] = spec.to_dict()
    schemas = document["components"]["schemas"]
    schemas["UpdateBody"] |= ONE_SPELLING
    for (kind, *_options), name in converter.refs.items():
        schemas[name]["description"] = _paragraphs(inspect.getdoc(kind))[0]
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


def _describe(operation: Operation, view: View, path: str) -> dict[str, Any]:
    summary, *description = _paragraphs(inspect.getdoc(view))
    operation_id = re.sub(r"_(\w)", lambda match: match[1].upper(), view.__name__)
    schema = operation.response or {"type": "object" if operation.media == JSON else "string"}
    success: dict[str, Any] = {"content": {operation.media: {"schema": schema}}}
    if operation_id in _LINKS:
        success["links"] = _LINKS[operation_id]
    responses = {
        str(status): {"description": "New." if status == 201 else "Done.", **success}
        for status in operation.statuses
    }
    for status in _failures(operation):
        responses[str(status)] = _problem(_FAILURES[status], waits=status in (429, 503))
    parameters: list[dict[str, Any]] = [
        {
            "in": "path",
            "name": name,
            "required": True,
            "description": text,
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        }
        for name, text in _PATH_PARAMETERS.items()
        if f"{{{name}}}" in path
    ]
    if operation.caller in (Caller.BROWSER, Caller.SESSION):
        parameters.append(_ORIGIN)
    described: dict[str, Any] = {
        "summary": summary,
        "description": " ".join(description),
        "operationId": operation_id,
        "security": _SECURITY[operation.caller],
        "parameters": parameters,
        "responses": responses | {"default": _problem("A problem.")},
    }
    if operation.body is not None:
        content: dict[str, Any] = {"schema": operation.body}
        if operation.body.example is not None:
            content["example"] = operation.body.example
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    return described


def _failures(operation: Operation) -> list[int]:
    """Return the statuses of failure, the guard's and the body reader's too."""
    failures = set(operation.failures)
    if operation.caller is not Caller.PUBLIC:
        failures |= {401, 403, 503}
    if operation.body is not None:
        failures |= {400, 413, 415, 422}
    if operation.limit is not None:
        failures.add(429)
    return sorted(failures)


def _problem(text: str, *, waits: bool = False) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": text,
        "content": {PROBLEM: {"schema": ProblemSchema}},
    }
    return response | ({"headers": _RETRY_AFTER} if waits else {})


def _paragraphs(docstring: str | None) -> list[str]:
    return [text.replace("\n", " ") for text in (docstring or "").split("\n\n")]
