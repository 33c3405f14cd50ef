"""The messages of the Web SDK that the page's bridge passes on: cart items, strictly read.

Strictly where something is computed from them and tolerantly elsewhere: members that are not known
are passed over, and of an old item only the two ids are looked at, since the rest may be made up.
"""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from bff.cart.held_cart import CartItem, Update
from bff.config.settings import Settings
from bff.errors import InvalidInput
from bff.money import NO_CURRENCY, has_minor_digits, is_currency, minor_digits, same_to_rounding
from bff.web.schemas.fields import (
    ID,
    MAX_ID,
    TEXT,
    Body,
    Number,
    Quantity,
    Switch,
    about,
    load,
    text,
)

MAX_NAME = 500


MAX_TEXT = 5000


# "The largest seq": a page load with a million changes is no page load.
MAX_SEQ = 1_000_000_000


class Named(Schema):
    """An item by its id: all that counts of an old item, and of a removal."""

    class Meta:
        """Whatever else is there may be made up."""

        unknown = EXCLUDE

    cart_item_id = fields.String(
        data_key="cartItemId",
        required=True,
        validate=[validate.Length(1, MAX_ID), ID],
        metadata=about("The item's id in this impression, as the SDK gave it."),
    )


class SdkItem(Named):
    """A CartItem of the Web SDK that is to be held."""

    catalog_item_id = fields.String(
        data_key="catalogItemId",
        required=True,
        validate=[validate.Length(1, MAX_ID), ID],
        metadata=about("The product behind it, the same in every impression."),
    )
    name = text(MAX_NAME, "What the shopper reads as its name.")
    description = text(MAX_TEXT, "What the shopper reads of it.")
    quantity = Quantity(required=True, metadata=about("How many there are to be; 0 removes it."))
    unit_price = Number(
        data_key="unitPrice",
        required=True,
        metadata=about("Price of one as the shopper saw it, in the currency's main unit."),
    )
    total_price = Number(
        data_key="totalPrice", allow_none=True, metadata=about("Unit price times quantity.")
    )
    currency = fields.String(
        allow_none=True,
        validate=validate.Length(max=10),
        metadata=about("ISO 4217; without it, or with `$`, the server's default currency counts."),
    )
    linked_product_id = fields.String(
        data_key="linkedProductId",
        allow_none=True,
        validate=[validate.Length(1, MAX_ID), TEXT],
        metadata=about("SKU of the shop's product without which it goes too."),
    )
    quantity_must_be_synchronized = Switch(
        data_key="quantityMustBeSynchronized",
        allow_none=True,
        metadata=about("Whether there are always as many as of the linked product."),
    )


class UpdateBody(Body):
    """A message of the Web SDK: the two items of its callback, in one of two spellings."""

    updated_item = fields.Dict(
        data_key="updatedItem",
        allow_none=True,
        metadata=about("The item as it is now; null, or of quantity 0: it was removed."),
    )
    old_item = fields.Dict(
        data_key="oldItem",
        allow_none=True,
        metadata=about("The item before, of which only the ids count; null: it is new."),
    )
    cart_item = fields.Dict(
        data_key="cartItem", allow_none=True, metadata=about("Another spelling of `updatedItem`.")
    )
    old_cart_item = fields.Dict(
        data_key="oldCartItem", allow_none=True, metadata=about("Another spelling of `oldItem`.")
    )
    page = fields.UUID(
        allow_none=True, metadata=about("An id that the page made when it was loaded.")
    )
    seq = fields.Integer(
        strict=True,
        validate=validate.Range(1, MAX_SEQ),
        allow_none=True,
        metadata=about("Counts this page's messages: what is not newer changes nothing."),
    )
    rokt_session_id = fields.String(
        data_key="roktSessionId",
        validate=[validate.Length(1, 128), ID],
        allow_none=True,
        metadata=about("Rokt's session, from the selection's `context.sessionId`."),
    )
    preselected = Switch(
        allow_none=True,
        metadata=about("It came before the placement was interactive: no doing of the shopper's."),
    )


def load_update(data: object, settings: Settings) -> tuple[Update, str | None]:
    """Read an update and Rokt's session id, where the page told it.

    Raises ``InvalidInput`` that names each wrong field as the body spells it.
    """
    body = load(UpdateBody(), data)
    current = "updated_item" in body or "old_item" in body
    first = "cart_item" in body or "old_cart_item" in body
    if current and first:
        raise InvalidInput.of_fields(
            {"cartItem": ["cannot stand beside updatedItem: use one spelling"]}
        )
    if current:
        new_name, updated, old = "updatedItem", body.get("updated_item"), body.get("old_item")
    elif first:
        new_name, updated, old = "cartItem", body.get("cart_item"), body.get("old_cart_item")
    else:
        missing = "is missing: send it and the old item, each an item or null"
        raise InvalidInput.of_fields({"updatedItem": [missing]})
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


def _quantity_of(item: Any, name: str) -> int:
    """Read the quantity first: of an item with quantity 0 the rest is empty."""
    schema = SdkItem(only=["quantity"])
    quantity: int = _load_item(schema, item, name)["quantity"]
    return quantity


def _load_item(schema: Schema, item: object, name: str) -> dict[str, Any]:
    try:
        return load(schema, item)
    except InvalidInput as error:
        raise InvalidInput.of_fields(
            {f"{name}.{field}": x for field, x in error.errors.items()}
        ) from None


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
        raise InvalidInput.of_fields(errors)
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
    )
