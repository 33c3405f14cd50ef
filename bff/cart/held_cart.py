"""The held cart: its lines, and what it remembers of earlier messages. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

# Remembered catalogue items that were held once, so that a preselection does not restore them.
MAX_KNOWN = 400


@dataclass(frozen=True, slots=True)
class CartItem:
    """An item as the Web SDK sends it; the prices are those that the shopper saw."""

    cart_item_id: str
    catalog_item_id: str
    name: str
    description: str
    quantity: int
    unit_price: Decimal
    currency: str
    linked_product_id: str | None = None
    quantity_must_be_synchronized: bool = False

    @property
    def total_price(self) -> Decimal:
        """Unit price × quantity. The browser's own total is only checked against it."""
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class Line:
    """A held item.

    Attributes:
        revision: The cart's version at the last change that a reservation depends on. A reservation
            of another revision is stale.
        page: The page load that set it last.
        former: The cart item ids that it had before, oldest first. Another tab may still use one.
    """

    item: CartItem
    revision: int
    page: str | None = None
    former: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldCart:
    """The cart that a session holds.

    Attributes:
        version: Grows with each change.
        removed: The catalogue items that were removed from this cart, oldest first.
        known: The catalogue items that this session has ever held, oldest first.
        seen: Page load → cart item id → the last ``seq`` that was applied. It keeps removed ids.
        products: SKU → quantity of the shop's own products. None: the shop sent none.
    """

    cart_id: str
    version: int = 0
    lines: tuple[Line, ...] = ()
    removed: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    seen: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    products: Mapping[str, int] | None = None

    def line(self, cart_item_id: str | None) -> Line | None:
        """Return the line of this item, or None."""
        return next((x for x in self.lines if x.item.cart_item_id == cart_item_id), None)

    def put(self, line: Line, place: Line | None) -> HeldCart:
        """Return the cart with a line in the place of another one, or at the end."""
        if place is None:
            return replace(self, lines=(*self.lines, line))
        return replace(self, lines=tuple(line if x is place else x for x in self.lines))

    def without(self, line: Line) -> HeldCart:
        """Return the cart without a line."""
        return replace(self, lines=tuple(x for x in self.lines if x is not line))

    def remove(self, line: Line | None) -> HeldCart:
        """Return the cart without a line, which is noted in ``removed``."""
        if line is None:
            return self
        removed = add_newest(self.removed, line.item.catalog_item_id)
        return replace(self.without(line), removed=removed)


def add_newest(ids: tuple[str, ...], new: str) -> tuple[str, ...]:
    """Return the last ``MAX_KNOWN`` ids, with the new one at the end."""
    return (*(x for x in ids if x != new), new)[-MAX_KNOWN:]


def after_confirm(cart: HeldCart, quoted_version: int, new_cart_id: str) -> HeldCart:
    """Return the next cart: only the lines that were added or changed after the quote.

    The shop's products were of the cart that was bought, so they are forgotten. An item that is
    linked to them may still be offered after the payment.
    """
    return replace(
        cart,
        cart_id=new_cart_id,
        version=cart.version + 1,
        lines=tuple(line for line in cart.lines if line.revision > quoted_version),
        removed=(),
        products=None,
    )
