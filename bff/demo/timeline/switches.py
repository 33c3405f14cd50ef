"""The panel's switches. They change the emulator's faults, settings and catalogue over HTTP."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import requests

from bff.emulator import CatalogItem, EmulatorSettings

NAMES: Mapping[str, str] = {
    "price": "Prices rise",
    "sold_out": "Stock runs out",
    "no_placements": "Nothing to offer",
    "short_holds": "Holds are short",
    "slow": "Rokt is slow",
    "down": "Rokt is down",
}

_ENDPOINTS = ("any", "reserve", "confirm", "release", "cancel")
_TIMEOUT = 3.0  # seconds; the emulator runs on this machine
_RISE = Decimal("1.2")
# Long enough to watch it expire on the payment page. Shorter than the renewal margin, so the BFF
# does not renew it.
_SHORT_HOLD = 20.0
_SLOW = 2.5  # seconds: over the time limit of placements/any, well under that of reserve

log = logging.getLogger(__name__)


class Switches:
    """The switches of one emulator. All shoppers of a demo share them."""

    def __init__(self, emulator_url: str, offers: Iterable[CatalogItem]) -> None:
        self._url = emulator_url
        self._offers = tuple(offers)
        self._lock = threading.Lock()
        self._active: frozenset[str] = frozenset()

    @property
    def active(self) -> frozenset[str]:
        """Return the names of the switches that are on."""
        return self._active

    def toggle(self, name: str) -> bool:
        """Turn one switch on or off.

        Args:
            name: The switch, or ``reset`` to turn all switches off.

        Returns:
            False if the emulator did not accept the change. Then the switch stays as it was.
        """
        with self._lock:
            wished = frozenset() if name == "reset" else self._active ^ {name}
            try:
                self._put("faults", faults_for(wished, self._offers))
                self._put("settings", settings_for(wished))
                self._put("catalog", catalog_for(wished, self._offers, self._active))
            except requests.RequestException:
                log.exception("the emulator did not accept the switch %r", name)
                return False
            self._active = wished
            return True

    def _put(self, what: str, body: Mapping[str, Any]) -> None:
        requests.put(
            f"{self._url}/_emulator/{what}", json=body, timeout=_TIMEOUT
        ).raise_for_status()


def faults_for(active: frozenset[str], offers: Iterable[CatalogItem]) -> dict[str, Any]:
    """Return the emulator's faults for a set of switches: down, or slow, or sold out."""
    if "down" in active:
        return {one: [{"kind": "drop", "times": None}] for one in _ENDPOINTS}
    if "slow" in active:
        return {one: [{"kind": "delay", "seconds": _SLOW, "times": None}] for one in _ENDPOINTS}
    if "sold_out" in active:
        # A stock of 0 is not enough: a released reservation would put items back into stock.
        gone = [one.catalog_item_id for one in offers if _runs_out(one)]
        return {"reserve": [{"kind": "no_stock", "catalogItemIds": gone, "times": None}]}
    return {}


def settings_for(active: frozenset[str]) -> dict[str, Any]:
    """Return the emulator's settings for a set of switches: how long a reservation lasts."""
    usual = EmulatorSettings().reservation_seconds
    return {"reservationSeconds": _SHORT_HOLD if "short_holds" in active else usual}


def catalog_for(
    active: frozenset[str], offers: Iterable[CatalogItem], before: frozenset[str]
) -> dict[str, Any]:
    """Return the emulator's catalogue for a set of switches.

    The stock is set only when its switch changes, because sales change it too.

    Args:
        active: The switches that are to be on.
        offers: The items of the catalogue.
        before: The switches that are on now.
    """
    items = []
    for offer in offers:
        priced = replace(
            offer,
            unit_price=(offer.unit_price * _RISE).quantize(Decimal("0.01"), ROUND_HALF_UP)
            if "price" in active
            else offer.unit_price,
        )
        item: dict[str, Any] = {
            "catalogItemId": priced.catalog_item_id,
            "unitPrice": float(priced.unit_price),
        }
        if _runs_out(offer) and ("sold_out" in active) != ("sold_out" in before):
            item["stock"] = 0 if "sold_out" in active else offer.stock
        items.append(item)
    return {"items": items, "placements": "no_placements" not in active}


def _runs_out(offer: CatalogItem) -> bool:
    return offer.linked_product_id is None  # ticket protection never sells out
