"""The held cart and its rules: pure values and functions, no I/O, no Flask.

``apply`` decides what one message of the Web SDK does to a cart, ``after_confirm`` what is left
once a quote was bought. What the shop's own cart does to linked items is told by ``bff.products``;
whether a line is reserved at Rokt, by ``bff.reservation``.

The rules' source is Rokt's Web SDK as it behaves: every change may come twice, late, out of
order or with a made-up old item. So the *updated* item alone says what a line becomes, and of
the old item only ``cartItemId`` is believed. A removal may also name what it removes by the
catalogue item: what is made up there is held by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bff.errors import InvalidInput

# Remembered (page, item) pairs. A late message comes within seconds and from the last pages;
# 400 pairs are eight pages of fifty items, and keep the document small.
MAX_SEEN = 400


# Catalogue items remembered as once held, so that a preselection does not bring them back.
MAX_KNOWN = 400


# Ids under which other page loads may still know a line. Each tab and each return adds one, and
# a ninth is older than what MAX_SEEN remembers of a cart of fifty lines.
MAX_FORMER = 8


@dataclass(frozen=True, slots=True)
class CartItem:
    """One item as the Web SDK shows it, but for what nobody reads (its ``providerData``).

    The prices are what the shopper *saw*, no more.
    """

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
        """Unit price × quantity; the browser's own total is only checked against it."""
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class Update:
    """One message: ``item`` to set, else ``removed_id`` to take away, else nothing.

    ``old_id`` is the ``cartItemId`` that the old item names, ``removed_catalog_id`` the catalogue
    item that a removal names, which may be made up. ``page`` and ``seq`` order the
    messages of one page load. ``preselected``: it came before the placement was interactive.
    ``name`` is what the message calls its updated item, for errors.
    """

    item: CartItem | None = None
    removed_id: str | None = None
    removed_catalog_id: str | None = None
    old_id: str | None = None
    page: str | None = None
    seq: int | None = None
    preselected: bool = False
    name: str = "updatedItem"


@dataclass(frozen=True, slots=True)
class Line:
    """A held item.

    ``page``: the page load it came from. ``revision``: the cart's version at the last change
    that matters to Rokt; a reservation made for another revision is stale. ``former``: the cart
    item ids whose place it took, oldest first; another tab may still know it by one of them.
    """

    item: CartItem
    revision: int
    page: str | None = None
    former: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldCart:
    """What a session holds.

    ``removed`` and ``known`` are catalogue item ids, oldest first: taken out of this cart, and
    ever held in this session. ``seen`` maps page → cart item id → last ``seq`` applied; it
    keeps ids that are gone, as tombstones against late adds. ``products``: what the shop last
    told of its own cart, SKU → quantity, and every line follows it; None while it told nothing.
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

    def known_as(self, cart_item_id: str | None, page: str | None) -> Line | None:
        """Return the line of this item, else the one that took its place on another page load.

        A page load that re-keyed a line itself shows the new id: what it says of the old one is
        about no line, in whatever order its messages arrive.
        """
        former = (
            line
            for line in self.lines
            if cart_item_id in line.former and (page is None or line.page != page)
        )
        return self.line(cart_item_id) or next(former, None)


def apply(cart: HeldCart, update: Update, *, max_lines: int) -> HeldCart:
    """Return the cart after one message; the same object when the message changes nothing.

    An item whose linked product is not in the shop's cart does not stay, whatever the placement
    shows. Raises ``InvalidInput`` when a new line would exceed ``max_lines``.
    """
    target = update.item.cart_item_id if update.item else update.removed_id
    if target is None:
        return cart
    if update.preselected and (update.item is None or update.item.catalog_item_id in cart.known):
        return cart
    # The old item takes part only where another item takes its place: a removal names one item.
    replaced = update.old_id if update.item is not None and update.old_id != target else None
    if replaced is not None and _is_late(cart, update, replaced):
        replaced = None  # what has become of it since is newer than this message
    if not _is_late(cart, update, target):
        item = following(cart, update.item) if update.item is not None else None
        if item is not None:
            changed = _set_line(cart, update, item, replaced, max_lines)
        else:
            # By an id that was never held: of an add taken back before it was sent, on a return.
            left = _of_another_page(cart, update.removed_catalog_id, update.page)
            changed = without(cart, cart.known_as(target, update.page) or left)
            changed = without(changed, changed.known_as(replaced, update.page))
        changed = _remember(changed, update, (target, replaced))
    elif replaced is not None:
        # What the item says is outdated, but that it took the old one's place is still news.
        changed = _merge(cart, update, target, replaced)
        changed = _remember(changed, update, (replaced,))
    else:
        return cart
    return cart if changed is cart else replace(changed, version=cart.version + 1)


def following(cart: HeldCart, item: CartItem) -> CartItem | None:
    """Return an item as the shop's own products let it be; None where its product is not there."""
    sku = item.linked_product_id
    if sku is None or cart.products is None:
        return item
    quantity = cart.products.get(sku, 0)
    if quantity and item.quantity_must_be_synchronized:
        return replace(item, quantity=quantity)
    return item if quantity else None


