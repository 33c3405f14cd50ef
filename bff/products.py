"""The shop's own products: what is linked to them in the held cart follows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bff.cart import HeldCart, without


def follow_products(cart: HeldCart, quantities: Mapping[str, int]) -> HeldCart:
    """Return the cart after the shop's own products changed: ``{sku: quantity}``, all of them.

    A line linked to a product that is gone (absent or 0) leaves; one with
    ``quantityMustBeSynchronized`` takes the product's quantity.
    """
    changed = cart
    for line in cart.lines:
        sku = line.item.linked_product_id
        if sku is None:
            continue
        quantity = quantities.get(sku, 0)
        if quantity <= 0:
            changed = without(changed, line)
        elif line.item.quantity_must_be_synchronized and quantity != line.item.quantity:
            item = replace(line.item, quantity=quantity)
            follower = replace(line, item=item, revision=cart.version + 1)
            lines = tuple(follower if x is line else x for x in changed.lines)
            changed = replace(changed, lines=lines)
    return cart if changed is cart else replace(changed, version=cart.version + 1)
