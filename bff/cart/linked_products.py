"""The shop's own products, as it tells them: what is linked to them in the held cart follows. Pure.

What a later message of the Web SDK makes of a linked item is for ``bff.cart``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from bff.cart.held_cart import HeldCart, following, without
from bff.errors import InvalidInput

# Kept with the session. A checkout's cart has fewer products; ten times the fifty lines that
# extras may have leaves room, and bounds the document.
MAX_PRODUCTS = 500


# As long as an item's linkedProductId may be, and of the same characters.
MAX_SKU = 200


_SKU = re.compile(rf"[^\x00\ud800-\udfff]{{1,{MAX_SKU}}}")


def check_products(quantities: Mapping[str, int], most: int) -> None:
    """Raise ``InvalidInput`` that names what is wrong: too many, no SKU, no whole number."""
    if not isinstance(quantities, Mapping):
        raise InvalidInput.of_fields({"quantities": ["must be SKUs with their quantities"]})
    if len(quantities) > MAX_PRODUCTS:
        raise InvalidInput(
            f"These are too many products: at most {MAX_PRODUCTS} are followed.",
            errors={"quantities": [f"must name at most {MAX_PRODUCTS} products"]},
        )
    wrong: dict[str, list[str]] = {}
    for sku, quantity in quantities.items():
        is_whole = isinstance(quantity, int) and not isinstance(quantity, bool)
        if not isinstance(sku, str) or not _SKU.fullmatch(sku):
            wrong[f"quantities.{str(sku)[:200]}"] = [
                "must be named by a SKU of 1 to 200 characters"
            ]
        elif not is_whole or not 0 <= quantity <= most:
            wrong[f"quantities.{sku}"] = [f"must be a whole number from 0 to {most}"]
    if wrong:
        raise InvalidInput.of_fields(wrong)


def follow_products(cart: HeldCart, quantities: Mapping[str, int]) -> HeldCart:
    """Return the cart after the shop's own products changed: ``{sku: quantity}``, all of them.

    A line linked to a product that is gone (absent or 0) leaves; one with
    ``quantityMustBeSynchronized`` takes the product's quantity. The products are remembered, so
    that later messages follow them too. The same object when nothing changes.
    """
    products = {sku: quantity for sku, quantity in quantities.items() if quantity > 0}
    if products == cart.products:
        return cart
    changed = replace(cart, products=products, version=cart.version + 1)
    for line in cart.lines:
        item = following(changed, line.item)
        if item is None:
            changed = without(changed, line)
        elif item != line.item:
            follower = replace(line, item=item, revision=changed.version)
            lines = tuple(follower if x is line else x for x in changed.lines)
            changed = replace(changed, lines=lines)
    return changed
