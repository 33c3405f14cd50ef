"""Linked items follow the products of a partner's cart, as its backend sends them."""

from __future__ import annotations

from typing import Any

import pytest

from bff import InvalidInput
from tests.support.responses import problem_of
from tests.support.shop import BRIDGE, SERVER, Shop, Shopper, ok, server_post

INSURANCE = "insurance.ticket"
TICKET = "ticket.concert"


def sync(shop: Shop, shopper: Shopper, **quantities: Any) -> Any:
    told = {sku.replace("_", "."): quantity for sku, quantity in quantities.items()}
    return ok(server_post(shop, "/products", {"handle": shopper.handle, "quantities": told}))


def quantities_of(cart: Any) -> dict[str, int]:
    return {item["catalogItemId"]: item["quantity"] for item in cart["items"]}


def test_a_partners_backend_tells_its_products_and_linked_items_follow(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add()
    shopper.add(INSURANCE)
    cart = sync(shop, shopper, ticket_concert=3)
    assert quantities_of(cart) == {"parking.standard": 1, INSURANCE: 3}
    assert cart == shopper.cart()
    assert quantities_of(shopper.add(INSURANCE, 1))[INSURANCE] == 3
    left = sync(shop, shopper)
    assert (quantities_of(left), left["removed"]) == ({"parking.standard": 1}, [INSURANCE])
    assert quantities_of(shopper.add(INSURANCE)) == {"parking.standard": 1}
    sync(shop, shopper, ticket_concert=4)  # nobody needs to hear of that: no item follows it
    assert [told["cause"] for told in shop.heard.of("cart")].count("sync") == 2


def test_what_follows_keeps_its_reservation_and_what_leaves_is_given_back(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(INSURANCE)
    sync(shop, shopper, ticket_concert=2)
    quote = shopper.reserve()
    shopper.add(INSURANCE, 1)  # the placement's button sets 1; the tickets are two
    assert shopper.reserve()["quoteId"] == quote["quoteId"]
    sync(shop, shopper)
    assert shopper.reserve()["items"] == []
    assert len(shop.calls("release")) == 1


def test_wrong_products_are_refused_by_name_and_the_cart_stays(
    shop: Shop, shopper: Shopper
) -> None:
    before = shopper.add(INSURANCE)
    for quantities, field in (
        ({TICKET: -1}, f"quantities.{TICKET}.value"),
        ([TICKET], "quantities"),
    ):
        body = {"handle": shopper.handle, "quantities": quantities}
        problem = problem_of(server_post(shop, "/products", body), 422)
        assert list(problem["errors"]) == [field]
    with pytest.raises(InvalidInput) as caught:
        shop.parts.checkout.sync_products(shopper.handle, {TICKET: 1000})
    assert list(caught.value.errors) == [f"quantities.{TICKET}"]
    assert shopper.cart() == before


def test_products_are_for_a_server_that_knows_the_handle_and_for_no_page(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(INSURANCE)
    body = {"handle": shopper.handle, "quantities": {}}
    client = shop.app.test_client()
    page = {**SERVER, "Origin": "http://localhost"}
    problem_of(client.post("/rokt/products", json=body, headers=page), 403)
    problem_of(client.post("/rokt/products", json=body, headers=BRIDGE), 403)
    problem_of(client.post("/rokt/products", json=body), 401)
    problem_of(server_post(shop, "/products", {"handle": "unknown", "quantities": {}}), 401)
    assert len(shopper.cart()["items"]) == 1
