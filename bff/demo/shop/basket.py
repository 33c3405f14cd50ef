"""The shop's own cart: how many tickets of each category. Pure, and kept in Flask's session.

It is no part of the Cart API. The upsell lives in the BFF; the shop tells the BFF how many
tickets there are, so that a linked item (the ticket protection) follows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bff.demo.shop.catalogue import EVENT_SKU, MOST_TICKETS, TICKETS, ticket


class BadBasket(ValueError):
    """What was chosen cannot be sold; the text is for the shopper."""


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
        """What the line costs."""
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Basket:
    """The tickets that the shopper chose, in the order of the catalogue."""

    lines: tuple[TicketLine, ...] = ()

    @property
    def total(self) -> Decimal:
        """What all tickets cost."""
        return sum((line.total for line in self.lines), Decimal(0))

    @property
    def count(self) -> int:
        """How many tickets there are."""
        return sum(line.quantity for line in self.lines)

    def quantities(self) -> dict[str, int]:
        """SKU → quantity, as kept in the session."""
        return {line.sku: line.quantity for line in self.lines}

    def products(self) -> dict[str, int]:
        """What the BFF is told: each category, and the evening as a whole."""
        return {**self.quantities(), EVENT_SKU: self.count} if self.lines else {EVENT_SKU: 0}


def read_basket(quantities: Mapping[str, object]) -> Basket:
    """Make a basket of what a form or the session says.

    Raises ``BadBasket`` on a quantity that is no number, on more than the hall sells at once
    and on a category that is sold out. Unknown SKUs are left out.
    """
    lines = []
    for one in TICKETS:
        quantity = _number(quantities.get(one.sku) or 0)
        if quantity and one.left == 0:
            raise BadBasket(f"{one.name} has sold out. Please choose another category.")
        if quantity:
            lines.append(TicketLine(one.sku, one.name, one.place, quantity, one.price))
    basket = Basket(tuple(lines))
    if basket.count > MOST_TICKETS:
        raise BadBasket(
            f"You can buy up to {MOST_TICKETS} tickets at a time. You chose {basket.count}."
        )
    return basket


def from_session(quantities: object) -> Basket:
    """The basket out of the session; what no longer holds is an empty basket."""
    try:
        return read_basket(quantities if isinstance(quantities, dict) else {})
    except BadBasket:
        return Basket()


def without(basket: Basket, sku: str) -> Basket:
    """The basket without the category ``sku``."""
    return Basket(tuple(line for line in basket.lines if line.sku != sku))


def is_known(sku: str) -> bool:
    """Tell whether ``sku`` is sold here at all."""
    return ticket(sku) is not None


def _number(value: object) -> int:
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise BadBasket("Please give the number of tickets as a whole number.")
    return int(text)
