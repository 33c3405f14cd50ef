"""A shop over real HTTP with its till, and browsers whose owners send whatever they like."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from threading import Lock, Thread
from typing import Any
from uuid import uuid4

import requests
from flask import Response, jsonify
from werkzeug.serving import WSGIRequestHandler, make_server

from bff import Quote, Upsells
from tests.support.shop import SERVER, Shop
from tests.support.summaries import PARKING

PARTNER = "https://tickets.example"
Totals = Mapping[str, Decimal]


class Till:
    """What the shop charged, by order, and which orders got their money back."""

    def __init__(self) -> None:
        self.charged: dict[str, Totals] = {}
        self.refunded: set[str] = set()
        self.declines = False
        self._lock = Lock()

    def charge(self, totals: Totals) -> str:
        with self._lock:
            order_id = f"order-{len(self.charged) + 1}"
            self.charged[order_id] = dict(totals)
        return order_id


class Market:
    """A shop, its till, a partner's backend, and what each shopper saw of each item."""

    def __init__(self, shop: Shop, url: str) -> None:
        self.shop = shop
        self.url = url
        self.till = Till()
        self.seen: dict[str, Decimal] = {}

    def browser(self) -> Browser:
        return Browser(self)

    def saw(self, cart_item_id: str, price: object) -> None:
        """Note a price that an item's shopper saw or took: the highest is what they may pay."""
        before = self.seen.get(cart_item_id, Decimal(0))
        self.seen[cart_item_id] = max(before, Decimal(str(price)))

    def reprice(self, catalog_item_id: str, price: float) -> None:
        item = {"catalogItemId": catalog_item_id, "unitPrice": price}
        self.shop.emulator.put("catalog", {"items": [item]})

    def partner_pays(self, handle: str, quote_id: str) -> requests.Response:
        """What a partner's backend does with a form of its page: it asks, then charges."""
        page = {"Authorization": f"Bearer {handle}", "Origin": PARTNER, "Rokt-Bff": "1"}
        asked = self.call("/cart/reserve", {}, page)
        if asked.status_code != 200 or asked.json()["quoteId"] != quote_id:
            return asked
        totals = {name: Decimal(total) for name, total in asked.json()["totals"].items()}
        return self.order(handle, quote_id, self.till.charge(totals))

    def order(self, handle: str, quote_id: str | None, order_id: str) -> requests.Response:
        body = {"handle": handle, "orderId": order_id, "quoteId": quote_id}
        return self.call("/orders", body, SERVER)

    def call(self, path: str, body: object, headers: Mapping[str, str]) -> requests.Response:
        return requests.post(f"{self.url}/rokt{path}", json=body, headers=dict(headers), timeout=60)

    def check(self) -> None:
        """Insist that what was charged is what Rokt locked and sold, and what the shopper saw."""
        state = self.shop.emulator.state()
        sold = [one for one in state["reservations"].values() if one["fulfilled"]]
        assert set(state["orders"]) <= set(self.till.charged)  # the till was asked each time
        assert {one["orderId"] for one in sold} <= set(self.till.charged)
        assert len(self.shop.calls("cancel")) == 0
        for one in sold:
            assert one["fulfilled"] == 1
            assert Decimal(str(one["unitPrice"])) <= self.seen[one["cartItemId"]], one
        for order_id, charged in self.till.charged.items():
            kept = {} if order_id in self.till.refunded else charged
            locked: dict[str, Decimal] = {}
            for one in sold:
                if one["orderId"] == order_id:
                    total = Decimal(str(one["totalPrice"]))
                    locked[one["currency"]] = locked.get(one["currency"], Decimal(0)) + total
            assert kept == locked, order_id


