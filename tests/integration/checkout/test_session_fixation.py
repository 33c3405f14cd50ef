"""A handle that an attacker planted, or that a session had before: worthless after the login."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bff import Unauthorized
from bff.store.handles import RETRY_AFTER_LOGIN
from tests.support.responses import problem_of
from tests.support.shop import Shop, Shopper, Views, bearer, ok, server_post
from tests.support.summaries import PARKING, POSTER


@pytest.fixture
def views(shop: Shop) -> Views:
    return Views(shop)


@pytest.fixture
def attacker(shop: Shop, shopper: Shopper, views: Views) -> Shopper:
    """Who planted the shopper's cookie; the shopper has logged in since."""
    attacker = shop.shopper()
    attacker.add(PARKING)
    planted = attacker.client.get_cookie("rokt_bff")
    assert planted is not None
    shopper.client.set_cookie("rokt_bff", planted.value)
    views.run(shopper, lambda: shop.upsells.rotate())
    return attacker


def held(shopper: Shopper) -> list[str]:
    return [item["catalogItemId"] for item in shopper.cart()["items"]]


def test_a_planted_handle_does_not_buy_what_the_shopper_chose_after_the_login(
    shop: Shop, shopper: Shopper, attacker: Shopper, views: Views
) -> None:
    shopper.add(POSTER)
    quote = shopper.reserve()
    assert len(quote["items"]) == 2
    with pytest.raises(Unauthorized):
        views.run(attacker, lambda: shop.upsells.confirm("ATTACKER-1"))
    body = {"handle": attacker.handle, "orderId": "ATTACKER-2"}
    answer = server_post(shop, "/orders", body)
    assert problem_of(answer, 401)["code"] == "unknown_payer"
    assert shop.calls("confirm") == []
    assert held(shopper) == [PARKING, POSTER]
    order = shopper.pay("order-1")
    assert {item["catalogItemId"] for item in order["items"]} == {PARKING, POSTER}


def test_nor_what_was_never_reserved(
    make_shop: Callable[..., Shop],
) -> None:
    shop = make_shop(confirm_unreserved=True)
    shopper = shop.shopper()
    shopper.add()
    old = shopper.handle
    new = shop.parts.checkout.rotate(old)
    answer = server_post(shop, "/orders", {"handle": old, "orderId": "ATTACKER-1"})
    assert answer.status_code == 401
    order = ok(server_post(shop, "/orders", {"handle": new, "orderId": "order-1"}))
    assert [item["status"] for item in order["items"]] == ["confirmed"]


def test_an_old_handle_pays_for_the_quote_from_before_the_login_and_no_later_one(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add(PARKING)
    before = shopper.reserve()
    old = shopper.handle
    views.run(shopper, lambda: shop.upsells.rotate())
    shopper.add(POSTER)
    after = shopper.reserve()
    assert after["quoteId"] != before["quoteId"]
    order = ok(server_post(shop, "/orders", {"handle": old, "orderId": "order-1"}))
    assert [item["catalogItemId"] for item in order["items"]] == [PARKING]
    assert held(shopper) == [POSTER]


def test_an_old_handle_pays_for_half_an_hour(shop: Shop, shopper: Shopper) -> None:
    def try_it(order_id: str, **more: Any) -> int:
        body = {"handle": old, "orderId": order_id} | more
        return server_post(shop, "/orders", body).status_code

    shopper.add()
    quote = shopper.reserve()
    old = shopper.handle
    shop.parts.checkout.rotate(old)
    shop.clock.move(29 * 60)
    assert try_it("order-1") == 201
    shop.clock.move(2 * 60)
    assert try_it("order-1") == 401
    assert try_it("order-1", quoteId=quote["quoteId"]) == 200  # the quote is good by itself


def test_a_planted_handle_reads_and_changes_nothing_after_the_login(
    shop: Shop, shopper: Shopper, attacker: Shopper
) -> None:
    shopper.add(POSTER)
    page = bearer(attacker.handle)
    client = shop.app.test_client()
    problem_of(client.get("/rokt/cart", headers=page), 401)
    update = {"updatedItem": None, "oldItem": shopper.item(POSTER)}
    for path, body in {"/cart/updates": update, "/cart/reserve": {}, "/cart/release": {}}.items():
        problem_of(client.post(f"/rokt{path}", json=body, headers=page), 401)
    # By the cookie they are at first taken for a request that the login overtook, and later they
    # start a session of their own.
    assert attacker.update(attacker.item(PARKING, 3)).status_code == 503
    shop.clock.move(RETRY_AFTER_LOGIN.total_seconds() + 1)
    attacker.add(PARKING, 3)
    assert held(attacker) == [PARKING]
    assert held(shopper) == [PARKING, POSTER]
    assert shopper.cart()["items"][0]["quantity"] == 1


@pytest.mark.parametrize("at_once", [False, True])
def test_a_planted_first_handle_is_no_handle_after_the_login(
    shop: Shop, shopper: Shopper, views: Views, at_once: bool
) -> None:
    """A shopper without a session has nothing to rotate, and yet must not share the one to come."""
    attacker = shop.shopper()
    attacker.cart()
    first = attacker.client.get_cookie("rokt_bff_first")
    assert first is not None
    planted = first.decoded_value.rsplit(".", 1)[0]
    shopper.client.set_cookie("rokt_bff_first", first.value)

    def login() -> None:
        shop.upsells.rotate()
        if at_once:
            shop.upsells.any_placements()  # starts a session in the same request

    views.run(shopper, login)
    assert shopper.client.get_cookie("rokt_bff_first") is None
    shopper.add(POSTER)
    assert shopper.handle != planted
    problem_of(shop.app.test_client().get("/rokt/cart", headers=bearer(planted)), 401)


def test_an_order_is_one_session_s(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    shopper.reserve()
    shopper.pay("order-1")
    other = shop.shopper()
    other.add(POSTER)
    quote = other.reserve()
    for more in ({}, {"quoteId": quote["quoteId"]}):
        body = {"handle": other.handle, "orderId": "order-1"} | more
        assert problem_of(server_post(shop, "/orders", body), 409)["code"] == "foreign_order"
    stranger = {"handle": shopper.handle, "orderId": "order-2", "quoteId": quote["quoteId"]}
    assert problem_of(server_post(shop, "/orders", stranger), 404)["code"] == "quote_not_found"
    assert len(shop.calls("confirm")) == 1
