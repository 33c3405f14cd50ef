"""Our marshmallow fields as JSON Schema, where apispec does not know them."""

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
from bff.web.schemas.sdk_items import UpdatedItem

# JSON Schema's patterns are JavaScript's. Half a surrogate pair is not JSON in the first place.
_PATTERNS = ((r"\A", "^"), (r"\Z", "$"), (r"\x00\ud800-\udfff", r"\u0000"))

_UPDATED_ITEM: Mapping[str, Any] = {
    "anyOf": [
        {"$ref": "#/components/schemas/SdkItem"},
        {
            "allOf": [{"$ref": "#/components/schemas/ItemId"}],
            "type": "object",
            "required": ["quantity"],
            "properties": {"quantity": {"const": 0}},
        },
        {"type": "null"},
    ]
}

# The members of an update's body have one of two spellings: see ``read_update``.
ONE_SPELLING: Mapping[str, Any] = {
    "oneOf": [
        {"anyOf": [{"required": ["updatedItem"]}, {"required": ["oldItem"]}]},
        {"anyOf": [{"required": ["cartItem"]}, {"required": ["oldCartItem"]}]},
    ]
}

_TEXT = {"type": "string", "pattern": r"^[^\u0000]*$"}
_EXTRA_REFERENCE = {"$ref": "#/components/schemas/ExtraValue"}
_MEMBERS: dict[str, Any] = {
    "maxProperties": MAX_MEMBERS,
    "propertyNames": {**_TEXT, "maxLength": MAX_MEMBER_NAME},
    "additionalProperties": _EXTRA_REFERENCE,
}

# A member of an object whose names the caller chooses, on each level.
EXTRA_VALUE: dict[str, Any] = {
    "description": "Any JSON, with a limited size on each level.",
    "anyOf": [
        {"type": ["null", "boolean", "number"]},
        {**_TEXT, "maxLength": MAX_VALUE},
        {"type": "array", "maxItems": MAX_MEMBERS, "items": _EXTRA_REFERENCE},
        {"type": "object", **_MEMBERS},
    ],
}


def as_json_schema(
    _: object, field: fields.Field[Any], ret: dict[str, Any], **__: Any
) -> dict[str, Any]:
    """Correct apispec's JSON Schema of a field.

    Amounts are decimal text, which has no bounds. The size of an object is counted in properties,
    and its names have rules too.

    Args:
        field: The field.
        ret: Its JSON Schema so far; apispec fixes the parameter's name.
    """
    if isinstance(field, UpdatedItem):
        return dict(_UPDATED_ITEM)
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
    """Return the rules for the names of an object's members."""
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
