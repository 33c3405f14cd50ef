"""Reads members of JSON objects that come from outside.

The fields are strict: text is not a number, and true is not a number. ``load`` turns marshmallow's
messages into one ``InvalidInput``, which names each wrong member by its path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, ClassVar, TypeVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from bff.errors import InvalidInput
from bff.money import read_amount

T = TypeVar("T")

# The ids of Rokt's samples have 40 to 120 characters, with a provider's prefix.
MAX_ID = 200

# Payment details, for example, are a handful of short texts. The limits apply to each level of
# objects and lists, so that a JSON Schema can express them. The body's size and depth bound the
# whole.
MAX_MEMBERS = 50
MAX_MEMBER_NAME = 100
MAX_VALUE = 1000

# Below ``MAX_AMOUNT``; no currency has more than four minor digits.
AMOUNT_TEXT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,4})?")

# Printable and without control characters: ids are sent on in headers and written to logs.
ID = validate.Regexp(
    r"\A[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?\Z", error="has characters that an id cannot have"
)

# JSON can carry NUL and half a surrogate pair, which no database stores.
TEXT = validate.Regexp(r"\A[^\x00\ud800-\udfff]*\Z", error="has characters that are not text")

# Names of members that an error may repeat, where the caller chose them.
_PLAIN_ID = re.compile(rf"[A-Za-z0-9_.:\-]{{1,{MAX_ID}}}")


def member(kind: Callable[..., T], description: str, *arguments: Any, **options: Any) -> T:
    """Return a field with its description for the OpenAPI document."""
    metadata = {"description": description} | options.pop("metadata", {})
    return kind(*arguments, metadata=metadata, **options)


def text(
    most: int, description: str, rule: validate.Regexp = TEXT, least: int = 0, **options: Any
) -> fields.String:
    """Return a field for text of ``least`` to ``most`` characters that match a rule."""
    rules = [validate.Length(least or None, most), rule]
    return member(fields.String, description, validate=rules, **options)


def identifier(
    description: str, rule: validate.Regexp = ID, most: int = MAX_ID, **options: Any
) -> fields.String:
    """Return a field for an id, which is never empty."""
    return text(most, description, rule, least=1, **options)


class Number(fields.Field[Decimal]):
    """A JSON number that is not negative, read as the decimal that it was written as."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Decimal:  # noqa: ARG002
        try:
            return read_amount(_number(value))
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Quantity(fields.Field[int]):
    """A whole number, 0 or more. ``2.0`` is one; ``2.5`` and ``"2"`` are not."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:  # noqa: ARG002
        number = _number(value)
        if isinstance(number, float) and not number.is_integer():
            raise ValidationError("must be a whole number")
        if number < 0:
            raise ValidationError("must not be negative")
        return int(number)


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValidationError("must be a number")
    return value


class Switch(fields.Boolean):
    """True or false; not 0, 1.0 or text, which marshmallow's own field accepts."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:  # noqa: ARG002
        if not isinstance(value, bool):
            raise ValidationError("must be true or false")
        return value


class AmountText(fields.String):
    """An amount as decimal text without a sign, in the form of our responses: ``"12.50"``."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not AMOUNT_TEXT.fullmatch(text):
            raise ValidationError('must be a decimal number as text, such as "12.50"')
        return Decimal(text)


class ChosenNames(fields.Dict):
    """An object whose member names the caller chooses.

    Args:
        rule: What the names must match.
        longest: The length of the longest name.
        most: How many members there may be.
        repeats_ids: Whether an error may repeat a name that looks like an id. An error never
            repeats another name, such as an e-mail address, but has the member's position.
    """

    def __init__(
        self, rule: validate.Regexp, longest: int, most: int, *, repeats_ids: bool, **options: Any
    ) -> None:
        names = fields.String(validate=[validate.Length(1, longest), rule])
        super().__init__(keys=names, validate=validate.Length(max=most), **options)
        self._repeats_ids = repeats_ids

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        except ValidationError as error:
            if not isinstance(error.messages, dict):
                raise
            named = {}
            for position, key in enumerate(value):
                if key in error.messages:
                    name = id_or_position(key, position) if self._repeats_ids else str(position)
                    named[name] = error.messages[key]
            raise ValidationError(named) from None


def id_or_position(name: object, position: int) -> str:
    """Return a name that looks like an id, else the position of its member."""
    return str(name) if _PLAIN_ID.fullmatch(str(name)) else str(position)


class Members(fields.Dict):
    """An object that is sent on as it is, with limits on each of its levels."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        members = super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        _check_value(members)
        return members


def _check_value(value: Any) -> None:
    """Raise for a value that is too large, or that cannot be stored or written again."""
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
        raise ValidationError("has a number that is not finite")  # 1e400 is valid JSON


class CamelCaseSchema(Schema):
    """Base of our schemas. JSON has camelCase names, as the SDK has."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Name a field's member in the JSON, unless the field names it."""
        camel_case = re.sub(r"_(\w)", lambda match: match[1].upper(), field_name)
        field_obj.data_key = field_obj.data_key or camel_case


class Body(CamelCaseSchema):
    """Base of our request bodies. Unknown members are ignored.

    Attributes:
        example: A body for the OpenAPI document.
    """

    example: ClassVar[Mapping[str, Any] | None] = None

    class Meta:
        """The bridge may be newer than the server."""

        unknown = EXCLUDE


def load(schema: Schema, data: object) -> dict[str, Any]:
    """Validate a JSON value.

    Raises:
        InvalidInput: A member is wrong. ``errors`` names each one by its path.
    """
    try:
        loaded: dict[str, Any] = schema.load(data)  # type: ignore[arg-type]
    except ValidationError as error:
        raise InvalidInput.of_fields(_flatten(error.messages)) from None
    return loaded


def _flatten(messages: Any, path: str = "") -> dict[str, list[str]]:
    """Turn marshmallow's nested messages into ``{"updatedItem.quantity": [...]}``."""
    if isinstance(messages, Mapping):
        flat: dict[str, list[str]] = {}
        for key, inner in messages.items():
            name = "" if key == "_schema" else str(key)
            flat |= _flatten(inner, ".".join(part for part in (path, name) if part))
        return flat
    texts = messages if isinstance(messages, list) else [messages]
    return {path or "body": [str(text) for text in texts]}
