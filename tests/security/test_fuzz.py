"""Generated requests at the whole blueprint: no 5xx, and a refused one changes nothing.

``FUZZ=100000`` in the environment asks for so many requests; without it there are fewer.

Hypothesis finds values that break readers, fifty requests are composed of each find: a value costs
it more than a request costs the server.
"""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.emulator_client import Client
from tests.support.shop import BRIDGE, SERVER, Shop, ok, server_post

REQUESTS = int(os.environ.get("FUZZ", "600"))
OF_ONE_FIND = 50
PATHS = ("/cart/updates", "/cart/reserve", "/cart/release", "/placements/any", "/session",
         "/orders", "/orders/order-1", "/orders/order-1/cancel", "/products", "/purchases",
         "/cart", "/openapi.json", "/health", "/static/bridge.js")  # fmt: skip
READ = ("/cart", "/orders/order-1", "/openapi.json", "/health", "/static/bridge.js")
SERVERS = ("/orders", "/products", "/purchases")
METHODS = ("POST", "GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW")
ORIGINS = ("https://shop.example", "https://shop.example.evil.io", "http://shop.example", "null",
           "http://localhost", "https://SHOP.example")  # fmt: skip
SIGNALS: Mapping[str, tuple[str, ...]] = {
    "Origin": ORIGINS,
    "Sec-Fetch-Site": ("same-origin", "cross-site", "none", "x"),
    "Rokt-Bff": ("1", "0", ""),
    "Content-Type": (
        "application/json", "text/plain", "application/x-www-form-urlencoded", "application/JSON",
    ),
    "Accept-Language": ("en-US", "x" * 300, "de;q=oops", "\xfc"),
}  # fmt: skip

# Values that break readers, and that an item, an order or a handle may be given.
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(width=64),
    st.text(max_size=12), st.sampled_from(["", "$", "USD", "JPY", "0", "-0.0", "1e400", "\x00"]),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
MEMBERS = ("cartItemId", "catalogItemId", "name", "description", "quantity", "unitPrice",
           "totalPrice", "currency", "linkedProductId", "quantityMustBeSynchronized",
           "providerData")  # fmt: skip
BODY_MEMBERS = ("updatedItem", "oldItem", "cartItem", "oldCartItem", "page", "seq", "preselected",
                "roktSessionId", "acceptPrices", "attributes", "isPayPalPayment", "merchantId",
                "pageIdentifier", "url", "handle", "orderId", "quoteId", "extra", "quantities",
                "purchaseId", "upsellItems", "totalUpsellPrice", "currency",
                "cartItemId")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent; it prints as what to send again."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Composer:
    """Composes requests by chance: mostly right ones, so that most get past the guard."""

    good: Mapping[str, Any]
    handle: str
    cookie: str
    chance: Random
    values: list[Any]
    noise: list[bytes]
    numbers: Iterator[int]

    def request(self) -> Request:
        path = self.path()
        is_server = path.startswith(SERVERS)
        method = "GET" if path in READ else "POST"
        who = SERVER if is_server else {"Authorization": f"Bearer {self.handle}"}
        page = {} if is_server else BRIDGE | {"Origin": ORIGINS[0]}
        if self.one_in(5):
            method = self.chance.choice(METHODS)
        if self.one_in(5):
            who = self.credentials()
        if self.one_in(5):
            names = self.chance.sample(sorted(SIGNALS), self.chance.randint(0, len(SIGNALS)))
            page = {name: self.chance.choice(SIGNALS[name]) for name in names}
        headers = {"Content-Type": "application/json"} | page | who
        return Request(method, path, headers, self.body())

    def path(self) -> str:
        """Give one of ours, or one that is nowhere, of whatever characters."""
        if not self.one_in(20):
            return self.chance.choice(PATHS)
        odd = quote(str(self.value())[:40], safe="/;.,") or "nowhere"
        return self.chance.choice(["/", "//", "/cart//", "/orders/", "/static/"]) + odd

    def credentials(self) -> dict[str, str]:
        handle = self.handle
        named = ["Bearer x", "Basic eDp5", f"Bearer  {handle} ", f"Bearer {handle}"]
        kept = {"Cookie": self.cookie}
        return self.chance.choice([{}, kept, dict(SERVER), *({"Authorization": x} for x in named)])

    def body(self) -> bytes:
        """Make a body: a good one with some members changed, or anything at all."""
        if self.one_in(10):
            return self.chance.choice(self.noise)
        body = json.loads(json.dumps(self.good))
        # Newer than all before, so that it is applied; and now and then another order.
        body |= {"seq": next(self.numbers), "orderId": f"order-{self.chance.randint(1, 99)}"}
        body["updatedItem"]["quantity"] = quantity = self.chance.randint(0, 4)
        body["updatedItem"]["totalPrice"] = body["updatedItem"]["unitPrice"] * quantity
        if self.one_in(3):
            return json.dumps(body).encode()
        for item in (body["updatedItem"], body["upsellItems"][0]):
            for name in self.some(MEMBERS, 2):
                item[name] = self.value()
        for name in self.some(BODY_MEMBERS, 3):
            body[name] = self.value()
        for name in self.some(sorted(body), 2):
            body.pop(name, None)
        return json.dumps(body).encode()

    def value(self) -> Any:
        return self.chance.choice(self.values)

    def some(self, names: Any, most: int) -> list[str]:
        return self.chance.choices(names, k=self.chance.randint(0, most))

    def one_in(self, many: int) -> bool:
        return self.chance.randrange(many) == 0


