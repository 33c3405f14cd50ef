"""The kinds of members that JSON from outside may have, and what is said of a wrong one.

Strict: a number is no text, true is no number. ``load`` turns marshmallow's messages into one
``InvalidInput`` that names each member by its path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from bff.errors import InvalidInput
from bff.money import read_amount

# The ids of Rokt's samples have 40 to 120 characters, with a provider's prefix.
MAX_ID = 200


# Payment details, say: a handful of short texts. On each level of objects and lists, so that
# the description can say it too; the body's size and depth bound the whole.
MAX_MEMBERS = 50


MAX_MEMBER_NAME = 100


MAX_VALUE = 1000


# Below ``MAX_AMOUNT``; no currency has more than four minor digits.
AMOUNT_TEXT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,4})?")


# What is printable, and no control characters: ids end up in headers and logs of others.
ID = validate.Regexp(r"\A[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?\Z", error="has odd characters")


# JSON can carry half a surrogate pair and NUL, which no database keeps.
TEXT = validate.Regexp(r"\A[^\x00\ud800-\udfff]*\Z", error="has characters that are no text")


_PLAIN_ID = re.compile(rf"[A-Za-z0-9_.:\-]{{1,{MAX_ID}}}")


# Objects whose members the caller names, and which of these names an error may repeat.
_MADE_UP = {
    "attributes": re.compile(r"(?!)"),  # none
    "acceptPrices": _PLAIN_ID,
    "quantities": _PLAIN_ID,  # of products
}


def about(text: str) -> dict[str, str]:
    """Say what a member is, for the description of the interface."""
    return {"description": text}


def text(most: int, what: str) -> fields.String:
    """Make a member that is text of up to ``most`` characters; null is none."""
    rules = [validate.Length(max=most), TEXT]
    return fields.String(validate=rules, allow_none=True, metadata=about(what))


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


class Members(fields.Dict):
    """An object whose members the caller names, passed on as they are: bounded on each level."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        members = super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        _check_value(members)
        return members


def _check_value(value: Any) -> None:
    """Refuse what is too large to be kept, or could be read but not be written again."""
    if isinstance(value, dict | list):
        if len(value) > MAX_MEMBERS:
            raise ValidationError(f"has more than {MAX_MEMBERS} members on one level")
        if any(len(name) > MAX_MEMBER_NAME for name in value if isinstance(value, dict)):
            raise ValidationError(f"has a name of more than {MAX_MEMBER_NAME} characters")
        for one in (*value, *value.values()) if isinstance(value, dict) else value:
            _check_value(one)
    if isinstance(value, str):
        if len(value) > MAX_VALUE:
            raise ValidationError(f"has a text of more than {MAX_VALUE} characters")
        TEXT(value)
    if isinstance(value, float) and not isfinite(value):
        raise ValidationError("has a number that is none")  # 1e400 can be read


class Body(Schema):
    """Base of our request bodies: members that are not known are passed over."""

    class Meta:
        """The bridge may be newer than the server."""

        unknown = EXCLUDE


def load(schema: Schema, data: object) -> dict[str, Any]:
    """Validate a JSON value. Raises ``InvalidInput`` that names each field."""
    try:
        loaded: dict[str, Any] = schema.load(data)  # type: ignore[arg-type]
    except ValidationError as error:
        raise InvalidInput.of_fields(flatten(_numbered(error.messages, data))) from None
    return loaded


def _numbered(messages: Any, data: object) -> Any:
    """Name members by their place whose names a caller made up: an error must not repeat them.

    An e-mail address can be an attribute's name as well as its value.
    """
    if not isinstance(messages, Mapping) or not isinstance(data, Mapping):
        return messages
    told = dict(messages)
    for name in _MADE_UP:
        inner, given = messages.get(name), data.get(name)
        if isinstance(inner, Mapping) and isinstance(given, Mapping):
            places = {key: place for place, key in enumerate(given)}
            told[name] = {
                may_name(name, key, places[key]) if key in places else key: said
                for key, said in inner.items()
            }
    return told


def may_name(made_up: str, key: object, place: int) -> str:
    """Return a member's name, or its place where the name must not be repeated."""
    return str(key) if _MADE_UP[made_up].fullmatch(str(key)) else str(place)


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