class Browser:
    """A page of the shop with its cookie; what it says of items is up to its owner."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.http = requests.Session()
        impression = market.shop.emulator.control("GET", "offers").json()
        self.offers = {one["catalogItemId"]: one for one in impression["offers"]}
        self.page = str(uuid4())
        self._seq = itertools.count(1)

    def item(self, catalog_item_id: str = PARKING, quantity: int = 1) -> dict[str, Any]:
        offer = self.offers[catalog_item_id]
        names = ("cartItemId", "catalogItemId", "name", "description", "unitPrice", "currency")
        total = offer["unitPrice"] * quantity
        return {**{x: offer[x] for x in names}, "quantity": quantity, "totalPrice": total}

    def id(self, catalog_item_id: str = PARKING) -> str:
        found: str = self.offers[catalog_item_id]["cartItemId"]
        return found

    def send(self, path: str, body: object = None, **headers: str) -> requests.Response:
        """POST to the shop as its own page does, unless the headers say otherwise."""
        own = {"Origin": self.market.url, "Rokt-Bff": "1"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(
            self.market.url + path, json=body or {}, headers=own | named, timeout=60
        )

    def tell(
        self, item: dict[str, Any] | None, old: dict[str, Any] | None = None
    ) -> requests.Response:
        """Send a message of the SDK; where it is believed, the shopper has seen what it says."""
        body = {"updatedItem": item, "oldItem": old, "page": self.page, "seq": next(self._seq)}
        answer = self.send("/rokt/cart/updates", body)
        if answer.status_code == 200 and item is not None:
            self.market.saw(item["cartItemId"], item.get("unitPrice", 0))
        return answer

    def cart(self) -> list[Any]:
        page = {"Sec-Fetch-Site": "same-origin", "Rokt-Bff": "1"}
        answer = self.http.get(f"{self.market.url}/rokt/cart", headers=page, timeout=60)
        found: list[Any] = answer.json()["items"]
        return found

    def reserve(self, **took: str) -> Any:
        """Have the items quoted; ``took`` are dearer prices that the shopper took."""
        prices = {self.id(name.replace("_", ".")): price for name, price in took.items()}
        answer = self.send("/rokt/cart/reserve", {"acceptPrices": prices})
        assert answer.status_code == 200, answer.text
        for cart_item_id, price in prices.items():
            self.market.saw(cart_item_id, price)
        return answer.json()

    def pay(self) -> dict[str, str]:
        """Press "pay" in the shop; returns what was charged, as text."""
        answer = self.send("/pay")
        assert answer.status_code == 200, answer.text
        charged: dict[str, str] = answer.json()
        return charged

    def wear(self, cookie: str) -> None:
        """Take a cookie in place of its own, if it has one."""
        self.http.cookies.set("rokt_bff", cookie, domain="127.0.0.1", path="/")

    @property
    def cookie(self) -> str:
        found = self.http.cookies.get("rokt_bff")
        assert found
        return found

    @property
    def handle(self) -> str:
        """What is in the cookie: a page never sees it, a thief of cookies does."""
        return self.cookie.rsplit(".", 1)[0]


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any, **__: Any) -> None:
        """Say nothing on the console of the tests."""


@contextmanager
def market_of(shop: Shop) -> Iterator[Market]:
    """Serve a shop as the README has it, over HTTP, until the test ends."""
    server = make_server("127.0.0.1", 0, shop.app, threaded=True, request_handler=_Quiet)
    market = Market(shop, f"http://127.0.0.1:{server.server_port}")
    till, upsells = market.till, shop.upsells

    @shop.app.post("/pay")
    def pay() -> Response:
        quote = upsells.reserve()
        upsells.confirm(order_id=till.charge(quote.totals))
        return jsonify(Upsells.to_json(quote)["totals"])

    @shop.app.post("/buy-again")
    def buy_again() -> Response:
        def charge(quote: Quote) -> str | None:
            return None if till.declines else till.charge(quote.totals)

        return upsells.buy_instantly(charge)

    @shop.app.post("/login")
    def login() -> Response:
        upsells.rotate()
        return jsonify({})

    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield market
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
