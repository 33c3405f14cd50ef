"""Linked items follow the shop's own products, as the shop last sent them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from bff.cart.held_cart import CartItem, HeldCart
from bff.errors import InvalidInput

# The products are stored with the session. This is ten times the lines of a held cart.
MAX_PRODUCTS = 500

# As long as an item's linkedProductId may be, and of the same characters.
MAX_SKU = 200
_SKU = re.compile(rf"[^\x00\ud800-\udfff]{{1,{MAX_SKU}}}")


def check_products(quantities: Mapping[str, int], most: int) -> None:
    """Raise ``InvalidInput`` for too many products, a wrong SKU or a wrong quantity."""
    if not isinstance(quantities, Mapping):
        raise InvalidInput.of_fields({"quantities": ["must be SKUs with their quantities"]})
    if len(quantities) > MAX_PRODUCTS:
        wrong = f"must name at most {MAX_PRODUCTS} products"
        raise InvalidInput.of_fields({"quantities": [wrong]})
    errors: dict[str, list[str]] = {}
    for sku, quantity in quantities.items():
        is_whole = isinstance(quantity, int) and not isinstance(quantity, bool)
        if not isinstance(sku, str) or not _SKU.fullmatch(sku):
            wrong = f"must be named by a SKU of 1 to {MAX_SKU} characters"
            errors[f"quantities.{str(sku)[:MAX_SKU]}"] = [wrong]
        elif not is_whole or not 0 <= quantity <= most:
            errors[f"quantities.{sku}"] = [f"must be a whole number from 0 to {most}"]
    if errors:
        raise InvalidInput.of_fields(errors)


def follow_products(cart: HeldCart, quantities: Mapping[str, int]) -> HeldCart:
    """Return the cart after a change of the shop's products; the same object if nothing changes.

    A line leaves with its product. A line with ``quantityMustBeSynchronized`` takes the product's
    quantity. Later messages follow the same products.

    Args:
        cart: The held cart.
        quantities: SKU → quantity of all products in the shop's cart. 0 is like a missing one.
    """
    products = {sku: quantity for sku, quantity in quantities.items() if quantity > 0}
    if products == cart.products:
        return cart
    changed = replace(cart, products=products, version=cart.version + 1)
    for line in cart.lines:
        item = follow_product(changed, line.item)
        if item is None:
            changed = changed.remove(line)
        elif item != line.item:
            changed = changed.put(replace(line, item=item, revision=changed.version), line)
    return changed


def follow_product(cart: HeldCart, item: CartItem) -> CartItem | None:
    """Return an item with the quantity of its product; None if the product is missing."""
    sku = item.linked_product_id
    if sku is None or cart.products is None:
        return item
    quantity = cart.products.get(sku, 0)
    if quantity and item.quantity_must_be_synchronized:
        return replace(item, quantity=quantity)
    return item if quantity else None
