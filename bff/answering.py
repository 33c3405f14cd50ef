"""marshmallow schemas for what goes out: Cart, Quote, Order and problems as JSON.

camelCase like the SDK, amounts as decimal text (``"12.50"``), times as RFC 3339 in UTC.
The amounts in our shapes have their currency's digits already.
"""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, post_dump

from bff.errors import BffError
from bff.shapes import Cart, Order, Placements, Quote


class Answer(Schema):
    """Base: members named as optional are left out when they say nothing."""

    optional: tuple[str, ...] = ()

    @post_dump
    def drop_optional(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Leave out what is None, or false; but 0 says something."""
        said = {k: v for k, v in data.items() if v is not None and v is not False}
        return {k: v for k, v in data.items() if k not in self.optional or k in said}


def _amount(data_key: str | None = None, attribute: str | None = None) -> fields.Decimal:
    return fields.Decimal(as_string=True, required=True, data_key=data_key, attribute=attribute)


def _totals() -> fields.Dict:
    return fields.Dict(keys=fields.String(), values=fields.Decimal(as_string=True), required=True)


def _text(data_key: str | None = None) -> fields.String:
    return fields.String(required=True, data_key=data_key)


def _time(data_key: str) -> fields.AwareDateTime:
    return fields.AwareDateTime(data_key=data_key, allow_none=True)


class ItemAnswer(Answer):
    """An ``Item``; ``available`` and ``lockedPrice`` in a cart only."""

    optional = (
        "linkedProductId",
        "quantityMustBeSynchronized",
        "reservedUntil",
        "reason",
        "available",
        "lockedPrice",
    )
    cart_item_id = _text("cartItemId")
    catalog_item_id = _text("catalogItemId")
    name = _text()
    description = _text()
    quantity = fields.Integer(required=True)
    unit_price = _amount("unitPrice")
    total_price = _amount("totalPrice")
    currency = _text()
    status = _text()
    linked_product_id = fields.String(data_key="linkedProductId")
    quantity_must_be_synchronized = fields.Boolean(data_key="quantityMustBeSynchronized")
    reserved_until = _time("reservedUntil")
    reason = fields.String()
    available = fields.Integer()
    locked_price = fields.Decimal(as_string=True, data_key="lockedPrice")


class CartAnswer(Answer):
    """A ``Cart``; ``cartId`` is null for who has no session yet."""

    cart_id = fields.String(required=True, allow_none=True, data_key="cartId")
    version = fields.Integer(required=True)
    items = fields.List(fields.Nested(ItemAnswer), required=True)
    totals = _totals()
    removed = fields.List(fields.String(), required=True)


class SessionAnswer(Answer):
    """A new session for a page on another origin."""

    handle = _text()
    cart = fields.Nested(CartAnswer, required=True)


class RejectedAnswer(Answer):
    """A ``Rejected``."""

    cart_item_id = _text("cartItemId")
    catalog_item_id = _text("catalogItemId")
    name = _text()
    quantity = fields.Integer(required=True)
    reason = _text()


class PriceChangeAnswer(Answer):
    """A ``PriceChange``; unit prices."""

    cart_item_id = _text("cartItemId")
    before = _amount("from")
    after = _amount("to")


class QuoteAnswer(Answer):
    """A ``Quote``; ``expiresAt`` is null when nothing is reserved."""

    quote_id = _text("quoteId")
    cart_id = _text("cartId")
    items = fields.List(fields.Nested(ItemAnswer), required=True)
    rejected = fields.List(fields.Nested(RejectedAnswer), required=True)
    price_changes = fields.List(
        fields.Nested(PriceChangeAnswer), required=True, data_key="priceChanges"
    )
    totals = _totals()
    expires_at = _time("expiresAt")


class OrderAnswer(Answer):
    """An ``Order``."""

    optional = ("nextAttemptAt", "lastError")
    order_id = _text("orderId")
    cart_id = _text("cartId")
    status = fields.String(required=True)
    items = fields.List(fields.Nested(ItemAnswer), required=True)
    totals = _totals()
    attempts = fields.Integer(required=True)
    next_attempt_at = _time("nextAttemptAt")
    last_error = fields.String(data_key="lastError")


class PurchaseAnswer(Answer):
    """A press that was begun for a partner: its handle, and what may be charged, if anything."""

    handle = _text()
    quote = fields.Nested(QuoteAnswer)
    order = fields.Nested(OrderAnswer)
    reason = fields.String()


class PlacementsAnswer(Answer):
    """A ``Placements``."""

    result = fields.Boolean(required=True)
    reason = _text()


class ProblemAnswer(Answer):
    """A problem document of RFC 9457, with our ``code`` and ``errors`` (field → messages)."""

    optional = ("errors",)
    type = _text()
    title = _text()
    status = fields.Integer(required=True)
    code = _text()
    detail = _text()
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))


_SCHEMAS: dict[type, type[Schema]] = {
    Cart: CartAnswer,
    Quote: QuoteAnswer,
    Order: OrderAnswer,
    Placements: PlacementsAnswer,
}


def to_json(value: Cart | Quote | Order | Placements) -> dict[str, Any]:
    """Turn a shape into the JSON that the HTTP endpoints give."""
    result: dict[str, Any] = _SCHEMAS[type(value)]().dump(value)
    return result


def problem(error: BffError) -> dict[str, Any]:
    """Turn an error into a problem document. It holds nothing that the error's text does not."""
    document = {
        "type": "about:blank",
        "title": error.code.replace("_", " ").capitalize(),
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
    }
    return document | ({"errors": error.errors} if error.errors else {})
