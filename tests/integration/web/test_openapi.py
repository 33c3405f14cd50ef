"""The OpenAPI document: valid, complete, and true of what is answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from tests.support.shop import BRIDGE, Shop, Shopper, ok, server_get, server_post


def description(shop: Shop, prefix: str = "/rokt") -> dict[str, Any]:
    document: dict[str, Any] = ok(shop.app.test_client().get(f"{prefix}/openapi.json"))
    return document


def test_it_is_valid_and_lists_every_route_and_only_those(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(url_prefix="/upsell")
    document = description(shop, "/upsell")
    validate(document)
    listed = {
        (method.upper(), document["servers"][0]["url"] + path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    served = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in shop.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.startswith("rokt_bff.") and rule.endpoint != "rokt_bff.nothing_here"
    }
    assert listed == served


def answers(shop: Shop, shopper: Shopper) -> Iterator[tuple[str, str, TestResponse]]:
    """Go through a purchase; path and method as described, and what was answered."""
    yield "/session", "post", shopper.post("/session")
    yield "/cart/updates", "post", shopper.update(shopper.item())
    yield "/cart/updates", "post", shopper.update(shopper.item("insurance.ticket"))
    yield "/cart/updates", "post", shopper.update({"quantity": -1})
    yield "/cart", "get", shopper.client.get("/rokt/cart", headers=BRIDGE)
    question = {"pageIdentifier": "checkout.upsell"}
    yield "/placements/any", "post", shopper.post("/placements/any", question)
    shop.emulator.faults("reserve", {"kind": "price", "catalogItemId": "insurance.ticket",
                                     "unitPrice": 9})  # fmt: skip
    yield "/cart/reserve", "post", shopper.post("/cart/reserve")
    shop.emulator.faults("confirm", {"kind": "status", "status": 503})
    paid = server_post(shop, "/orders", {"handle": shopper.handle, "orderId": "A-1"})
    yield "/orders", "post", paid
    yield "/orders/{order_id}", "get", server_get(shop, "/orders/A-1")
    yield "/orders/{order_id}", "get", server_get(shop, "/orders/none")
    yield "/orders/{order_id}/cancel", "post", server_post(shop, "/orders/A-1/cancel", {})
    yield "/cart/release", "post", shopper.post("/cart/release")
    yield "/cart/release", "post", shopper.client.post("/rokt/cart/release", data="x")
    told = {"handle": shopper.handle, "quantities": {"ticket": 1}}
    yield "/products", "post", server_post(shop, "/products", told)
    shopper.load_page()
    press = {"handle": shopper.handle, "upsellItems": [shopper.item()]}
    purchase = {"purchaseId": "0b4f4bb2-8f0c-4f6e-9a53-2f1b4c1eb1f0"}
    yield "/purchases", "post", server_post(shop, "/purchases", press)
    yield "/purchases", "post", server_post(shop, "/purchases", press | purchase)
    yield "/health", "get", shop.app.test_client().get("/rokt/health")


def test_what_is_answered_is_what_it_describes(shop: Shop, shopper: Shopper) -> None:
    document = description(shop)
    for path, method, answer in answers(shop, shopper):
        described = document["paths"][path][method]["responses"]
        entry = described[str(answer.status_code)]
        content = entry["content"][answer.mimetype]  # an undescribed media type fails here
        schema = {"components": document["components"]} | content["schema"]
        checker = OAS31Validator(schema, format_checker=oas31_format_checker)
        assert [str(error) for error in checker.iter_errors(answer.json)] == [], path
        if answer.status_code >= 400:
            assert answer.mimetype == "application/problem+json"


def test_it_names_the_cookie_that_holds_the_handle(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    shopper = shop.shopper()
    shopper.add()
    scheme = description(shop)["components"]["securitySchemes"]["cookie"]
    assert shopper.client.get_cookie(scheme["name"]) is not None
    shop = make_shop(SESSION_COOKIE_SECURE=True)
    scheme = description(shop)["components"]["securitySchemes"]["cookie"]
    assert scheme["name"].startswith("__Host-")


def test_every_code_that_is_answered_is_listed(shop: Shop, shopper: Shopper) -> None:
    schemas = description(shop)["components"]["schemas"]
    listed = set(schemas["Problem"]["properties"]["code"]["examples"])
    page, server = shopper.client, shop.app.test_client()
    shopper.add()
    met = {
        problem.json["code"]
        for problem in (
            page.post("/rokt/cart/updates", json={}),
            page.post("/rokt/cart/updates", json={}, headers=BRIDGE | {"Origin": "null"}),
            page.post("/rokt/cart/updates", json=[], headers=BRIDGE),
            page.post("/rokt/cart/updates", data="x", headers=BRIDGE),
            page.post("/rokt/cart/updates", json={}, headers=BRIDGE),
            page.post("/rokt/orders", json={}, headers=BRIDGE),
            server.post("/rokt/orders", json={}),
            server_get(shop, "/orders/none"),
            server_post(shop, "/orders", {"handle": "nobody", "orderId": "A-1"}),
        )
        if problem.json
    }
    assert met == listed & met
    assert len(met) == 9
