"""Reads the Web SDK's cart items, which the page's bridge sends on.

Members that we compute with are read strictly, others tolerantly. Unknown members are ignored. Of
an old item only its two ids are read, because the SDK may make up the rest.
"""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import fields, validate

from bff.cart.held_cart import CartItem
from bff.cart.updates import Update
from bff.config.settings import Settings
from bff.errors import InvalidInput
from bff.money import NO_CURRENCY, has_minor_digits, is_currency, minor_digits, same_to_rounding
from bff.web.schemas.fields import TEXT, Body, Number, Quantity, Switch, identifier, member, text

MAX_NAME = 500
MAX_TEXT = 5000

# The largest ``seq``. A page load with a million changes does not exist.
MAX_SEQ = 1_000_000_000

# Samples for the OpenAPI document.
PARKING = {
    "cartItemId": "v1:2f1b4c1e-8f0c-4f6e-9a53-0b4f4bb2b1f0:parking.standard",
    "catalogItemId": "parking.standard",
    "name": "Evening parking",
    "description": "A space in the garage.",
    "quantity": 2,
    "unitPrice": 12.5,
    "totalPrice": 25.0,
    "currency": "USD",
}
UUID = "0b4f4bb2-8f0c-4f6e-9a53-2f1b4c1eb1f0"


class ItemId(Body):
    """An item by its ids, which are all that is read of an old item or a removal."""

    cart_item_id = identifier("The item's id in this impression, from the SDK.", required=True)
    catalog_item_id: fields.Field[Any] = member(
        fields.Raw, "The product's id. A value that is not text is ignored.", allow_none=True
    )


class SdkItem(ItemId):
    """A CartItem of the Web SDK that is to be held."""

    catalog_item_id = identifier("The product's id, the same in every impression.", required=True)
    name = text(MAX_NAME, "The name that the shopper reads.", allow_none=True)
    description = text(MAX_TEXT, "The description that the shopper reads.", allow_none=True)
    quantity = member(Quantity, "The new quantity; 0 removes the item.", required=True)
    unit_price = member(
        Number, "Price of one as the shopper saw it, in the currency's main unit.", required=True
    )
    total_price = member(Number, "Unit price times quantity.", allow_none=True)
    currency = member(
        fields.String,
        "ISO 4217. Without it, or with `$`, the server's default currency counts.",
        allow_none=True,
        validate=validate.Length(max=10),
    )
    linked_product_id = identifier(
        "SKU of the shop's product. The item leaves the cart with that product.",
        TEXT,
        allow_none=True,
    )
    quantity_must_be_synchronized = member(
        Switch, "Whether the quantity is always that of the linked product.", allow_none=True
    )


class UpdatedItem(fields.Field[dict[str, Any]]):
    """An item to hold, or one of quantity 0: a removal, of which only the id is read."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ARG002
        is_removal = SdkItem(only=["quantity"]).load(value)["quantity"] == 0
        item: dict[str, Any] = (ItemId() if is_removal else SdkItem()).load(value)
        return item


def _old_item(description: str) -> fields.Nested:
    return member(fields.Nested, description, ItemId, allow_none=True)


class UpdateBody(Body):
    """A message of the Web SDK: the two items of its callback, in one of two spellings."""

    example: ClassVar = {"updatedItem": PARKING, "oldItem": None, "page": UUID, "seq": 1}

    updated_item = member(
        UpdatedItem, "The item as it is now. Null or quantity 0: it was removed.", allow_none=True
    )
    old_item = _old_item("The item before, of which only the ids count. Null: the item is new.")
    cart_item = member(UpdatedItem, "Another spelling of `updatedItem`.", allow_none=True)
    old_cart_item = _old_item("Another spelling of `oldItem`.")
    page = member(fields.UUID, "An id that the page made when it was loaded.", allow_none=True)
    seq = member(
        fields.Integer,
        "Counts this page's messages. A message that is not newer is ignored.",
        strict=True,
        validate=validate.Range(1, MAX_SEQ),
        allow_none=True,
    )
    rokt_session_id = identifier(
        "Rokt's session, from the selection's `context.sessionId`.", most=128, allow_none=True
    )
    preselected = member(
        Switch,
        "The message came before the placement was interactive, so not from the shopper.",
        allow_none=True,
    )


def read_update(body: dict[str, Any], settings: Settings) -> tuple[Update, str | None]:
    """Turn an ``UpdateBody`` into an update and Rokt's session id, if the page sent one.

    Raises:
        InvalidInput: A member is wrong. ``errors`` names it as the body spells it.
    """
    is_current = not body.keys().isdisjoint(("updated_item", "old_item"))
    is_first = not body.keys().isdisjoint(("cart_item", "old_cart_item"))
    if is_current and is_first:
        raise InvalidInput.of_fields(
            {"cartItem": ["cannot stand beside updatedItem: use one spelling"]}
        )
    if not is_current and not is_first:
        missing = "is missing: send it and the old item, each an item or null"
        raise InvalidInput.of_fields({"updatedItem": [missing]})
    name = "updatedItem" if is_current else "cartItem"
    updated = body.get("updated_item" if is_current else "cart_item")
    old = body.get("old_item" if is_current else "old_cart_item") or {}
    item = removed_id = removed_catalog_id = None
    if updated is None:
        removed_id = old.get("cart_item_id")
        catalog_item_id = old.get("catalog_item_id")
        removed_catalog_id = catalog_item_id if isinstance(catalog_item_id, str) else None
    elif "quantity" in updated:
        item = read_item(updated, name, settings)
    else:
        removed_id = updated["cart_item_id"]
    page = body.get("page")
    update = Update(
        item=item,
        removed_id=removed_id,
        removed_catalog_id=removed_catalog_id,
        old_id=old.get("cart_item_id"),
        page=str(page) if page else None,
        seq=body.get("seq"),
        preselected=bool(body.get("preselected")),
        name=name,
    )
    return update, body.get("rokt_session_id")


def read_item(item: dict[str, Any], name: str, settings: Settings) -> CartItem:
    """Turn an ``SdkItem`` into an item to hold.

    Args:
        item: The item, validated by the schema.
        name: What the body calls the item.
        settings: The limits and the default currency.

    Raises:
        InvalidInput: A member breaks a limit or contradicts another one.
    """
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
