"""What a shop's own view passes to a verb, in whatever form Python has it.

Before the charge a wrong argument is refused by name, so that the shop finds it while it is
being written. After the charge nothing is: a paid order must not fail for what comes with it.
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
from bff.web.schemas.fields import id_or_position

log = logging.getLogger(__name__)


# As deep as a body may be, and whole numbers that can be printed (Python prints 4300 digits,
# some 14,000 bits).
MAX_LEVELS = 32


MAX_BITS = 10_000


# Python reads more as a decimal: ``1_0``, the digits of other scripts, spaces around it.
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def order_id_text(order_id: object) -> str:
    """Return an order's id as text. Raises ``InvalidInput`` for what is none: None, True, b"7", 0.

    How long it may be is for who keeps it.
    """
    if order_id is None or isinstance(order_id, bool | bytes) or order_id in (0, ""):
        raise InvalidInput.of_fields({"orderId": ["must be the order's id, text or a number"]})
    return str(order_id)


def text(name: str, value: object) -> str:
    """Return an argument that is text. Raises ``InvalidInput`` that names it for anything else."""
    if not isinstance(value, str):
        raise InvalidInput.of_fields({name: ["must be text"]})
    return value


def text_or_none(name: str, value: object) -> str | None:
    """Return an argument that is text or None. Raises ``InvalidInput`` that names it."""
    return None if value is None else text(name, value)


def switch_or_none(name: str, value: object) -> bool | None:
    """Return an argument that is True, False or None. Raises ``InvalidInput`` that names it."""
    if value is not None and not isinstance(value, bool):
        raise InvalidInput.of_fields({name: ["must be true or false"]})
    return value


def texts(attributes: object) -> dict[str, str]:
    """Return what a shop says of a shopper as Rokt takes it, a number as text; None is nothing.

    Raises ``InvalidInput`` for what is no mapping.
    """
    if attributes is None:
        return {}
    if not isinstance(attributes, Mapping):
        raise InvalidInput.of_fields({"attributes": ["must be texts by their names"]})
    return {_text_of(name): _text_of(value) for name, value in attributes.items()}


def read_prices(prices: object) -> dict[str, Decimal]:
    """Read the unit prices that the shopper took, by cart item id; None is none.

    Raises ``InvalidInput`` that names the item, by its place when a page made its id up.
    """
    if prices is None:
        return {}
    if not isinstance(prices, Mapping):
        raise InvalidInput.of_fields(
            {"acceptPrices": ["must be cart item ids with their unit prices"]}
        )
    read: dict[str, Decimal] = {}
    for place, (cart_item_id, price) in enumerate(prices.items()):
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


def mapping(name: str, given: object) -> Mapping[Any, Any]:
    """Return what comes with a paid order; what is no mapping is left out, and the log told."""
    if given is None or isinstance(given, Mapping):
        return given or {}
    log.error(
        "what a confirm has as %s is left out: it is no mapping but %s", name, type(given).__name__
    )
    return {}


def plain(value: object, outer: tuple[int, ...] = ()) -> Any:
    """Return what comes with a paid order as JSON has it, without raising.

    Names are text, sets and tuples are lists, and what JSON has no form for is its text: a date,
    a number that is none. ``outer``: the ids of what it stands in. What stands in itself, or
    deeper than any body may, is left out for an ellipsis.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and value.bit_length() <= MAX_BITS:
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if not isinstance(value, Mapping | list | tuple | set | frozenset):
        return _text_of(value)
    if id(value) in outer or len(outer) >= MAX_LEVELS:
        return "…"
    here = (*outer, id(value))
    if isinstance(value, Mapping):
        return {_text_of(name): plain(one, here) for name, one in value.items()}
    # The bytes of a call are fixed once, so a set's order needs no rule.
    return [plain(one, here) for one in value]


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception:  # whatever a class of the shop's does, or a number of thousands of digits
        return type(value).__name__
