"""The switches of the panel: what the emulator is told to do, over HTTP like from anywhere."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import requests

from bff.demo.shop.catalogue import OFFERS
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
_TIMEOUT = 3.0  # the emulator is on this machine
_RISE = Decimal("1.2")
# Long enough to see it run out on the payment page, and shorter than the margin at which a hold is
# renewed: so this one is used as it is.
_SHORT_HOLD = 20.0
_SLOW = 2.5  # seconds: over the limit of placements/any, well under that of reserve

log = logging.getLogger(__name__)


class Controls:
    """Which switches are on, for one emulator. All shoppers of a demo share it."""

    def __init__(self, emulator_url: str, offers: Iterable[CatalogItem]) -> None:
        self._url = emulator_url
        self._offers = tuple(offers)
        self._lock = threading.Lock()
        self._active: frozenset[str] = frozenset()

    @property
    def active(self) -> frozenset[str]:
        """The names of the switches that are on."""
        return self._active

    def toggle(self, name: str) -> bool:
        """Turn one switch; ``reset`` turns all off. False when the emulator did not take it."""
        with self._lock:
            wished = frozenset() if name == "reset" else self._active ^ {name}
            try:
                self._put("faults", faults_for(wished))
                self._put("settings", settings_for(wished))
                self._put("catalog", catalog_for(wished, self._offers, self._active))
            except requests.RequestException:
                log.exception("the emulator did not take the control %r", name)
                return False
            self._active = wished
            return True

    def _put(self, what: str, body: Mapping[str, Any]) -> None:
        requests.put(
            f"{self._url}/_emulator/{what}", json=body, timeout=_TIMEOUT
        ).raise_for_status()


def faults_for(active: frozenset[str]) -> dict[str, Any]:
    """The emulator's faults for a set of switches: down, or slow, or sold out."""
    if "down" in active:
        return {one: [{"kind": "drop", "times": None}] for one in _ENDPOINTS}
    if "slow" in active:
        return {one: [{"kind": "delay", "seconds": _SLOW, "times": None}] for one in _ENDPOINTS}
    if "sold_out" in active:
        # The stock alone will not do: what this shopper held a moment ago is given back, and
        # would be there for them again.
        gone = [one.catalog_item_id for one in OFFERS if _runs_out(one)]
        return {"reserve": [{"kind": "no_stock", "catalogItemIds": gone, "times": None}]}
    return {}


def settings_for(active: frozenset[str]) -> dict[str, Any]:
    """The emulator's settings for a set of switches: how long a hold lasts from now on."""
    usual = EmulatorSettings().reservation_seconds
    return {"reservationSeconds": _SHORT_HOLD if "short_holds" in active else usual}


def catalog_for(
    active: frozenset[str], offers: Iterable[CatalogItem], before: frozenset[str]
) -> dict[str, Any]:
    """The emulator's catalogue for a set of switches.

    Stock is named only where its switch is turned: it counts down as things are sold.
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
    return offer.linked_product_id is None  # there is protection for every ticket
