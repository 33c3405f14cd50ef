"""marshmallow schemas for what goes out: Cart, Quote, Order and problems as JSON.

camelCase like the SDK, amounts as decimal text (``"12.50"``), times as RFC 3339 in UTC.
The amounts in our shapes have their currency's digits already.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from marshmallow import Schema, fields, post_dump, validate

from bff.cart.order import Order, OrderStatus
from bff.cart.quote import Quote
from bff.cart.reservation import BOUGHT_BEFORE, Reason, State
from bff.cart.shown_cart import HELD, Cart
from bff.checkout.instant_purchase import BegunPurchase
from bff.errors import BffError
from bff.rokt.placements import Placements, PlacementsReason
from bff.web.schemas.fields import about


class Answer(Schema):
    """Base: members named as optional are left out when they say nothing."""

    optional: tuple[str, ...] = ()

    @post_dump
    def drop_optional(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Leave out what is None, or false; but 0 says something."""
        said = {k: v for k, v in data.items() if v is not None and v is not False}
        return {k: v for k, v in data.items() if k not in self.optional or k in said}


def _amount(key: str, what: str, attribute: str | None = None, **more: Any) -> fields.Decimal:
    return fields.Decimal(
        as_string=True, data_key=key, attribute=attribute, metadata=about(what), **more
    )


def _totals(what: str) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(),
        values=fields.Decimal(as_string=True),
        required=True,
        metadata=about(f"{what}, by currency: `USD` to `25.00`."),
    )


def _text(key: str, what: str, **more: Any) -> fields.String:
    return fields.String(data_key=key, metadata=about(what), **{"required": True} | more)


def _word(key: str, what: str, words: Iterable[str], *, required: bool = True) -> fields.String:
    return _text(key, what, required=required, validate=validate.OneOf([str(x) for x in words]))


def _number(key: str, what: str, *, required: bool = True) -> fields.Integer:
    return fields.Integer(required=required, data_key=key, metadata=about(what))


def _time(key: str, what: str) -> fields.AwareDateTime:
    return fields.AwareDateTime(data_key=key, allow_none=True, metadata=about(what))


def _list(inner: fields.Field[Any], key: str, what: str) -> fields.List[Any]:
    return fields.List(inner, required=True, data_key=key, metadata=about(what))


class ItemAnswer(Answer):
    """A line of a cart, a quote or an order."""

    optional = (
        "linkedProductId",
        "quantityMustBeSynchronized",
        "reservedUntil",
        "reason",
        "available",
        "lockedPrice",
    )
    cart_item_id = _text("cartItemId", "The line's id, from the impression that it came from.")
    catalog_item_id = _text("catalogItemId", "The product behind it.")
    name = _text("name", "What the shopper reads as its name.")
    description = _text("description", "What the shopper reads of it.")
    quantity = _number("quantity", "In a cart what was asked for, else what Rokt granted.")
    unit_price = _amount(
        "unitPrice", "Of one: in a cart as seen, else as Rokt locked it.", required=True
    )
    total_price = _amount("totalPrice", "Unit price times quantity.", required=True)
    currency = _text("currency", "ISO 4217.")
    status = _word(
        "status",
        "Where it stands; `held` is in the cart, and not at Rokt.",
        (HELD, *(state for state in State if state is not State.ASKED)),
    )
    linked_product_id = _text(
        "linkedProductId", "SKU of the shop's product without which it goes too.", required=False
    )
    quantity_must_be_synchronized = fields.Boolean(
        data_key="quantityMustBeSynchronized",
        metadata=about("There are always as many as of the linked product."),
    )
    reserved_until = _time("reservedUntil", "When Rokt's reservation lapses.")
    reason = _word(
        "reason",
        "Why it cannot be had as the shopper saw it.",
        (*Reason, BOUGHT_BEFORE),
        required=False,
    )
    available = _number(
        "available", "In a cart: so many of them can be had. Absent: all.", required=False
    )
    locked_price = _amount(
        "lockedPrice", "In a cart: of one, where Rokt locked another price than was seen."
    )