def after_confirm(cart: HeldCart, quoted_version: int, new_cart_id: str) -> HeldCart:
    """Return the cart that follows a bought one: only lines added or changed after the quote.

    The shop's products are not known any more. Those that it told were of the cart that was
    bought; an extra for them, offered after payment, must not leave because they are sold.
    """
    kept = tuple(line for line in cart.lines if line.revision > quoted_version)
    cart = replace(cart, cart_id=new_cart_id, version=cart.version + 1, lines=kept)
    return replace(cart, removed=(), products=None)


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
        raise InvalidInput(
            f"The cart is full: it holds {max_lines} lines.",
            errors={f"{update.name}.cartItemId": [f"the cart is full, at {max_lines} lines"]},
        )
    same = held is not None and _matters(held.item) == _matters(item)
    revision = held.revision if same and held else cart.version + 1
    line = Line(item, revision, update.page or (held.page if held else None))
    line = replace(line, former=_former(line, held, place))
    if held is not None:
        lines = tuple(line if x is held else x for x in cart.lines if x is not place)
    elif place is not None:
        lines = tuple(line if x is place else x for x in cart.lines)
    else:
        lines = (*cart.lines, line)
    known = _append(cart.known, item.catalog_item_id, MAX_KNOWN)
    removed = tuple(x for x in cart.removed if x != item.catalog_item_id)
    if (lines, known, removed) == (cart.lines, cart.known, cart.removed):
        return cart
    return replace(cart, lines=lines, known=known, removed=removed)


def _place_taken(
    cart: HeldCart, update: Update, item: CartItem, replaced: str | None
) -> Line | None:
    """Find the line whose place this item takes: it is the same line under another id.

    The old item names it, or it had this item's id before another tab re-keyed it, or it is of
    the same catalogue item on another page load (a return to the page). Two impressions of one
    catalogue item on the *same* page load are two lines, so the catalogue item counts only
    across page loads, and only where both are known.
    """
    held = cart.line(item.cart_item_id)
    named = cart.known_as(replaced, update.page)
    if held is not None:
        return None if named is held else named
    place = named or cart.known_as(item.cart_item_id, update.page)
    return place or _of_another_page(cart, item.catalog_item_id, update.page)


def _of_another_page(cart: HeldCart, catalog_item_id: str | None, page: str | None) -> Line | None:
    """Return a line of this catalogue item that stems from another page load; both are known."""
    same = (x for x in cart.lines if page and x.item.catalog_item_id == catalog_item_id)
    return next((x for x in same if x.page not in (None, page)), None)


def _merge(cart: HeldCart, update: Update, target: str, replaced: str) -> HeldCart:
    """Let the line ``replaced`` be the one of ``target``, which was set or removed since."""
    line, place = cart.known_as(target, update.page), cart.known_as(replaced, update.page)
    if place is None or place is line:
        return cart
    if line is None:
        return without(cart, place)
    merged = replace(line, former=_former(line, line, place))
    return _drop(_replace_line(cart, line, merged), place)


def _former(line: Line, *places: Line | None) -> tuple[str, ...]:
    """Return the ids that other tabs may know the line by: of those whose place it takes."""
    former: tuple[str, ...] = ()
    for place in filter(None, places):
        for one in (*place.former, place.item.cart_item_id):
            former = _append(former, one, MAX_FORMER + 1)  # its own may be one of them
    return tuple(x for x in former if x != line.item.cart_item_id)[-MAX_FORMER:]


def _matters(item: CartItem) -> tuple[object, ...]:
    """What a reservation depends on; a reworded description leaves it standing."""
    return (item.catalog_item_id, item.quantity, item.unit_price, item.currency)


def without(cart: HeldCart, line: Line | None) -> HeldCart:
    """Return the cart after a line was taken out, which it remembers."""
    if line is None:
        return cart
    removed = _append(cart.removed, line.item.catalog_item_id, MAX_KNOWN)
    return replace(_drop(cart, line), removed=removed)


def _drop(cart: HeldCart, line: Line) -> HeldCart:
    return replace(cart, lines=tuple(x for x in cart.lines if x is not line))


def _replace_line(cart: HeldCart, old: Line, new: Line) -> HeldCart:
    return replace(cart, lines=tuple(new if x is old else x for x in cart.lines))


def _remember(cart: HeldCart, update: Update, cart_item_ids: tuple[str | None, ...]) -> HeldCart:
    """Note ``seq`` for the item, and for the id whose place it took.

    A late add of that one would double the line.
    """
    if update.page is None or update.seq is None:
        return cart
    of_page = dict(cart.seen.get(update.page, {}))
    for cart_item_id in cart_item_ids:
        if cart_item_id is not None:
            of_page.pop(cart_item_id, None)  # the one in use goes to the end
            of_page[cart_item_id] = update.seq
    # The page in use goes to the end; what falls off the front is the oldest.
    seen = {page: ids for page, ids in cart.seen.items() if page != update.page}
    seen[update.page] = dict(list(of_page.items())[-MAX_SEEN:])
    while sum(len(ids) for ids in seen.values()) > MAX_SEEN and len(seen) > 1:
        del seen[next(iter(seen))]
    return replace(cart, seen=seen)


def _append(values: tuple[str, ...], value: str, most: int) -> tuple[str, ...]:
    return (*(x for x in values if x != value), value)[-most:]


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
