"""Generated requests at the whole blueprint: no 5xx, and a refused one changes nothing.

``FUZZ=100000`` in the environment asks for so many requests; without it there are fewer.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData

from bff.tables import metadata
from tests.emulator_client import Client
from tests.shopping import BRIDGE, SERVER, Shop, ok, server_post

REQUESTS = int(os.environ.get("FUZZ", "600"))
PATHS = ("/cart/updates", "/cart/reserve", "/cart/release", "/placements/any", "/session",
         "/orders", "/orders/order-1", "/orders/order-1/cancel", "/products", "/purchases", "/cart",
         "/nowhere")  # fmt: skip
ORIGINS = ("https://shop.example", "https://shop.example.evil.io", "http://shop.example", "null",
           "http://localhost", "https://SHOP.example")  # fmt: skip
MEDIA = ("application/json", "text/plain", "application/x-www-form-urlencoded", "application/JSON")

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
                "purchaseId", "upsellItems", "totalUpsellPrice", "currency")  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn, good: dict[str, Any]) -> bytes:
    """Make a body: a good one with some members changed, or anything at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=40))
    body = json.loads(json.dumps(good))
    for item in (body["updatedItem"], body["upsellItems"][0]):
        for name in draw(st.lists(st.sampled_from(MEMBERS), max_size=2)):
            item[name] = draw(values)
    for name in draw(st.lists(st.sampled_from(BODY_MEMBERS), max_size=3)):
        body[name] = draw(values)
    for name in draw(st.lists(st.sampled_from(sorted(body)), max_size=2)):
        body.pop(name, None)
    return json.dumps(body).encode()


def mostly(usual: str, others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give ``usual`` four times of five: most requests shall get past the guard."""
    return st.integers(0, 4).flatmap(lambda n: others if n == 0 else st.just(usual))


class Files:
    """SQLite's files of a shop: where nobody wrote to them, nothing has changed."""

    def __init__(self, shop: Shop) -> None:
        name = shop.parts.store.engine.url.database
        assert name
        self._paths = [Path(name), Path(f"{name}-wal")]
        self._last = self._look()

    def changed(self) -> bool:
        last, self._last = self._last, self._look()
        return last != self._last

    def _look(self) -> list[tuple[int, int]]:
        looked = [path.stat() for path in self._paths if path.exists()]
        return [(one.st_size, one.st_mtime_ns) for one in looked]


def good_body(shop: Shop) -> tuple[dict[str, Any], str]:
    """Return a body with a good value for every member, and a session's handle."""
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
    return body, shopper.handle


def digest(shop: Shop) -> str:
    """Return what the whole database says, in short."""
    state = hashlib.sha256()
    with shop.parts.store.read() as connection:
        for table in tables(metadata):
            for row in connection.execute(table.select().order_by(*table.primary_key.columns)):
                state.update(repr(row).encode())
    return state.hexdigest()


def tables(known: MetaData) -> Any:
    return known.sorted_tables


@pytest.mark.sqlite
@pytest.mark.timeout(7200 if "FUZZ" in os.environ else 170)
def test_no_request_breaks_the_server_and_a_refused_one_changes_nothing(
    emulator: Client, make_shop: Any
) -> None:
    shop = make_shop(origins="https://shop.example", updates_per_second=1_000_000)
    good, handle = good_body(shop)
    ok(server_post(shop, "/orders", {"handle": handle, "orderId": "order-1"}))
    credentials = st.sampled_from(
        [{}, {"Authorization": f"Bearer {handle}"}, SERVER, {"Authorization": "Bearer x"},
         {"Authorization": "Basic eDp5"}, {"Authorization": f"Bearer  {handle} "}]
    )  # fmt: skip
    signals = st.fixed_dictionaries(
        {},
        optional={
            "Origin": st.sampled_from(ORIGINS),
            "Sec-Fetch-Site": st.sampled_from(["same-origin", "cross-site", "none", "x"]),
            "Rokt-Bff": st.sampled_from(["1", "0", ""]),
            "Content-Type": st.sampled_from(MEDIA),
            "Accept-Language": st.sampled_from(["en-US", "x" * 300, "de;q=oops", "\xfc"]),
        },
    )
    answered: dict[int, int] = {}
    before = digest(shop)
    files = Files(shop)

    @settings(
        max_examples=REQUESTS, deadline=None, database=None, derandomize="FUZZ" not in os.environ,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        path=st.sampled_from(PATHS),
        method=mostly("its own", st.sampled_from(["POST", "GET", "PUT", "DELETE", "PATCH"])),
        body=bodies(good),
        who=mostly("its own", credentials),
        page=mostly("its own", signals),
    )
    def send(path: str, method: str, body: bytes, who: Any, page: Any) -> None:
        nonlocal before
        is_server = path.startswith(("/orders", "/products", "/purchases"))
        if method == "its own":
            method = "GET" if path in ("/cart", "/orders/order-1", "/nowhere") else "POST"
        if who == "its own":
            who = SERVER if is_server else {"Authorization": f"Bearer {handle}"}
        if page == "its own":
            page = {} if is_server else BRIDGE | {"Origin": "https://shop.example"}
        headers = {"Content-Type": "application/json"} | page | who
        answer = shop.app.test_client().open(
            f"/rokt{path}", method=method, data=body, headers=headers
        )
        answered[answer.status_code] = answered.get(answer.status_code, 0) + 1
        assert answer.status_code < 500, answer.text
        after = digest(shop) if files.changed() else before
        if answer.status_code >= 400:
            assert answer.mimetype == "application/problem+json"
            assert after == before, (method, path, answer.status_code)
        before = after

    send()
    # It got in as well as it was refused, else it would show nothing.
    assert {200, 401, 403, 422} <= set(answered), answered
    print(answered)
