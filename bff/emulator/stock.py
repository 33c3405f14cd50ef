"""The catalogue with its free stock, and the cartItemIds of its impressions.

It has no lock of its own: `State` holds it under its lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from bff.emulator.records import Reservation
from bff.emulator.settings import CatalogItem

# An impression is needed as long as its page is open. A load test makes thousands of them.
ISSUED_LIMIT = 50_000


@dataclass(frozen=True, slots=True)
class CatalogChange:
    """A change of the catalogue. If `placements` is None, that setting stays as it is."""

    items: tuple[CatalogItem, ...]
    placements: bool | None
    replace: bool


class Stock:
    """The items on sale, by catalogItemId."""

    def __init__(self, items: Iterable[CatalogItem]) -> None:
        self.items = {item.catalog_item_id: item for item in items}
        self._issued: dict[str, str] = {}

    def put(self, items: Iterable[CatalogItem], *, keep: bool) -> None:
        """Add or replace items. Without `keep` they are the whole catalogue."""
        kept = self.items if keep else {}
        self.items = kept | {item.catalog_item_id: item for item in items}

    def issue(self, item: CatalogItem) -> str:
        """Create a new cartItemId for an impression of an item."""
        cart_item_id = f"v1:{uuid4()}:{item.catalog_item_id}"
        self._issued[cart_item_id] = item.catalog_item_id
        while len(self._issued) > ISSUED_LIMIT:
            del self._issued[next(iter(self._issued))]
        return cart_item_id

    def find(self, cart_item_id: str, *, accept_unissued: bool) -> CatalogItem | None:
        """Return the item of a cartItemId, or None.

        Args:
            cart_item_id: The id of an impression.
            accept_unissued: Also accept an id that was never issued, if it ends in ":" and a
                known catalogItemId.
        """
        key = self._issued.get(cart_item_id)
        if key is None and accept_unissued:
            ends = [known for known in self.items if cart_item_id.endswith(f":{known}")]
            key = max(ends, key=len, default=None)
        return self.items.get(key) if key else None

    def free(self) -> dict[str, int]:
        """Return the free stock of every item."""
        return {key: item.stock for key, item in self.items.items()}

    def take(self, reservation: Reservation) -> None:
        """Subtract the quantity of a reservation or sale from the free stock."""
        self._add(reservation, -reservation.quantity)

    def give_back(self, reservation: Reservation) -> None:
        """Add the quantity of a reservation or sale to the free stock again."""
        self._add(reservation, reservation.quantity)

    def out_of_stock(self, wanted: Iterable[Reservation]) -> list[Reservation]:
        """Return those for which the stock is not enough. Earlier ones come first."""
        free = self.free()
        short = []
        for reservation in wanted:
            free[reservation.catalog_item_id] -= reservation.quantity
            if free[reservation.catalog_item_id] < 0:
                short.append(reservation)
        return short

    def to_state(self, reservations: Iterable[Reservation]) -> dict[str, Any]:
        """Return prices and counts for `GET /_emulator/state`."""
        counts: dict[tuple[str, str], int] = defaultdict(int)
        for reservation in reservations:
            counts[reservation.catalog_item_id, reservation.state] += reservation.quantity
        return {
            key: {
                "unitPrice": float(item.unit_price),
                "currency": item.currency,
                "stock": item.stock,
                "reserved": counts[key, "reserved"],
                "sold": counts[key, "confirmed"],
            }
            for key, item in self.items.items()
        }

    def _add(self, reservation: Reservation, quantity: int) -> None:
        item = self.items.get(reservation.catalog_item_id)
        if item:  # None if the catalogue was replaced since
            self.items[item.catalog_item_id] = replace(item, stock=item.stock + quantity)
