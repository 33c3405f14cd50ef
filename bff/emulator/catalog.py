"""The catalogue as JSON: for the control endpoints, and as the offers of an impression."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from bff.emulator.json_body import Node
from bff.emulator.settings import CatalogItem
from bff.emulator.state import State
from bff.emulator.stock import CatalogChange

# member: the attribute of CatalogItem, its reader, whether null is a valid value
_READ: Mapping[str, tuple[str, Callable[[Node], Any], bool]] = {
    "name": ("name", Node.text, False),
    "description": ("description", lambda node: node.text(empty=True), False),
    "unitPrice": ("unit_price", Node.amount, False),
    "currency": ("currency", Node.text, False),
    "stock": ("stock", lambda node: node.whole(0), False),
    "minItemCount": ("min_item_count", lambda node: node.whole(0), False),
    "maxItemCount": ("max_item_count", lambda node: node.whole(0), False),
    "preselected": ("preselected", lambda node: node.whole(0), False),
    "offered": ("offered", Node.flag, False),
    "linkedProductId": ("linked_product_id", Node.text, True),
    "quantityMustBeSynchronized": ("quantity_must_be_synchronized", Node.flag, True),
    "providerData": ("provider_data", Node.text, True),
    "imageAlt": ("image_alt", lambda node: node.text(empty=True), True),
    "refuseCancel": ("refuse_cancel", Node.flag, False),
}


def read_catalog(node: Node, present: Iterable[CatalogItem]) -> CatalogChange:
    """Read the body of `PUT /_emulator/catalog`.

    Raises:
        BadInputError: The body is invalid.
    """
    node.only("items", "placements", "replace")
    whole = node.get("replace")
    replaces = whole is not None and whole.flag()
    placements = node.get("placements")
    listed = node.get("items")
    known = {} if replaces else {item.catalog_item_id: item for item in present}
    items: dict[str, CatalogItem] = {}
    for one in listed.elements() if listed else ():
        item = _read_item(one, known)
        if item.catalog_item_id in items:
            one.need("catalogItemId").fail("is in the list twice")
        items[item.catalog_item_id] = item
    shown = placements.flag() if placements else None
    return CatalogChange(tuple(items.values()), shown, replaces)


def _read_item(node: Node, known: Mapping[str, CatalogItem]) -> CatalogItem:
    node.only("catalogItemId", *_READ)
    key = node.need("catalogItemId").text()
    item = known.get(key)
    if item is None:
        item = CatalogItem(key, node.need("name").text(), node.need("unitPrice").amount())
    changes: dict[str, Any] = {}
    for name, member in node.members().items():
        if name in _READ:
            attribute, read, optional = _READ[name]
            changes[attribute] = None if optional and member.value is None else read(member)
    item = replace(item, **changes)
    if item.max_item_count < item.min_item_count:
        node.below("maxItemCount", None).fail("is below minItemCount")
    return item


def read_shown(node: Node, catalog: Iterable[CatalogItem]) -> list[CatalogItem]:
    """Read the items of an impression: the named ones, else all on offer.

    Rokt chooses them by the page's identifier instead.

    Raises:
        BadInputError: A name is not in the catalogue.
    """
    known = {item.catalog_item_id: item for item in catalog}
    names = [name for name in node.text(empty=True).split(",") if name]
    for name in names:
        if name not in known:
            node.fail(f"{name!r} is not in the catalogue")
    return [known[name] for name in names] or [item for item in known.values() if item.offered]


def read_preselect(node: Node, shown: Iterable[CatalogItem]) -> dict[str, int]:
    """Read the quantities of the preselected offers, by catalogItemId.

    Raises:
        BadInputError: A name is not on offer.
    """
    wanted = node.text(empty=True)
    known = {item.catalog_item_id for item in shown}
    if wanted == "all":
        return dict.fromkeys(known, 1)
    chosen = {}
    for part in filter(None, wanted.split(",")):
        key, colon, count = part.rpartition(":")
        if part in known:
            chosen[part] = 1
        elif colon and key in known and count.isascii() and count.isdigit():
            chosen[key] = int(count)
        else:
            node.fail(f"{part!r} is not on offer")
    return chosen


def offer_json(item: CatalogItem, cart_item_id: str, preselected: int | None) -> dict[str, Any]:
    """Return one offer of an impression as JSON."""
    chosen = item.preselected if preselected is None else preselected
    offer = {"cartItemId": cart_item_id} | item_json(item)
    for internal in ("stock", "offered", "refuseCancel"):
        del offer[internal]
    return offer | {"preselected": min(chosen, item.max_item_count), "soldOut": item.stock <= 0}


def item_json(item: CatalogItem) -> dict[str, Any]:
    """Return an item as `PUT /_emulator/catalog` accepts it, without members that are None."""
    members: dict[str, Any] = {"catalogItemId": item.catalog_item_id}
    for name, (attribute, _, _) in _READ.items():
        value = getattr(item, attribute)
        if value is not None:
            members[name] = value
    return members


def catalog_json(state: State) -> dict[str, Any]:
    """Return the catalogue as JSON. `stock` is the free stock."""
    items = [item_json(item) for item in state.catalog()]
    return {"items": items, "placements": state.settings.placements}
