"""The OpenAPI document, made from the schemas that the views use."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from bff.answering import (
    CartAnswer,
    OrderAnswer,
    PlacementsAnswer,
    ProblemAnswer,
    QuoteAnswer,
    SessionAnswer,
)
from bff.schemas import (
    AttributesBody,
    Body,
    CancelBody,
    OrderBody,
    PlacementsBody,
    ProductsBody,
    PurchaseBody,
    ReserveBody,
    UpdateBody,
)

_BROWSER: list[dict[str, list[str]]] = [{"cookie": [], "bridge": []}, {"handle": []}]
_SERVER: list[dict[str, list[str]]] = [{"serverKey": []}]
_SCRIPT = {"in": "path", "name": "filename", "required": True, "schema": {"type": "string"}}
_RELEASE = {"in": "path", "name": "release", "required": True, "schema": {"type": "string"}}
_ORDER_ID = {"in": "path", "name": "order_id", "required": True, "schema": {"type": "string"}}


@lru_cache(maxsize=8)
def describe(prefix: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the endpoints under ``prefix``."""
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
        plugin.converter.add_attribute_function(  # type: ignore[no-untyped-call]
            _as_json_schema
        )
    schemes = {
        "cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
        "bridge": {"type": "apiKey", "in": "header", "name": "Rokt-Bff"},
        "handle": {"type": "http", "scheme": "bearer"},
        "serverKey": {"type": "http", "scheme": "bearer"},
    }
    for name, scheme in schemes.items():
        spec.components.security_scheme(name, scheme)
    add = _Adder(spec)
    add("/cart", "get", "Read the held cart.", CartAnswer, security=_BROWSER)
    add("/session", "post", "Start a session.", SessionAnswer, body=Body, status=201)
    add("/cart/updates", "post", "Apply an SDK message.", CartAnswer, body=UpdateBody,
        security=_BROWSER)  # fmt: skip
    add("/placements/any", "post", "Ask whether to show the upsell.", PlacementsAnswer,
        body=PlacementsBody, security=_BROWSER)  # fmt: skip
    add("/cart/reserve", "post", "Reserve and quote.", QuoteAnswer, body=ReserveBody,
        security=_BROWSER)  # fmt: skip
    add("/cart/release", "post", "Give reserved items back.", CartAnswer, body=AttributesBody,
        security=_BROWSER)  # fmt: skip
    add("/orders", "post", "Record a paid order and confirm it.", OrderAnswer, body=OrderBody,
        security=_SERVER, status=201)  # fmt: skip
    add("/orders/{order_id}", "get", "Read an order.", OrderAnswer, security=_SERVER,
        parameters=[_ORDER_ID])  # fmt: skip
    add("/orders/{order_id}/cancel", "post", "Cancel items of an order.", OrderAnswer,
        body=CancelBody, security=_SERVER, parameters=[_ORDER_ID])  # fmt: skip
    add("/products", "post", "Let linked items follow the shop's own products.", CartAnswer,
        body=ProductsBody, security=_SERVER)  # fmt: skip
    add("/purchases", "post", "Reserve an instant purchase.", None, body=PurchaseBody,
        security=_SERVER)  # fmt: skip
    add("/health", "get", "Tell that the server works.", None)
    add("/openapi.json", "get", "Describe this interface.", None)
    add("/static/{filename}", "get", "Load the bridge's module.", None, media="text/javascript",
        parameters=[_SCRIPT])  # fmt: skip
    add("/static/{release}/{filename}", "get", "Load a release's module, which never changes.",
        None, media="text/javascript", parameters=[_RELEASE, _SCRIPT])  # fmt: skip
    document: dict[str, Any] = spec.to_dict()
    return document


def _as_json_schema(
    _: object, field: fields.Field[Any], ret: dict[str, Any], **__: Any
) -> dict[str, Any]:
    """Mend what the library makes of our fields where JSON Schema says it otherwise.

    ``ret`` is the property so far. Amounts are decimal text, which has no bounds; JSON Schema's
    patterns are JavaScript's; an object's size is counted in properties.
    """
    if isinstance(field, fields.Decimal):
        ret.pop("minimum", None)
        ret.pop("maximum", None)
        return {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
    if isinstance(field, fields.Dict) and "maxLength" in ret:
        return {"maxProperties": ret.pop("maxLength")}
    if "pattern" in ret:
        return {"pattern": ret["pattern"].replace(r"\A", "^").replace(r"\Z", "$")}
    return {}


class _Adder:
    """Adds one operation, with the problems that every operation can answer."""

    def __init__(self, spec: APISpec) -> None:
        self._spec = spec

    def __call__(
        self,
        path: str,
        method: str,
        summary: str,
        answer: type[Schema] | None,
        *,
        body: type[Schema] | None = None,
        security: list[dict[str, list[str]]] | None = None,
        parameters: list[dict[str, Any]] | None = None,
        status: int = 200,
        media: str = "application/json",
    ) -> None:
        plain = {"type": "object" if media == "application/json" else "string"}
        content = {media: {"schema": answer or plain}}
        problem = {"application/problem+json": {"schema": ProblemAnswer}}
        operation: dict[str, Any] = {
            "summary": summary,
            "operationId": f"{method}{path.replace('/', '_').replace('{', '').replace('}', '')}",
            "security": security or [],
            "parameters": parameters or [],
            "responses": {
                str(status): {"description": "Done.", "content": content},
                "default": {"description": "A problem document.", "content": problem},
            },
        }
        if body is not None:
            operation["requestBody"] = {
                "required": body is not Body,
                "content": {"application/json": {"schema": body}},
            }
        self._spec.path(path=path, operations={method: operation})
