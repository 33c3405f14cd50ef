"""Writes Cart, Quote, Order, Placements and problems as JSON.

Names are in camelCase, as in the SDK. Amounts are decimal text (``"12.50"``) with their currency's
digits. Times are RFC 3339 in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from marshmallow import Schema, fields, post_dump, validate

from bff.cart.order import Order, OrderStatus
from bff.cart.quote import Quote
from bff.cart.reservation import BOUGHT_BEFORE, Reason, State
from bff.cart.shown_cart import HELD, Cart
from bff.checkout.instant_purchase import PurchaseReason
from bff.errors import BffError, codes
from bff.rokt.placements import Placements, PlacementsReason
from bff.web.schemas.fields import CamelCaseSchema, member


class ResponseSchema(CamelCaseSchema):
    """Base of the responses."""

    @post_dump
    def drop_empty(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Leave out optional members that are None or false; 0 stays."""
        for field in self.fields.values():
            key = str(field.data_key)
            if not field.required and (data.get(key) is None or data[key] is False):
                data.pop(key, None)
        return data


def _field(kind: type[fields.Field[Any]], description: str, *arguments: Any, **options: Any) -> Any:
    """Return a field that is required unless ``options`` say otherwise."""
    return member(kind, description, *arguments, **{"required": True} | options)


_text = partial(_field, fields.String)
_number = partial(_field, fields.Integer)
_amount = partial(_field, fields.Decimal, as_string=True)
_time = partial(_field, fields.AwareDateTime, allow_none=True)


def _word(description: str, words: Iterable[str], **options: Any) -> Any:
    listed = validate.OneOf([str(word) for word in words])
    return _text(description, validate=listed, **options)


def _list(inner: type[Schema], description: str) -> Any:
    return _field(fields.List, description, fields.Nested(inner))


def _totals(description: str) -> Any:
    return _field(
        fields.Dict,
        f"{description}, by currency: `USD` to `25.00`.",
        keys=fields.String(),
        values=fields.Decimal(as_string=True),
    )


class LineSchema(ResponseSchema):
    """Base of what is shown of a line."""

    cart_item_id = _text("The line's id, from the impression that it came from.")
    catalog_item_id = _text("The product's id.")
    name = _text("The name that the shopper reads.")


class ItemSchema(LineSchema):
    """A line of a cart, a quote or an order."""

    description = _text("The description that the shopper reads.")
    quantity = _number("In a cart the requested quantity, else what Rokt granted.")
    unit_price = _amount("Price of one: in a cart as the shopper saw it, else as Rokt locked it.")
    total_price = _amount("Unit price times quantity.")
    currency = _text("ISO 4217.")
    status = _word(
        "The item's state. `held` is in the cart, and not at Rokt.",
        (HELD, *(state for state in State if state is not State.ASKED)),
    )
    linked_product_id = _text(
        "SKU of the shop's product. The item leaves the cart with that product.", required=False
    )
    quantity_must_be_synchronized = _field(
        fields.Boolean, "The quantity is always that of the linked product.", required=False
    )
    reserved_until = _time("When Rokt's reservation expires.", required=False)
    reason = _word(
        "Why the item is not available as the shopper saw it.",
        (*Reason, BOUGHT_BEFORE),
        required=False,
    )
    available = _number("In a cart: the available quantity. Absent: all of it.", required=False)
    locked_price = _amount(
        "In a cart: the unit price that Rokt locked, where it is not the one that was shown.",
        required=False,
    )


class CartSchema(ResponseSchema):
    """The items that a shopper holds."""

    cart_id = _text("The cart's id. Null without a session.", allow_none=True)
    version = _number("Counts the cart's changes.")
    items = _list(ItemSchema, "The lines, in the order in which they were added.")
    totals = _totals("The price of what is available")
    removed = _field(fields.List, "Catalog items that the shopper removed.", fields.String())


class SessionSchema(ResponseSchema):
    """A new session for a page on another origin."""

    handle = _text("The session's secret name: send it as the bearer token.")
    cart = _field(fields.Nested, "The session's cart.", CartSchema)


class RejectedSchema(LineSchema):
    """A quantity of a line that is not in the quote."""

    quantity = _number("The missing quantity.")
    reason = _word("Why it is missing.", Reason)


class PriceChangeSchema(ResponseSchema):
    """A line whose unit price at Rokt is not the one that the shopper saw."""

    cart_item_id = _text("The line's id.")
    before = _amount("Unit price that the shopper saw or accepted.", data_key="from")
    after = _amount("Unit price that Rokt locked.", data_key="to")


class QuoteSchema(ResponseSchema):
    """The items and totals that may be charged now."""

    quote_id = _text("The quote's id: send it when you confirm the charge.")
    cart_id = _text("The quoted cart.")
    items = _list(ItemSchema, "The items that are locked at Rokt, and in the totals.")
    rejected = _list(RejectedSchema, "The items that are not available.")
    price_changes = _list(
        PriceChangeSchema,
        "Prices that changed. A dearer item is in `items` only after the shopper accepted it.",
    )
    totals = _totals("The amount to charge")
    expires_at = _time("When the first reservation expires. Null when nothing is reserved.")


class OrderSchema(ResponseSchema):
    """A paid order's upsell."""

    order_id = _text("The shop's id of the order.")
    cart_id = _text("The cart that was paid.")
    status = _word("The order's state, which follows from its items.", OrderStatus)
    items = _list(ItemSchema, "The paid items, line by line.")
    totals = _totals("The amount that was paid")
    attempts = _number("How often the confirm was sent to Rokt so far.")
    next_attempt_at = _time("When the confirm is sent again, while it is owed.", required=False)
    last_error = _text("The last error, for people.", required=False)


class PurchaseSchema(ResponseSchema):
    """An instant purchase: charge its quote, or show the shopper the reason."""

    handle = _text("The handle of the purchase's own session: confirm with it.")
    quote = _field(fields.Nested, "What may be charged.", QuoteSchema, required=False)
    order = _field(
        fields.Nested, "The order, where the purchase was paid before.", OrderSchema, required=False
    )
    reason = _word("Why nothing may be charged.", PurchaseReason, required=False)


class PlacementsSchema(ResponseSchema):
    """Whether to show the upsell."""

    result = _field(fields.Boolean, "Show it.")
    reason = _word("Rokt's response, or why Rokt could not be asked.", PlacementsReason)


class ProblemSchema(Schema):
    """A problem document of RFC 9457."""

    type = _text("`about:blank`.")
    title = _text("The code, for people.")
    status = _number("The HTTP status.")
    code = _text(
        "The error, for programs. A later version may add codes.",
        metadata={"examples": sorted(codes())},
    )
    detail = _text("What is wrong and what to do about it, for developers.")
    errors = _field(
        fields.Dict,
        "What is wrong with each field, by its path: `updatedItem.quantity`.",
        keys=fields.String(),
        values=fields.List(fields.String()),
        required=False,
    )


_SCHEMAS: dict[type, Schema] = {
    Cart: CartSchema(),
    Quote: QuoteSchema(),
    Order: OrderSchema(),
    Placements: PlacementsSchema(),
}


def to_json(value: Cart | Quote | Order | Placements) -> dict[str, Any]:
    """Return a shape as the JSON object of the HTTP endpoints."""
    result: dict[str, Any] = _SCHEMAS[type(value)].dump(value)
    return result


def problem(error: BffError) -> dict[str, Any]:
    """Return an error as a problem document, which holds only the error's own text."""
    document = {
        "type": "about:blank",
        "title": error.code.replace("_", " ").capitalize(),
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
    }
    return document | ({"errors": error.errors} if error.errors else {})
