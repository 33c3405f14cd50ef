"""Every endpoint: its answer as the design lists it, and what stands around the answer."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from sqlalchemy import func, select

from bff.store.tables import metadata, sessions
from tests.support.databases import destroy
from tests.support.responses import problem_of
from tests.support.shop import BRIDGE, SERVER, Shop, Shopper, ok, server_get, server_post

CART = {"cartId", "version", "items", "totals", "removed"}
ITEM = {
    "cartItemId", "catalogItemId", "name", "description", "quantity",
    "unitPrice", "totalPrice", "currency", "status",
}  # fmt: skip
QUOTE = {"quoteId", "cartId", "items", "rejected", "priceChanges", "totals", "expiresAt"}
ORDER = {"orderId", "cartId", "status", "items", "totals", "attempts"}
AMOUNT = re.compile(r"\d+\.\d\d")


def is_utc_time(text: str) -> bool:
    return datetime.fromisoformat(text).utcoffset() == timedelta(0)


def rows_in(shop: Shop) -> dict[str, int]:
    """Count what the database holds, table by table."""
    with shop.parts.store.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }


def test_a_cart_without_a_session_is_empty_and_nothing_is_written(shop: Shop) -> None:
    before = rows_in(shop)
    client = shop.app.test_client()
    answer = client.get("/rokt/cart", headers=BRIDGE)
    assert ok(answer) == {"cartId": None, "version": 0, "items": [], "totals": {}, "removed": []}
    assert rows_in(shop) == before
    [cookie] = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("rokt_bff_first="), "the handle of a session that is not there yet"
    assert "Set-Cookie" not in client.get("/rokt/cart", headers=BRIDGE).headers


def test_a_cart_cookie_whose_session_ended_reads_as_empty_and_writes_nothing(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add()
    shop.clock.move(25 * 3600)
    before = rows_in(shop)
    assert shopper.cart()["items"] == []
    assert rows_in(shop) == before


def test_an_update_answers_the_cart(shop: Shop, shopper: Shopper) -> None:
    cart = shopper.add(quantity=2)
    assert set(cart) == CART
    UUID(cart["cartId"])
    assert cart["version"] == 1
    assert cart["totals"] == {"USD": "25.00"}
    assert cart["removed"] == []
    offer = shopper.offers["parking.standard"]
    assert cart["items"] == [
        {
            "cartItemId": offer["cartItemId"],
            "catalogItemId": "parking.standard",
            "name": offer["name"],
            "description": offer["description"],
            "quantity": 2,
            "unitPrice": "12.50",
            "totalPrice": "25.00",
            "currency": "USD",
            "status": "held",
        }
    ]
    assert shopper.cart() == cart
    assert rows_in(shop)["sessions"] == 1


def test_a_linked_item_says_so(shopper: Shopper) -> None:
    (item,) = shopper.add("insurance.ticket")["items"]
    assert set(item) == ITEM | {"linkedProductId", "quantityMustBeSynchronized"}
    assert item["linkedProductId"] == "ticket.concert"
    assert item["quantityMustBeSynchronized"] is True


def test_what_was_taken_out_is_named(shopper: Shopper) -> None:
    shopper.add()
    cart = shopper.remove()
    assert cart["items"] == []
    assert cart["removed"] == ["parking.standard"]


def test_both_spellings_of_an_update_do_the_same(shop: Shop) -> None:
    carts = []
    for new, old in (("updatedItem", "oldItem"), ("cartItem", "oldCartItem")):
        shopper = shop.shopper()
        shopper.offers = {**shopper.offers, "parking.standard": OFFER}
        ok(shopper.post("/cart/updates", {new: shopper.item(), old: None}))
        ok(shopper.post("/cart/updates", {new: shopper.item(quantity=3), old: shopper.item()}))
        carts.append(shopper.cart())
    assert [cart["items"][0]["quantity"] for cart in carts] == [3, 3]
    assert carts[0]["items"] == carts[1]["items"]
    one = shop.shopper()
    one.add()
    removed = one.post("/cart/updates", {"cartItem": None, "oldCartItem": one.item()})
    assert ok(removed)["items"] == []


OFFER: dict[str, Any] = {
    "cartItemId": "v1:same:parking.standard",
    "catalogItemId": "parking.standard",
    "name": "Parking",
    "description": "A space",
    "unitPrice": 12.5,
    "currency": "USD",
}


def test_two_nulls_change_nothing(shopper: Shopper) -> None:
    cart = shopper.add()
    assert ok(shopper.update(None, None)) == cart


def test_a_session_for_a_page_elsewhere_comes_with_its_handle(shop: Shop) -> None:
    answer = shop.app.test_client().post("/rokt/session", json={}, headers=BRIDGE)
    assert answer.status_code == 201
    body = ok(answer)
    assert set(body) == {"handle", "cart"}
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", body["handle"])  # 256 random bits
    assert set(body["cart"]) == CART
    assert "Set-Cookie" not in answer.headers
    with shop.parts.store.read() as connection:
        (row,) = connection.execute(select(sessions)).all()
    assert body["handle"] not in repr(row)


def test_placements_answer_with_a_reason(shop: Shop, shopper: Shopper) -> None:
    question = {"pageIdentifier": "checkout.upsell", "attributes": {"country": "US"}}
    assert ok(shopper.post("/placements/any", question)) == {
        "result": True,
        "reason": "placements",
    }
    shop.emulator.faults("any", {"kind": "drop"})
    down = ok(shopper.post("/placements/any", question))
    assert down["result"] is False
    assert down["reason"] in {"unreachable", "timeout"}


def test_a_quote_has_the_documented_members(shop: Shop, shopper: Shopper) -> None:
    shopper.add(quantity=2)
    shopper.add("poster.souvenir")
    shopper.add("parking.vip")
    shop.emulator.faults(
        "reserve",
        {"kind": "reject", "catalogItemIds": ["poster.souvenir"], "form": "absent"},
    )
    quote = shopper.reserve()
    assert set(quote) == QUOTE
    UUID(quote["quoteId"])
    assert quote["cartId"] == shopper.cart()["cartId"]
    assert is_utc_time(quote["expiresAt"])
    for item in quote["items"]:
        assert set(item) == ITEM | {"reservedUntil"}
        assert item["status"] == "reserved"
        assert is_utc_time(item["reservedUntil"])
        assert AMOUNT.fullmatch(item["unitPrice"])
        assert AMOUNT.fullmatch(item["totalPrice"])
    assert quote["totals"] == {"USD": "45.00"}
    poster = shopper.offers["poster.souvenir"]
    assert quote["rejected"] == [
        {
            "cartItemId": poster["cartItemId"],
            "catalogItemId": "poster.souvenir",
            "name": poster["name"],
            "quantity": 1,
            "reason": "rejected",
        }
    ]
    held = {item["catalogItemId"]: item for item in shopper.cart()["items"]}
    assert held["poster.souvenir"]["status"] == "rejected"
    assert held["poster.souvenir"]["reason"] == "rejected"


def test_a_dearer_price_is_told_and_taken_with_consent(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    shop.emulator.faults(
        "reserve", {"kind": "price", "catalogItemId": "parking.standard", "unitPrice": 15}
    )
    quote = shopper.reserve()
    item_id = shopper.offers["parking.standard"]["cartItemId"]
    assert quote["priceChanges"] == [{"cartItemId": item_id, "from": "12.50", "to": "15.00"}]
    assert (quote["items"], quote["totals"], quote["expiresAt"]) == ([], {}, None)
    taken = shopper.reserve(acceptPrices={item_id: "15.00"})
    assert taken["totals"] == {"USD": "15.00"}


def test_release_answers_the_cart_with_its_lines_held(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    shopper.reserve()
    assert shopper.cart()["items"][0]["status"] == "reserved"
    cart = ok(shopper.post("/cart/release"))
    assert set(cart) == CART
    assert [item["status"] for item in cart["items"]] == ["held"]


def test_an_order_has_the_documented_members(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    quote = shopper.reserve()
    order = shopper.pay("A-1", quoteId=quote["quoteId"])
    assert set(order) == ORDER
    assert (order["orderId"], order["cartId"]) == ("A-1", quote["cartId"])
    assert (order["status"], order["attempts"]) == ("confirmed", 1)
    assert order["totals"] == {"USD": "12.50"}
    assert [set(item) for item in order["items"]] == [ITEM]
    assert ok(server_get(shop, "/orders/A-1")) == order
    cancelled = ok(server_post(shop, "/orders/A-1/cancel", {}))
    assert (cancelled["status"], set(cancelled)) == ("cancelled", ORDER)


def test_an_order_still_owed_says_when_it_is_tried_next(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    shopper.reserve()
    shop.emulator.faults("confirm", {"kind": "status", "status": 503, "times": 1})
    before = datetime.now(UTC)
    order = shopper.pay("A-2")
    assert set(order) == ORDER | {"nextAttemptAt", "lastError"}
    assert order["status"] == "confirming"
    assert datetime.fromisoformat(order["nextAttemptAt"]) > before + timedelta(seconds=0.5)
    assert is_utc_time(order["nextAttemptAt"])


@pytest.mark.parametrize("order_id", ["/A-1", "//A-1/", "/", "A//1", "/A-1/cancel", "A-1/"])
def test_an_order_is_read_and_cancelled_whatever_slashes_its_id_has(
    shop: Shop, shopper: Shopper, order_id: str
) -> None:
    shopper.add()
    shopper.reserve()
    order = shopper.pay(order_id)
    path = f"/orders/{quote(order_id, safe='')}"
    assert ok(server_get(shop, path)) == order
    assert ok(server_post(shop, f"{path}/cancel", {}))["status"] == "cancelled"
    assert ok(server_get(shop, path))["orderId"] == order_id


@pytest.mark.parametrize("path", ["/orders/none", "/orders/none/cancel"])
def test_an_order_that_nobody_paid_is_not_found(shop: Shop, path: str) -> None:
    method = server_get if path.endswith("none") else lambda s, p: server_post(s, p, {})
    answer = method(shop, path)
    assert problem_of(answer, 404)["code"] == "not_found"


def test_nothing_but_scripts_may_be_cached(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    client = shop.app.test_client()
    answers = [
        shopper.client.get("/rokt/cart", headers=BRIDGE),
        shopper.post("/session"),
        shopper.update(shopper.item()),
        shopper.update({"quantity": -1}),
        shopper.post("/placements/any", {"pageIdentifier": "x"}),
        shopper.post("/cart/reserve"),
        shopper.post("/cart/release"),
        server_post(shop, "/orders", {"handle": shopper.handle, "orderId": "A-3"}),
        client.get("/rokt/orders/A-3", headers=SERVER),
        server_post(shop, "/orders/A-3/cancel", {}),
        client.get("/rokt/health"),
        client.get("/rokt/openapi.json"),
        client.get("/rokt/nowhere"),
        client.delete("/rokt/cart"),
    ]
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    script = client.get("/rokt/static/bridge.js")
    assert "no-store" not in script.headers["Cache-Control"]
    assert "max-age" in script.headers["Cache-Control"]
    script.close()


def test_health_tells_whether_the_database_answers(shop: Shop) -> None:
    client = shop.app.test_client()
    assert ok(client.get("/rokt/health")) == {"status": "ok"}
    destroy(shop.parts.store)
    gone = client.get("/rokt/health")
    assert problem_of(gone, 503)["code"] == "store_unavailable"
    assert gone.headers["Retry-After"] == "1"
    assert str(shop.parts.store.engine.url.database) not in gone.text
