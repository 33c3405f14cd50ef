"""Reads what a shop's view passes to a verb.

Before the charge, a wrong argument is refused by its name. After the charge, none is: a paid order
must not fail because of what the shop passes along.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from bff.errors import InvalidInput
from bff.money import read_amount
from bff.web.json_body import MAX_DEPTH
from bff.web.schemas.fields import id_or_position

log = logging.getLogger(__name__)

_MUST_BE: Mapping[type, str] = {
    str: "must be text",
    bool: "must be true or false",
    Mapping: "must be a mapping",
}

# Python refuses to print a number of more than 4,300 digits, which are some 14,000 bits.
_MAX_BITS = 10_000

# Python reads more as a decimal: ``1_0``, the digits of other scripts, spaces around it.
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def required(name: str, value: object, kind: type) -> Any:
    """Return an argument of a type. Raises ``InvalidInput`` for any other."""
    if not isinstance(value, kind):
        raise InvalidInput.of_fields({name: [_MUST_BE[kind]]})
    return value


def optional(name: str, value: object, kind: type) -> Any:
    """Return an argument of a type, or None. Raises ``InvalidInput`` for any other."""
    return None if value is None else required(name, value, kind)


def order_id_text(order_id: object) -> str:
    """Return an order's id as text. Raises ``InvalidInput`` for None, True, b"7", 0 and ""."""
    if order_id is None or isinstance(order_id, bool | bytes) or order_id in (0, ""):
        raise InvalidInput.of_fields({"orderId": ["must be the order's id, text or a number"]})
    return str(order_id)


def texts(attributes: object) -> dict[str, str]:
    """Return the attributes of a shopper; names and values become text, None an empty mapping."""
    given = optional("attributes", attributes, Mapping) or {}
    return {_text_of(name): _text_of(value) for name, value in given.items()}


def read_prices(prices: object) -> dict[str, Decimal]:
    """Return the accepted unit prices by cart item id. A wrong one is named by its id or place."""
    read: dict[str, Decimal] = {}
    given = optional("acceptPrices", prices, Mapping) or {}
    for place, (cart_item_id, price) in enumerate(given.items()):
        try:
            read[str(cart_item_id)] = _price(price)
        except ValueError as error:
            field = f"acceptPrices.{id_or_position(cart_item_id, place)}"
            raise InvalidInput.of_fields({field: [str(error)]}) from None
    return read


def _price(price: object) -> Decimal:
    if isinstance(price, str) and _DECIMAL.fullmatch(price):
        return read_amount(Decimal(price))
    if isinstance(price, Decimal | int | float) and not isinstance(price, bool):
        return read_amount(price)
    raise ValueError('must be a decimal number, such as "12.50"')


def mapping_or_empty(name: str, value: object) -> Mapping[Any, Any]:
    """Return an argument of a paid order. One that is not a mapping is logged and left out."""
    if value is None or isinstance(value, Mapping):
        return value or {}
    log.error("confirm: %s must be a mapping, not %s; left out", name, type(value).__name__)
    return {}


def plain(value: object, outer: tuple[int, ...] = ()) -> Any:
    """Return a value of a paid order as JSON can have it, without raising.

    Sets and tuples become lists; names, dates, NaN and other objects become text. A value that
    contains itself, or is nested too deep, becomes an ellipsis. ``outer``: ids of its containers.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and value.bit_length() <= _MAX_BITS:
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if not isinstance(value, Mapping | list | tuple | set | frozenset):
        return _text_of(value)
    if id(value) in outer or len(outer) >= MAX_DEPTH:
        return "…"
    here = (*outer, id(value))
    if isinstance(value, Mapping):
        return {_text_of(name): plain(one, here) for name, one in value.items()}
    # The bytes of a call are fixed once, so a set's order needs no rule.
    return [plain(one, here) for one in value]


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception:  # a shop's own class, or a number of thousands of digits
        return type(value).__name__