def good_body(shop: Shop) -> tuple[dict[str, Any], str, str]:
    """Return a body with a good value for every member, a session's handle and its cookie."""
    shopper = shop.shopper()
    shopper.add()
    item = shopper.item()
    quote = shopper.reserve()
    body = {
        "updatedItem": item, "oldItem": None, "page": shopper.page, "seq": 7,
        "acceptPrices": {item["cartItemId"]: "12.50"}, "attributes": {"country": "US"},
        "pageIdentifier": "checkout.upsell", "handle": shopper.handle, "orderId": "order-1",
        "quoteId": quote["quoteId"], "extra": {"payment": {"kind": "card"}},
        "quantities": {"ticket": 1}, "purchaseId": shopper.page, "upsellItems": [item],
    }  # fmt: skip
    cookie = shopper.client.get_cookie("rokt_bff")
    assert cookie is not None
    return body, shopper.handle, f"rokt_bff={cookie.value}"


@pytest.mark.sqlite
@pytest.mark.timeout(7200 if "FUZZ" in os.environ else 170)
def test_no_request_breaks_the_server_and_a_refused_one_changes_nothing(
    emulator: Client, make_shop: Callable[..., Shop]
) -> None:
    shop = make_shop(origins=ORIGINS[0], updates_per_second=1_000_000)
    good, handle, cookie = good_body(shop)
    ok(server_post(shop, "/orders", {"handle": handle, "orderId": "order-1"}))
    client = shop.app.test_client(use_cookies=False)
    answered: Counter[int] = Counter()
    numbers = itertools.count(8)
    path = shop.parts.store.engine.url.database
    assert path

    with closing(sqlite3.connect(path)) as onlooker:

        def version() -> int:
            """Give a number that is another after anybody else's commit."""
            (number,) = onlooker.execute("PRAGMA data_version").fetchone()
            return int(number)

        @settings(
            max_examples=-(-REQUESTS // OF_ONE_FIND), deadline=None, database=None,
            derandomize="FUZZ" not in os.environ,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(
            seed=st.integers(0, 2**63),
            found=st.lists(values, min_size=30, max_size=30),
            noise=st.lists(st.binary(max_size=40), min_size=3, max_size=3),
        )
        def send(seed: int, found: list[Any], noise: list[bytes]) -> None:
            composer = Composer(good, handle, cookie, Random(seed), found, noise, numbers)
            for _ in range(OF_ONE_FIND):
                one = composer.request()
                before = version()
                answer = client.open(
                    f"/rokt{one.path}", method=one.method, data=one.body, headers=dict(one.headers)
                )
                answered[answer.status_code] += 1
                assert answer.status_code < 500, (one, answer.text)
                if answer.status_code >= 400:
                    assert answer.mimetype == "application/problem+json", one
                    assert version() == before, one
                answer.close()

        send()
    # It got in as well as it was refused, else it would show nothing.
    assert {200, 201, 401, 403, 404, 405, 415, 422} <= set(answered), answered
    assert answered.total() >= REQUESTS
    print(sorted(answered.items()))
