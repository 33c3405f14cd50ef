"""What one message of the Web SDK changes in the held cart. Pure.

The Web SDK may send a message twice, late or out of order, and it may make up the old item. So
only the updated item decides about its line. Of the old item only ``cartItemId`` is used. A removal
may name its item by the catalogue item instead; a made-up one matches no line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bff.cart.held_cart import CartItem, HeldCart, Line, add_newest
from bff.cart.linked_products import follow_product
from bff.errors import InvalidInput

# Remembered (page, item) pairs. A late message arrives within seconds, from the last pages. 400
# pairs are eight pages of fifty items, and keep the document small.
MAX_SEEN = 400

# Remembered former ids of a line. Each tab and each return to the page adds one. A ninth is older
# than what ``MAX_SEEN`` remembers of a cart of fifty lines.
MAX_FORMER = 8

# Characters of all names and descriptions together: as many as one request body may have, and over
# a thousand for each of fifty lines.
MAX_TEXT_OF_CART = 64 * 1024


@dataclass(frozen=True, slots=True)
class Update:
    """One message of the Web SDK.

    Attributes:
        item: The item to set.
        removed_id: The ``cartItemId`` to remove, where ``item`` is None.
        removed_catalog_id: The catalogue item that a removal names. It may be made up.
        old_id: The ``cartItemId`` of the old item.
        page: The page load that sent the message.
        seq: The message's number within its page load.
        preselected: It was sent before the placement was interactive.
        name: The updated item's name in the message, for errors.
    """

    item: CartItem | None = None
    removed_id: str | None = None
    removed_catalog_id: str | None = None
    old_id: str | None = None
    page: str | None = None
    seq: int | None = None
    preselected: bool = False
    name: str = "updatedItem"


def apply(cart: HeldCart, update: Update, *, max_lines: int) -> HeldCart:
    """Return the cart after one message; the same object if the message changes nothing.

    Raises:
        InvalidInput: The cart would have more than ``max_lines``, or too much text.
    """
    target = update.item.cart_item_id if update.item else update.removed_id
    if target is None:
        return cart
    if update.preselected and (update.item is None or update.item.catalog_item_id in cart.known):
        return cart
    # A removal removes one item, so its old item is not used.
    replaced = update.old_id if update.item is not None and update.old_id != target else None
    if replaced is not None and _is_late(cart, update, replaced):
        replaced = None  # a newer message was about the old item
    if not _is_late(cart, update, target):
        item = follow_product(cart, update.item) if update.item is not None else None
        if item is not None:
            changed = _set_line(cart, update, item, replaced, max_lines)
        else:
            # An unknown id: the item was removed before its add was sent, on a return to the page.
            other = _of_another_page(cart, update.removed_catalog_id, update.page)
            changed = cart.remove(_find(cart, target, update.page) or other)
            changed = changed.remove(_find(changed, replaced, update.page))
        changed = _remember(changed, update, target, replaced)
    elif replaced is not None:
        # What it says of the item is outdated, but the item has taken the old one's place.
        changed = _remember(_merge(cart, update, target, replaced), update, replaced)
    else:
        return cart
    return cart if changed is cart else replace(changed, version=cart.version + 1)


def _find(cart: HeldCart, cart_item_id: str | None, page: str | None) -> Line | None:
    """Return the line that has this id, else the one that had it on another page load.

    A page load that gave a line its new id uses the new one, so there the old id means no line.
    """
    had_it = (
        line
        for line in cart.lines
        if cart_item_id in line.former and (page is None or line.page != page)
    )
    return cart.line(cart_item_id) or next(had_it, None)


def _is_late(cart: HeldCart, update: Update, target: str) -> bool:
    if update.page is None or update.seq is None:
        return False
    return update.seq <= cart.seen.get(update.page, {}).get(target, 0)


def _set_line(
    cart: HeldCart, update: Update, item: CartItem, replaced: str | None, max_lines: int
) -> HeldCart:
    held = cart.line(item.cart_item_id)
    place = _place_taken(cart, update, item, replaced)
    if held is None and place is None and len(cart.lines) >= max_lines:
        full = f"the cart is full, at {max_lines} lines: remove one first"
        raise InvalidInput.of_fields({f"{update.name}.cartItemId": [full]})
    line = Line(item, cart.version + 1, update.page or (held.page if held else None))
    if held is not None and _matters(held.item) == _matters(item):
        line = replace(line, revision=held.revision)
    changed = cart.put(replace(line, former=_former(line, held, place)), held or place)
    if held is not None and place is not None:
        changed = changed.without(place)
    known = add_newest(cart.known, item.catalog_item_id)
    removed = tuple(x for x in cart.removed if x != item.catalog_item_id)
    changed = replace(changed, known=known, removed=removed)
    text = _text(changed)
    if text > MAX_TEXT_OF_CART and text > _text(cart):
        full = f"the cart is full, at {MAX_TEXT_OF_CART} characters of names and descriptions"
        raise InvalidInput.of_fields({f"{update.name}.description": [full]})
    return cart if changed == cart else changed


def _place_taken(
    cart: HeldCart, update: Update, item: CartItem, replaced: str | None
) -> Line | None:
    """Return the line whose place this item takes: the same line with another id.

    The old item names it, or another tab gave it another id, or another page load has a line of the
    same catalogue item (a return to the page). Two impressions of one catalogue item on the same
    page load are two lines.
    """
    held = cart.line(item.cart_item_id)
    named = _find(cart, replaced, update.page)
    if held is not None:
        return None if named is held else named
    place = named or _find(cart, item.cart_item_id, update.page)
    return place or _of_another_page(cart, item.catalog_item_id, update.page)


def _of_another_page(cart: HeldCart, catalog_item_id: str | None, page: str | None) -> Line | None:
    """Return a line of this catalogue item from another page load, if both page loads are known."""
    same = (x for x in cart.lines if page and x.item.catalog_item_id == catalog_item_id)
    return next((x for x in same if x.page not in (None, page)), None)


def _merge(cart: HeldCart, update: Update, target: str, replaced: str) -> HeldCart:
    """Merge the line of ``replaced`` into the one of ``target``, if there still is one."""
    line, place = _find(cart, target, update.page), _find(cart, replaced, update.page)
    if place is None or place is line:
        return cart
    if line is None:
        return cart.remove(place)
    return cart.put(replace(line, former=_former(line, line, place)), line).without(place)


def _former(line: Line, *places: Line | None) -> tuple[str, ...]:
    """Return the newest ids that a line has had: those of the lines whose place it takes."""
    ids = [one for x in places if x is not None for one in (*x.former, x.item.cart_item_id)]
    newest_first = [one for one in dict.fromkeys(reversed(ids)) if one != line.item.cart_item_id]
    return tuple(reversed(newest_first[:MAX_FORMER]))


def _matters(item: CartItem) -> tuple[object, ...]:
    """Return what a reservation depends on: not the texts."""
    return (item.catalog_item_id, item.quantity, item.unit_price, item.currency)


def _remember(cart: HeldCart, update: Update, *cart_item_ids: str | None) -> HeldCart:
    """Remember ``seq`` for these ids. The page and the ids in use go to the end."""
    if update.page is None or update.seq is None:
        return cart
    seen = dict(cart.seen)
    of_page = dict(seen.pop(update.page, {}))
    for cart_item_id in cart_item_ids:
        if cart_item_id is not None:
            of_page.pop(cart_item_id, None)
            of_page[cart_item_id] = update.seq
    seen[update.page] = dict(list(of_page.items())[-MAX_SEEN:])
    while sum(len(ids) for ids in seen.values()) > MAX_SEEN and len(seen) > 1:
        del seen[next(iter(seen))]
    return replace(cart, seen=seen)


def _text(cart: HeldCart) -> int:
    return sum(len(line.item.name) + len(line.item.description) for line in cart.lines)
