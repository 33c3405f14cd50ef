"""The shop in a case: makes its requests, and records what was shown, locked and charged."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from werkzeug.test import TestResponse

from bff.ops.invariants import Finding
from tests.campaign import facts
from tests.campaign.cases import PARKING, POSTER
from tests.campaign.facts import Charged, Facts, Step
from tests.support.shop import Shop, Shopper, ok, server_post


class Till:
    """A shop with one shopper, and a record of its requests and amounts."""

    def __init__(self, shop: Shop, shopper: Shopper) -> None:
        self.shop = shop
        self.shopper = shopper
        self.limits = shop.parts.settings
        self.steps: list[Step] = []
        self.seen: dict[str, Decimal] = {}
        self.locked: list[tuple[Charged, tuple[Decimal, ...]]] = []
        self.paid: dict[str, tuple[Charged, ...]] = {}
        self.to_cancel: list[tuple[str, str]] = []

    def step(self, name: str, limit: float, request: Callable[[], TestResponse]) -> Any:
        """Make a request, record its response, and return its JSON."""
        start = time.monotonic()
        response = request()
        body: Any = response.get_json(silent=True)
        code = body.get("code") if isinstance(body, dict) else None
        spent = time.monotonic() - start
        self.steps.append(
            Step(name, spent, limit, response.status_code, response.mimetype or "", code)
        )
        return body

    def any(self) -> bool:
        body = {"pageIdentifier": "checkout.upsell"}
        told = self.step(
            "any",
            self.limits.placements_timeout,
            lambda: self.shopper.post("/placements/any", body),
        )
        return bool(told["result"])

    def add(self, catalog_item_id: str, quantity: int) -> None:
        item = self.shopper.item(catalog_item_id, quantity)
        self.seen[item["cartItemId"]] = Decimal(str(item["unitPrice"]))
        ok(self.shopper.update(item))

    def add_all(self) -> None:
        """Open a page, and hold two parking spots and a poster."""
        self.shopper.load_page()
        self.add(PARKING, 2)
        self.add(POSTER, 1)

    def reserve(self, prices: Mapping[str, str] | None = None) -> Any:
        """Reserve, and record what Rokt holds of each quoted item."""
        body = {"acceptPrices": dict(prices)} if prices else {}
        quote = self.step(
            "reserve",
            self.limits.reserve_timeout,
            lambda: self.shopper.post("/cart/reserve", body),
        )
        for item in facts.charged_of(quote):
            held = facts.totals_held(self.shop.emulator, item.cart_item_id)
            self.locked.append((item, held))
        return quote

    def pay(self, order_id: str, quote: Any) -> Any:
        """Charge the amounts of the quote, and confirm the order."""
        self.paid[order_id] = facts.charged_of(quote)
        body = {"handle": self.shopper.handle, "orderId": order_id, "quoteId": quote["quoteId"]}
        limit = self.limits.confirm_timeout + self.limits.connect_timeout
        return self.step("pay", limit, lambda: server_post(self.shop, "/orders", body))

    def release(self) -> Any:
        limit = self.limits.reserve_timeout
        return self.step("release", limit, lambda: self.shopper.post("/cart/release"))

    def cancel(self, order_id: str, catalog_item_id: str = POSTER) -> None:
        """Cancel one item of an order, if the order has it."""
        paid = [one.cart_item_id for one in self.paid[order_id]]
        item = next((one for one in paid if one.endswith(catalog_item_id)), None)
        if item is not None:
            path, body = f"/orders/{order_id}/cancel", {"cartItemId": item}
            limit = self.limits.confirm_timeout
            self.step("cancel", limit, lambda: server_post(self.shop, path, body))
            if self.steps[-1].status == 200:
                self.to_cancel.append((order_id, item))

    def facts(self, *, early: Sequence[Finding] = (), **more: Any) -> Facts:
        """Gather the facts. ``early`` are findings of the doctor from before."""
        return Facts(
            seen=dict(self.seen),
            locked=tuple(self.locked),
            paid=dict(self.paid),
            to_cancel=tuple(self.to_cancel),
            orders=facts.orders_of(self.shop),
            state=self.shop.emulator.state(),
            journal=self.shop.calls(),
            confirms=facts.confirms_of(self.shop),
            findings=(*early, *facts.examine(self.shop)),
            steps=tuple(self.steps),
            owed=facts.owed_by(self.shop),
            **more,
        )
