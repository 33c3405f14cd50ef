"""marshmallow schemas for what comes in: JSON from outside, dataclasses for the inside.

The SDK's items are read strictly where something is computed from them and tolerantly
elsewhere: members that are not known are passed over, and of an old item only the two ids are
looked at, since the rest may be made up. How our own shapes look as JSON: ``bff.answering``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from bff.cart import CartItem, Update
from bff.config import Settings
from bff.errors import InvalidInput
from bff.money import (
    NO_CURRENCY,
    has_minor_digits,
    is_currency,
    minor_digits,
    read_amount,
    same_to_rounding,
)
from bff.products import MAX_PRODUCTS

# The ids of Rokt's samples have 40 to 120 characters, with a provider's prefix.
MAX_ID = 200
MAX_NAME = 500
MAX_TEXT = 5000
# Taken unread; a provider's JSON. What is longer than this much is not held: nobody of us reads
# it, Rokt is not sent it, and it would be written anew with every update of the cart.
MAX_PROVIDER_DATA = 20000
MOST_HELD_PROVIDER_DATA = 2000
# "The largest seq": a page load with a million changes is no page load.
MAX_SEQ = 1_000_000_000
MAX_ATTRIBUTES = 100

# Below ``MAX_AMOUNT``; no currency has more than four minor digits.
AMOUNT_TEXT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,4})?")
# What is printable, and no control characters: ids end up in headers and logs of others.
_ID = validate.Regexp(r"\A[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?\Z", error="has odd characters")
# JSON can carry half a surrogate pair and NUL, which no database keeps.
_TEXT = validate.Regexp(r"\A[^\x00\ud800-\udfff]*\Z", error="has characters that are no text")
# Objects whose members the caller names, and which of these names an error may repeat.
_MADE_UP = {
    "attributes": re.compile(r"(?!)"),  # none
    "acceptPrices": re.compile(rf"[A-Za-z0-9_.:\-]{{1,{MAX_ID}}}"),  # a cart item's id
}


def _text(most: int, *, required: bool = False) -> fields.String:
    rules = [validate.Length(max=most), _TEXT]
    return fields.String(required=required, validate=rules, allow_none=not required)


def _sendable(value: object) -> None:
    """Refuse what could be read but not be written to Rokt again."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        raise ValidationError("has characters that are no text, or too many levels") from None


class Number(fields.Field[Decimal]):
    """A JSON number as the decimal it was meant as; no text, no true, no NaN, not negative."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Decimal:  # noqa: ARG002
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError("must be a number")
        try:
            return read_amount(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Quantity(fields.Field[int]):
    """A whole number, 0 or more; ``2.0`` is one, ``2.5`` and ``"2"`` are not."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:  # noqa: ARG002
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError("must be a number")
        if value != value or value in (float("inf"), float("-inf")) or value != int(value):
            raise ValidationError("must be a whole number")
        if value < 0:
            raise ValidationError("must not be negative")
        return int(value)


class Switch(fields.Boolean):
    """True or false; 0, 1.0 and text are neither, though Python takes 0 for false."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:  # noqa: ARG002
        if not isinstance(value, bool):
            raise ValidationError("must be true or false")
        return value


class AmountText(fields.String):
    """An amount as decimal text, as we send it ourselves: ``"12.50"``. Not a number, no sign."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not AMOUNT_TEXT.fullmatch(text):
            raise ValidationError('must be a decimal number as text, such as "12.50"')
        return Decimal(text)


class Named(Schema):
    """The one member of an old item that can be trusted, and of a removal that is needed."""

    class Meta:
        """Whatever else is there may be made up."""

        unknown = EXCLUDE

    cart_item_id = fields.String(
        data_key="cartItemId", required=True, validate=[validate.Length(1, MAX_ID), _ID]
    )


class SdkItem(Named):
    """A CartItem of the Web SDK that is to be held."""

    catalog_item_id = fields.String(
        data_key="catalogItemId", required=True, validate=[validate.Length(1, MAX_ID), _ID]
    )
    name = _text(MAX_NAME)
    description = _text(MAX_TEXT)
    quantity = Quantity(required=True)
    unit_price = Number(data_key="unitPrice", required=True)
    total_price = Number(data_key="totalPrice", allow_none=True)
    currency = fields.String(allow_none=True, validate=validate.Length(max=10))
    linked_product_id = fields.String(
        data_key="linkedProductId", allow_none=True, validate=[validate.Length(1, MAX_ID), _TEXT]
    )
    quantity_must_be_synchronized = Switch(data_key="quantityMustBeSynchronized", allow_none=True)
    provider_data = fields.String(
        data_key="providerData",
        allow_none=True,
        validate=[validate.Length(max=MAX_PROVIDER_DATA), _TEXT],
    )


