"""How our marshmallow fields look as JSON Schema, where apispec does not know; and examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from bff.money import MAX_AMOUNT
from bff.web.schemas.fields import (
    AMOUNT_TEXT,
    MAX_MEMBER_NAME,
    MAX_MEMBERS,
    MAX_VALUE,
    AmountText,
    Members,
    Number,
    Quantity,
)

# JSON Schema's patterns are JavaScript's. Half a surrogate pair is no JSON to begin with.
_PATTERNS = ((r"\A", "^"), (r"\Z", "$"), (r"\x00\ud800-\udfff", r"\u0000"))


_PARKING = {
    "cartItemId": "v1:2f1b4c1e-8f0c-4f6e-9a53-0b4f4bb2b1f0:parking.standard",
    "catalogItemId": "parking.standard",
    "name": "Evening parking",
    "description": "A space in the garage.",
    "quantity": 2,
    "unitPrice": 12.5,
    "totalPrice": 25.0,
    "currency": "USD",
}


_ITEM = {"$ref": "#/components/schemas/SdkItem"}


_NAMED = {"$ref": "#/components/schemas/ItemId"}


_NOTHING = {"type": "null"}


# An updated item of quantity 0 is a removal: of the rest only its id is read.
_REMOVAL = {
    "allOf": [_NAMED],
    "type": "object",
    "required": ["quantity"],
    "properties": {"quantity": {"const": 0}},
}


_UPDATED = {"anyOf": [_ITEM, _REMOVAL, _NOTHING]}


_OLD = {"anyOf": [_NAMED, _NOTHING]}


# What marshmallow's classes cannot say of these two bodies, for the reader is more than a schema.
_CURRENT = {"anyOf": [{"required": ["updatedItem"]}, {"required": ["oldItem"]}]}


_FIRST = {"anyOf": [{"required": ["cartItem"]}, {"required": ["oldCartItem"]}]}


UPDATE: Mapping[str, Any] = {"oneOf": [_CURRENT, _FIRST]}


UPDATED: Mapping[str, Any] = {
    "updatedItem": _UPDATED, "cartItem": _UPDATED, "oldItem": _OLD, "oldCartItem": _OLD,
}  # fmt: skip


PRESS: Mapping[str, Any] = {
    "required": ["purchaseId", "upsellItems"],
    "properties": {
        "purchaseId": {
            "type": "string",
            "format": "uuid",
            "description": "An id of the press: what comes again with it is a repetition.",
        },
        "upsellItems": {
            "type": "array",
            "minItems": 1,
            "items": _ITEM,
            "description": "What is to be bought.",
        },
        "totalUpsellPrice": {
            "type": ["number", "null"],
            "minimum": 0,
            "description": "The sum, as the shopper saw it.",
        },
        "currency": {
            "type": ["string", "null"],
            "maxLength": 10,
            "description": "Not looked at.",
        },
    },
}


# What the members of an object are whose names the caller gives, at whatever depth.
_TEXT = {"type": "string", "pattern": r"^[^\u0000]*$"}


_MEMBER = {"$ref": "#/components/schemas/ExtraValue"}


_MEMBERS: dict[str, Any] = {
    "maxProperties": MAX_MEMBERS,
    "propertyNames": {**_TEXT, "maxLength": MAX_MEMBER_NAME},
    "additionalProperties": _MEMBER,
}


MEMBER: Mapping[str, Any] = {
    "description": "Any JSON, of a bounded size on each level.",
    "anyOf": [
        {"type": ["null", "boolean", "number"]},
        {**_TEXT, "maxLength": MAX_VALUE},
        {"type": "array", "maxItems": MAX_MEMBERS, "items": _MEMBER},
        {"type": "object", **_MEMBERS},
    ],
}


_HANDLE = "Qm9keSBvZiAyNTYgcmFuZG9tIGJpdHMgZm9yIHVzZQ0"


_UUID = "0b4f4bb2-8f0c-4f6e-9a53-2f1b4c1eb1f0"


EXAMPLES: Mapping[str, Any] = {
    "/cart/updates": {"updatedItem": _PARKING, "oldItem": None, "page": _UUID, "seq": 1},
    "/placements/any": {"pageIdentifier": "checkout.upsell", "attributes": {"country": "US"}},
    "/cart/reserve": {"acceptPrices": {_PARKING["cartItemId"]: "13.00"}},
    "/orders": {"handle": _HANDLE, "orderId": "A-1001", "quoteId": None},
    "/orders/{order_id}/cancel": {"cartItemId": _PARKING["cartItemId"]},
    "/products": {"handle": _HANDLE, "quantities": {"ticket.stalls": 2}},
    "/purchases": {
        "handle": _HANDLE, "purchaseId": _UUID, "upsellItems": [_PARKING],
        "totalUpsellPrice": 25.0, "currency": "USD",
    },
}  # fmt: skip


def complete(schemas: dict[str, Any]) -> None:
    """Add to the document's schemas what marshmallow's classes cannot say."""
    schemas["ExtraValue"] = MEMBER
    update, purchase = schemas["UpdateBody"], schemas["PurchaseBody"]
    update |= UPDATE
    for name, rule in UPDATED.items():
        update["properties"][name] = {
            "description": update["properties"][name]["description"],
            **rule,
        }
    purchase["properties"] |= PRESS["properties"]
    purchase["required"] += PRESS["required"]


def as_json_schema(
    _: object, field: fields.Field[Any], ret: dict[str, Any], **__: Any
) -> dict[str, Any]:
    """Mend what the library makes of a field; ``ret`` is the property so far.

    Amounts are decimal text, which has no bounds; an object's size is counted in properties,
    and its keys have rules too.
    """
    if isinstance(field, Number):
        kind = ["number", "null"] if field.allow_none else "number"
        return {"type": kind, "minimum": 0, "maximum": int(MAX_AMOUNT)}
    if isinstance(field, Quantity):
        return {"type": "integer", "minimum": 0}
    if isinstance(field, AmountText):
        return {"pattern": f"^{AMOUNT_TEXT.pattern}$"}
    if isinstance(field, fields.Decimal):
        ret.pop("minimum", None)
        ret.pop("maximum", None)
        return {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
    if isinstance(field, Members):
        return _MEMBERS
    if isinstance(field, fields.Dict):
        sized = {"maxProperties": ret.pop("maxLength")} if "maxLength" in ret else {}
        return sized | ({"propertyNames": names} if (names := _names(field)) else {})
    if "pattern" in ret:
        return {"pattern": _pattern(ret["pattern"])}
    return {}


def _names(field: fields.Dict) -> dict[str, Any]:
    """What the keys of an object must be like."""
    rules: dict[str, Any] = {}
    for rule in field.key_field.validators if field.key_field is not None else ():
        if isinstance(rule, validate.Length):
            rules |= {"minLength": rule.min or 0, "maxLength": rule.max}
        elif isinstance(rule, validate.Regexp):
            rules["pattern"] = _pattern(str(rule.regex.pattern))
    return rules


def _pattern(text: str) -> str:
    for ours, theirs in _PATTERNS:
        text = text.replace(ours, theirs)
    return text
