"""When a session ends: after a day without a change, and after thirty days whatever is done."""

from __future__ import annotations

from collections.abc import Callable

from bff.store.sessions import LONGEST_SESSION
from tests.support.responses import problem_of
from tests.support.shop import Shop, bearer, ok

HOUR = 3600.0
MakeShop = Callable[..., Shop]


def open_session(shop: Shop) -> dict[str, str]:
    """Start a session for a page elsewhere; returns its headers."""
    answer = shop.app.test_client().post("/rokt/session", json={}, headers=bearer("none"))
    return bearer(ok(answer)["handle"])


def change(shop: Shop, page: dict[str, str], quantity: int) -> int:
    item = shop.shopper().item(quantity=quantity)
    answer = shop.app.test_client().post(
        "/rokt/cart/updates", json={"updatedItem": item}, headers=page
    )
    return answer.status_code


def lives(shop: Shop, page: dict[str, str]) -> bool:
    answer = shop.app.test_client().get("/rokt/cart", headers=page)
    if answer.status_code != 200:
        problem_of(answer, 401)
        return False
    return True


def test_a_session_ends_a_day_after_its_last_change(shop: Shop) -> None:
    page = open_session(shop)
    for quantity in (1, 2, 3):
        shop.clock.move(23 * HOUR)
        assert change(shop, page, quantity) == 200
    shop.clock.move(23 * HOUR)
    assert lives(shop, page)  # but looking at it is no change
    shop.clock.move(2 * HOUR)
    assert not lives(shop, page)
    assert change(shop, page, 4) == 401


def test_a_session_that_is_used_every_day_ends_after_thirty(shop: Shop) -> None:
    page = open_session(shop)
    hours = LONGEST_SESSION.total_seconds() / HOUR
    assert hours == 30 * 24
    for day in range(29):
        shop.clock.move(24 * HOUR - 60)
        assert change(shop, page, 1 + day % 2) == 200
    shop.clock.move(23 * HOUR)
    assert change(shop, page, 3) == 200
    shop.clock.move(1 * HOUR)
    assert lives(shop, page)  # 29 minutes of thirty days are left
    shop.clock.move(0.5 * HOUR)
    assert not lives(shop, page)


def test_a_login_does_not_make_a_session_live_longer(make_shop: MakeShop) -> None:
    shop = make_shop(session_seconds=40 * 24 * HOUR)  # the thirty days come first
    page = open_session(shop)
    shop.clock.move(29 * 24 * HOUR)
    assert change(shop, page, 1) == 200
    renewed = bearer(shop.parts.checkout.rotate(page["Authorization"].split()[1]))
    assert change(shop, renewed, 2) == 200
    assert not lives(shop, page)
    shop.clock.move(23 * HOUR)
    assert lives(shop, renewed)
    shop.clock.move(2 * HOUR)
    assert not lives(shop, renewed)


def test_what_was_quoted_before_a_session_ended_can_still_be_paid(shop: Shop) -> None:
    shopper = shop.shopper()
    shopper.add()
    shopper.reserve()
    handle = shopper.handle
    shop.move_clocks(25 * HOUR)
    assert not lives(shop, bearer(handle))
    order = shopper.pay("order-1")
    assert [item["status"] for item in order["items"]] == ["confirmed"]