class Body(Schema):
    """Base of our request bodies: members that are not known are passed over."""

    class Meta:
        """The bridge may be newer than the server."""

        unknown = EXCLUDE


class UpdateBody(Body):
    """``POST /cart/updates``: both spellings of the callback's two items."""

    updated_item = fields.Dict(data_key="updatedItem", allow_none=True)
    old_item = fields.Dict(data_key="oldItem", allow_none=True)
    cart_item = fields.Dict(data_key="cartItem", allow_none=True)
    old_cart_item = fields.Dict(data_key="oldCartItem", allow_none=True)
    page = fields.UUID(allow_none=True)
    seq = fields.Integer(strict=True, validate=validate.Range(1, MAX_SEQ), allow_none=True)
    rokt_session_id = fields.String(
        data_key="roktSessionId", validate=[validate.Length(1, 128), _ID], allow_none=True
    )
    preselected = Switch(allow_none=True)


class AttributesBody(Body):
    """Attributes of the page and the shopper, text to text, for Rokt."""

    attributes = fields.Dict(
        keys=fields.String(validate=[validate.Length(1, 100), _TEXT]),
        values=fields.String(validate=[validate.Length(max=1000), _TEXT]),
        validate=validate.Length(max=MAX_ATTRIBUTES),
        load_default=dict,
    )


class PlacementsBody(AttributesBody):
    """``POST /placements/any``."""

    page_identifier = fields.String(
        data_key="pageIdentifier", required=True, validate=[validate.Length(1, MAX_ID), _TEXT]
    )
    url = fields.String(validate=[validate.Length(max=2000), _TEXT], load_default="")


class ReserveBody(AttributesBody):
    """``POST /cart/reserve``: prices that the shopper was shown and took, as decimal text."""

    accept_prices = fields.Dict(
        keys=fields.String(validate=[validate.Length(1, MAX_ID), _ID]),
        values=AmountText(),
        data_key="acceptPrices",
        validate=validate.Length(max=1000),
        load_default=dict,
    )
    is_paypal_payment = Switch(data_key="isPayPalPayment", allow_none=True, load_default=None)
    merchant_id = fields.String(
        data_key="merchantId",
        validate=[validate.Length(1, MAX_ID), _TEXT],
        allow_none=True,
        load_default=None,
    )


class OrderBody(AttributesBody):
    """``POST /orders``, from a partner's server."""

    handle = fields.String(required=True, validate=[validate.Length(1, 100), _ID])
    order_id = fields.String(
        data_key="orderId", required=True, validate=[validate.Length(1, 128), _ID]
    )
    quote_id = fields.UUID(data_key="quoteId", allow_none=True, load_default=None)
    extra = fields.Dict(keys=fields.String(), validate=_sendable, load_default=dict)


class ProductsBody(Body):
    """``POST /products``, from a partner's server: all products in its own cart, by SKU."""

    handle = fields.String(required=True, validate=[validate.Length(1, 100), _ID])
    quantities = fields.Dict(
        keys=fields.String(validate=[validate.Length(1, MAX_ID), _TEXT]),
        values=Quantity(),
        required=True,
        validate=validate.Length(max=MAX_PRODUCTS),
    )


class PurchaseBody(Body):
    """``POST /purchases``, from a partner's server; the rest is the bridge's message."""

    handle = fields.String(required=True, validate=[validate.Length(1, 100), _ID])


class CancelBody(Body):
    """``POST /orders/<orderId>/cancel``: all of it, or one item."""

    cart_item_id = fields.String(
        data_key="cartItemId",
        validate=[validate.Length(1, MAX_ID), _ID],
        allow_none=True,
        load_default=None,
    )


def load(schema: Schema, data: object) -> dict[str, Any]:
    """Validate a JSON value. Raises ``InvalidInput`` that names each field."""
    try:
        loaded: dict[str, Any] = schema.load(data)  # type: ignore[arg-type]
    except ValidationError as error:
        raise invalid(flatten(_numbered(error.messages, data))) from None
    return loaded


