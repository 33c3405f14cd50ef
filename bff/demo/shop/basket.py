"""The shop's own cart: how many tickets of each category. Pure. Stored in Flask's session.

It is not part of the Cart API. The BFF holds the upsell. The shop sends the BFF the number of
tickets, so that a linked item (ticket protection) has the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bff.demo.shop.catalogue import EVENT_SKU, MAX_TICKETS, TICKETS, ticket


class BadBasket(ValueError):
    """The chosen tickets cannot be sold. The text is for the shopper."""


@dataclass(frozen=True, slots=True)
class TicketLine:
    """``quantity`` tickets of one category."""

    sku: str
    name: str
    place: str
    quantity: int
    price: Decimal

    @property
    def total(self) -> Decimal:
        """The price of the line."""
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Basket:
    """The tickets that the shopper chose, in the order of the catalogue."""

    lines: tuple[TicketLine, ...] = ()

    @property
    def total(self) -> Decimal:
        """The price of all tickets."""
        return sum((line.total for line in self.lines), Decimal(0))

    @property
    def count(self) -> int:
        """The number of tickets."""
        return sum(line.quantity for line in self.lines)

    def quantities(self) -> dict[str, int]:
        """Return the quantity by SKU, as stored in the session."""
        return {line.sku: line.quantity for line in self.lines}

    def products(self) -> dict[str, int]:
        """Return the quantities for the BFF: of each category, and of the event."""
        return {**self.quantities(), EVENT_SKU: self.count} if self.lines else {EVENT_SKU: 0}


def read_basket(quantities: Mapping[str, object]) -> Basket:
    """Build a basket from the quantities of a form or the session, by SKU.

    Unknown SKUs are ignored.

    Raises:
        BadBasket: A quantity is not a number, a category is sold out, or the tickets are too many.
    """
    lines = []
    for one in TICKETS:
        quantity = _number(quantities.get(one.sku) or 0)
        if quantity and one.left == 0:
            raise BadBasket(f"{one.name} has sold out. Please choose another category.")
        if quantity:
            lines.append(TicketLine(one.sku, one.name, one.place, quantity, one.price))
    basket = Basket(tuple(lines))
    if basket.count > MAX_TICKETS:
        raise BadBasket(
            f"You can buy up to {MAX_TICKETS} tickets at a time. You chose {basket.count}."
        )
    return basket


def from_session(quantities: object) -> Basket:
    """Return the basket of the session, or an empty one if it is no longer valid."""
    try:
        return read_basket(quantities if isinstance(quantities, dict) else {})
    except BadBasket:
        return Basket()


def without(basket: Basket, sku: str) -> Basket:
    """Return the basket without the category ``sku``."""
    return Basket(tuple(line for line in basket.lines if line.sku != sku))


def is_known(sku: str) -> bool:
    """Tell whether the shop has the category ``sku``."""
    return ticket(sku) is not None


def _number(value: object) -> int:
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise BadBasket("Please enter the number of tickets as a whole number.")
    return int(text)
