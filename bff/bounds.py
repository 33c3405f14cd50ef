"""How much text a cart holds: it is written whole with every update. Pure.

The number of its lines is a rule of the cart itself (``bff.cart``), the length of each text one of
what comes in (``bff.sdk_items``); fifty lines of the longest texts would still be too much.
"""

from __future__ import annotations

from bff.cart import HeldCart, Update
from bff.errors import InvalidInput

# Names and descriptions of all lines together, in characters: as much as one body may have, and
# over a thousand for each of fifty lines.
MAX_TEXT_OF_CART = 64 * 1024


def bounded(before: HeldCart, after: HeldCart, update: Update) -> HeldCart:
    """Return the cart after an update. Raises ``InvalidInput`` where its texts grew too much."""
    text = _text(after)
    if text > MAX_TEXT_OF_CART and text > _text(before):
        full = f"the cart is full, at {MAX_TEXT_OF_CART} characters of names and descriptions"
        raise InvalidInput(
            f"The texts are too long: {full}.", errors={f"{update.name}.description": [full]}
        )
    return after


def _text(cart: HeldCart) -> int:
    return sum(len(line.item.name) + len(line.item.description) for line in cart.lines)