def load_update(data: object, settings: Settings) -> tuple[Update, str | None]:
    """Read an update and Rokt's session id, where the page told it.

    Raises ``InvalidInput`` that names each wrong field as the body spells it.
    """
    body = load(UpdateBody(), data)
    current = "updated_item" in body or "old_item" in body
    first = "cart_item" in body or "old_cart_item" in body
    if current and first:
        raise invalid({"cartItem": ["cannot stand beside updatedItem: use one spelling"]})
    if current:
        new_name, updated, old = "updatedItem", body.get("updated_item"), body.get("old_item")
    elif first:
        new_name, updated, old = "cartItem", body.get("cart_item"), body.get("old_cart_item")
    else:
        missing = "is missing: send it and the old item, each an item or null"
        raise invalid({"updatedItem": [missing]})
    old_name = "oldItem" if new_name == "updatedItem" else "oldCartItem"
    old_id = removed_catalog_id = None
    if old is not None:
        old_id = _load_item(Named(), old, old_name)["cart_item_id"]
    item = removed_id = None
    if updated is None:
        removed_id = old_id
        named = (old or {}).get("catalogItemId")
        removed_catalog_id = named if isinstance(named, str) else None
    elif _quantity_of(updated, new_name) == 0:
        removed_id = _load_item(Named(), updated, new_name)["cart_item_id"]
    else:
        item = read_item(updated, new_name, settings)
    page = body.get("page")
    update = Update(
        item=item,
        removed_id=removed_id,
        removed_catalog_id=removed_catalog_id,
        old_id=old_id,
        page=str(page) if page else None,
        seq=body.get("seq"),
        preselected=bool(body.get("preselected")),
        name=new_name,
    )
    return update, body.get("rokt_session_id")


def invalid(errors: Mapping[str, list[str]]) -> InvalidInput:
    """Make the error for wrong fields; its text names them too."""
    return InvalidInput(f"Wrong: {', '.join(sorted(errors))}.", errors=errors)


def _numbered(messages: Any, data: object) -> Any:
    """Name members by their place whose names a caller made up: an error must not repeat them.

    An e-mail address can be an attribute's name as well as its value.
    """
    if not isinstance(messages, Mapping) or not isinstance(data, Mapping):
        return messages
    told = dict(messages)
    for name, may_be_named in _MADE_UP.items():
        inner, given = messages.get(name), data.get(name)
        if isinstance(inner, Mapping) and isinstance(given, Mapping):
            places = {key: str(place) for place, key in enumerate(given)}
            told[name] = {
                key if may_be_named.fullmatch(str(key)) else places.get(key, key): said
                for key, said in inner.items()
            }
    return told


def flatten(messages: Any, path: str = "") -> dict[str, list[str]]:
    """Turn marshmallow's nested messages into ``{"updatedItem.quantity": [...]}``."""
    if isinstance(messages, Mapping):
        flat: dict[str, list[str]] = {}
        for key, inner in messages.items():
            name = "" if key == "_schema" else str(key)
            flat |= flatten(inner, ".".join(part for part in (path, name) if part))
        return flat
    texts = messages if isinstance(messages, list) else [messages]
    return {path or "body": [str(text) for text in texts]}


def _quantity_of(item: Any, name: str) -> int:
    """Read the quantity first: of an item with quantity 0 the rest is empty."""
    schema = SdkItem(only=["quantity"])
    quantity: int = _load_item(schema, item, name)["quantity"]
    return quantity


def _load_item(schema: Schema, item: object, name: str) -> dict[str, Any]:
    try:
        return load(schema, item)
    except InvalidInput as error:
        raise invalid({f"{name}.{field}": x for field, x in error.errors.items()}) from None


def _held_data(data: str | None) -> str | None:
    return data if data is None or len(data) <= MOST_HELD_PROVIDER_DATA else None


def read_item(data: object, name: str, settings: Settings) -> CartItem:
    """Read an SDK's CartItem that is to be held; ``name`` is what the body calls it.

    Raises ``InvalidInput`` that names each wrong member.
    """
    item = _load_item(SdkItem(), data, name)
    errors: dict[str, list[str]] = {}
    quantity, unit_price = item["quantity"], item["unit_price"]
    if quantity > settings.max_quantity:
        errors[f"{name}.quantity"] = [f"must be at most {settings.max_quantity}"]
    currency = item.get("currency") or ""
    if currency in NO_CURRENCY and settings.default_currency:
        currency = settings.default_currency
    total = item.get("total_price")
    if not is_currency(currency):
        errors[f"{name}.currency"] = [
            "must be a currency code of ISO 4217, such as USD"
            + ("; ROKT_BFF_DEFAULT_CURRENCY is not set" if currency in NO_CURRENCY else "")
        ]
    elif not has_minor_digits(unit_price, currency):
        digits = minor_digits(currency)
        errors[f"{name}.unitPrice"] = [f"must have at most {digits} decimals in {currency}"]
    elif total is not None and not same_to_rounding(total, unit_price * quantity, currency):
        errors[f"{name}.totalPrice"] = ["must be unitPrice times quantity"]
    if errors:
        raise invalid(errors)
    return CartItem(
        cart_item_id=item["cart_item_id"],
        catalog_item_id=item["catalog_item_id"],
        name=item.get("name") or "",
        description=item.get("description") or "",
        quantity=quantity,
        unit_price=unit_price,
        currency=currency,
        linked_product_id=item.get("linked_product_id"),
        quantity_must_be_synchronized=bool(item.get("quantity_must_be_synchronized")),
        provider_data=_held_data(item.get("provider_data")),
    )
