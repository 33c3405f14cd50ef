"""The actors of the random shop: shoppers, faults, crashes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

from bff.emulator.faults import AFTER
from bff.web.shopper import COOKIE
from tests.campaign.operations import Kind, Operation, Side
from tests.campaign.shop_model import Message
from tests.support.shop import Shop, Shopper

PRICES = {"parking.standard": 12.5, "parking.vip": 20.0, "poster.souvenir": 15.0}
ITEMS = tuple(PRICES)
HANG = 1.0

ANSWERS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "retryAfter": 0},
    {"kind": "status", "status": 429, "retryAfter": 1},
    {"kind": "status", "status": 408},
    {"kind": "status", "status": 401},
    {"kind": "status", "status": 422},
    {"kind": "status", "status": 302},
    {"kind": "drop"},
    {"kind": "reset"},
    {"kind": "hang", "seconds": HANG},
    {"kind": "delay", "seconds": 0.05},
    {"kind": "malformed"},
    {"kind": "html"},
    {"kind": "wrong_types"},
    {"kind": "truncate"},
    {"kind": "drip", "secondsPerByte": 0.1},
    {"kind": "endless"},
)
ABOUT_ITEMS: tuple[dict[str, Any], ...] = (
    {"kind": "reject", "all": True},
    {"kind": "reject", "catalogItemIds": ["parking.vip"], "form": "422_named"},
    {"kind": "reject", "catalogItemIds": ["parking.standard"], "form": "error_value"},
    {"kind": "price", "catalogItemId": "parking.standard", "unitPrice": 13.75},
    {"kind": "price", "catalogItemId": "parking.vip", "unitPrice": 18.5},
    {"kind": "no_stock", "catalogItemIds": ["poster.souvenir"]},
)
# Faults that delay an order, or make it need a refund.
TO_A_CONFIRM: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 422},
    {"kind": "status", "status": 401},
    {"kind": "status", "status": 503},
    {"kind": "drop", "when": "before"},
    {"kind": "drop", "when": "after"},
)
GRANT_LESS = {"kind": "grant_less", "quantity": 1}
# Faults without a moment of their own: they always come after the effect.
WITHOUT_MOMENT = {"truncate", "drip", "endless"}
WITH_MOMENT = {"status", "drop", "reset", "hang", *AFTER} - WITHOUT_MOMENT


def faults_of(endpoint: str) -> list[dict[str, Any]]:
    """Return the possible faults of a call to this endpoint."""
    kinds = list(ANSWERS)
    if endpoint in ("reserve", "confirm"):
        kinds += ABOUT_ITEMS
    if endpoint == "reserve":
        kinds.append(GRANT_LESS)
    return kinds


class Crash(BaseException):
    """The process has ended. The code catches no such exception."""


class Trap:
    """Ends the process before or after the n-th commit or call since it was armed."""

    def __init__(self) -> None:
        self.armed: tuple[Side, Kind] | None = None
        self.number = 0

    def arm(self, side: Side, kind: Kind, number: int) -> None:
        self.armed, self.number = (side, kind), number

    def reach(self, side: Side, operation: Operation) -> None:
        if self.armed == (side, operation.kind):
            self.number -= 1
            if self.number == 0:
                self.armed = None
                raise Crash(f"{side} {operation.kind}")

    @contextmanager
    def put_away(self) -> Iterator[None]:
        """Disarm during the block: one of several threads cannot end the process."""
        armed, self.armed = self.armed, None
        yield
        self.armed = armed


@dataclass
class Tab:
    """A page load of the upsell page."""

    page: str
    offers: dict[str, Any]
    seq: int = 0


class Actor:
    """A shopper of the real shop, with a cookie jar, tabs, and delayed messages."""

    def __init__(self, shop: Shop) -> None:
        self.browser = Shopper(shop)
        self.tabs: list[Tab] = []
        self.open_tab()
        self.late: list[Message] = []
        self.sent: list[Message] = []

    def open_tab(self) -> None:
        self.browser.load_page()
        self.tabs = [*self.tabs[-2:], Tab(str(uuid4()), self.browser.offers)]

    def says(self, tab: int, catalog_item_id: str, quantity: int, *, preselected: bool) -> Message:
        """Return the next message of a tab's SDK."""
        page = self.tabs[tab % len(self.tabs)]
        page.seq += 1
        offer = page.offers[catalog_item_id]
        return Message(
            page.page,
            page.seq,
            offer["cartItemId"],
            catalog_item_id,
            quantity,
            Decimal(str(offer["unitPrice"])),
            preselected,
        )

    def move_to(self, shop: Shop) -> None:
        """Use the restarted server. The browser keeps its cookie."""
        self.browser = self._with_cookie(shop)

    def other_tab(self) -> Shopper:
        """Return the same browser again, for two requests at once."""
        return self._with_cookie(self.browser.shop)

    def _with_cookie(self, shop: Shop) -> Shopper:
        browser = Shopper(shop)
        cookie = self.browser.client.get_cookie(COOKIE)
        if cookie is not None:
            browser.client.set_cookie(COOKIE, cookie.value)
        return browser

    @property
    def has_session(self) -> bool:
        return self.browser.client.get_cookie(COOKIE) is not None


def body_of(message: Message) -> dict[str, Any]:
    """Return a message as the bridge sends it."""
    price = float(message.unit_price)
    item = {
        "cartItemId": message.cart_item_id,
        "catalogItemId": message.catalog_item_id,
        "name": message.catalog_item_id,
        "description": "",
        "currency": "USD",
        "unitPrice": price,
        "quantity": message.quantity,
        "totalPrice": price * message.quantity,
    }
    return {
        "updatedItem": item if message.quantity else None,
        "oldItem": item,
        "page": message.page,
        "seq": message.seq,
        "preselected": message.preselected,
    }
