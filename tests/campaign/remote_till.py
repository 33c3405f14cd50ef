"""The shop in a case with a real server: makes the requests of the page and the shop's backend."""

from __future__ import annotations

import time
from typing import Any

import requests

from tests.campaign import facts
from tests.campaign.facts import Step
from tests.campaign.journey import FIRST
from tests.campaign.lane import LIMITS
from tests.campaign.till import Till
from tests.support.shop import SERVER, bearer
from tests.support.waiting import PATIENCE


class RemoteTill:
    """Does a verb at a server by HTTP. Records it with the till's own requests."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.quote: Any = None

    def do(self, verb: str, url: str) -> None:
        """Send the verb's request to a server, as the page or the shop's backend does."""
        till = self.till
        if verb.startswith("reserve"):
            self.reserve(url)
        elif verb.startswith("confirm"):
            self.pay(url)
        elif verb == "release":
            self.request(url, "/cart/release", LIMITS["reserve_timeout"])
        else:
            self.request(url, f"/orders/{FIRST}/cancel", 2 * LIMITS["confirm_timeout"], {})
            if till.steps[-1].status == 200:
                till.to_cancel += [(FIRST, one.cart_item_id) for one in till.paid[FIRST]]

    def go_on(self, url: str) -> None:
        """Reserve and pay, if the verb has not led to an order."""
        if FIRST not in self.till.paid:
            self.reserve(url)
            self.pay(url)

    def reserve(self, url: str) -> None:
        """Reserve, and record what Rokt holds of each quoted item."""
        self.quote = self.request(url, "/cart/reserve", LIMITS["reserve_timeout"])
        for item in facts.charged_of(self.quote):
            held = facts.totals_held(self.till.shop.emulator, item.cart_item_id)
            self.till.locked.append((item, held))

    def pay(self, url: str) -> None:
        """Charge the amounts of the quote, and confirm the order."""
        self.till.paid[FIRST] = facts.charged_of(self.quote)
        limit = LIMITS["confirm_timeout"] + LIMITS["connect_timeout"]
        body = {"handle": self.till.shopper.handle, "orderId": FIRST}
        self.request(url, "/orders", limit, body | {"quoteId": self.quote["quoteId"]})

    def request(self, url: str, path: str, limit: float, body: Any = None) -> Any:
        """POST as a page does, or, with a body, as the shop's backend does. Records the result."""
        page = bearer(self.till.shopper.handle)
        start = time.monotonic()
        answer = requests.post(
            url + path,
            json={} if body is None else body,
            headers=page if body is None else SERVER,
            timeout=PATIENCE,
        )
        told = answer.json()
        media_type = answer.headers["Content-Type"]
        spent = time.monotonic() - start
        code = told.get("code") if isinstance(told, dict) else None
        self.till.steps.append(Step(path, spent, limit, answer.status_code, media_type, code))
        return told