class CartAnswer(Answer):
    """What a shopper holds."""

    cart_id = _text("cartId", "Null for who has no session yet.", allow_none=True)
    version = _number("version", "Counts the cart's changes.")
    items = _list(fields.Nested(ItemAnswer), "items", "The lines, in the order they came.")
    totals = _totals("What can be had of it costs so much")
    removed = _list(fields.String(), "removed", "Catalog items that the shopper took out.")


class SessionAnswer(Answer):
    """A new session for a page on another origin."""

    handle = _text("handle", "The shopper's secret name: send it as the bearer token.")
    cart = fields.Nested(CartAnswer, required=True, metadata=about("The session's cart."))


class RejectedAnswer(Answer):
    """What of a line is not in the quote."""

    cart_item_id = _text("cartItemId", "The line's id.")
    catalog_item_id = _text("catalogItemId", "The product behind it.")
    name = _text("name", "What the shopper reads as its name.")
    quantity = _number("quantity", "How many of it are missing.")
    reason = _word("reason", "Why.", Reason)


class PriceChangeAnswer(Answer):
    """A line whose price at Rokt is another than the shopper saw."""

    cart_item_id = _text("cartItemId", "The line's id.")
    before = _amount("from", "Unit price that the shopper saw or took.", required=True)
    after = _amount("to", "Unit price that Rokt locked.", required=True)


class QuoteAnswer(Answer):
    """What may be charged now."""

    quote_id = _text("quoteId", "Name it when you confirm what was charged.")
    cart_id = _text("cartId", "The cart that it is of.")
    items = _list(fields.Nested(ItemAnswer), "items", "What is locked at Rokt, and in the totals.")
    rejected = _list(fields.Nested(RejectedAnswer), "rejected", "What is not to be had.")
    price_changes = _list(
        fields.Nested(PriceChangeAnswer),
        "priceChanges",
        "Other prices than were seen. A dearer item is in `items` only after the shopper took it.",
    )
    totals = _totals("To be charged")
    expires_at = _time("expiresAt", "When the first item lapses; null when nothing is reserved.")


class OrderAnswer(Answer):
    """A paid order's upsell."""

    optional = ("nextAttemptAt", "lastError")
    order_id = _text("orderId", "The shop's id of it.")
    cart_id = _text("cartId", "The cart that was paid.")
    status = _word("status", "What its items come to.", OrderStatus)
    items = _list(fields.Nested(ItemAnswer), "items", "What was paid for, line by line.")
    totals = _totals("What was paid")
    attempts = _number("attempts", "How often Rokt was told so far.")
    next_attempt_at = _time("nextAttemptAt", "When it is told again, while that is owed.")
    last_error = _text("lastError", "What went wrong last, for people.", required=False)


class PurchaseAnswer(Answer):
    """A press that was begun for a partner: charge its quote, or tell the shopper the reason."""

    handle = _text("handle", "The press's own: confirm with it.")
    quote = fields.Nested(QuoteAnswer, metadata=about("What may be charged."))
    order = fields.Nested(OrderAnswer, metadata=about("The press came before, and was paid."))
    reason = _text("reason", "Why nothing may be charged.", required=False)


class PlacementsAnswer(Answer):
    """Whether to show the upsell."""

    result = fields.Boolean(required=True, metadata=about("Show it."))
    reason = _word("reason", "As Rokt said, or why Rokt could not be asked.", PlacementsReason)


class ProblemAnswer(Answer):
    """A problem document of RFC 9457."""

    optional = ("errors",)
    type = _text("type", "`about:blank`.")
    title = _text("title", "The code, for people.")
    status = _number("status", "The HTTP status.")
    code = _text("code", "What is wrong, for programs; there may be more of them some day.")
    detail = _text("detail", "What is wrong and what to do about it, for developers.")
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata=about("What is wrong with each field, by its path: `updatedItem.quantity`."),
    )


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


def begun_to_json(begun: BegunPurchase) -> dict[str, Any]:
    """Show a partner's backend what it may charge, and the handle to confirm it with."""
    told: dict[str, Any] = {"handle": begun.handle}
    if begun.quote is not None:
        told["quote"] = to_json(begun.quote)
    if begun.order is not None:
        told["order"] = to_json(begun.order)
    if begun.reason is not None:
        told["reason"] = begun.reason.value
    return told
