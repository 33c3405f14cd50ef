"""Requests that a login overtakes: sent with the old cookie, answered after it. No click is lost.

Over real HTTP: a browser's other connection, which has the cookies from before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from bff import Upsells
from bff.store.handles import RETRY_AFTER_LOGIN
from tests.support.attackers import Browser, Market, market_of
from tests.support.shop import Shop
from tests.support.summaries import PARKING, POSTER


@pytest.fixture
def market(shop: Shop) -> Iterator[Market]:
    with market_of(shop) as market:
        upsells = shop.upsells
        views: dict[str, Callable[[], object]] = {
            "held": lambda: upsells.cart,
            "empty": lambda: upsells.release(),
            "tickets": lambda: upsells.sync_products({"ticket": 1}),
            "other": lambda: upsells.remove("another"),
            "offers": lambda: upsells.any_placements(),
        }
        for name, verb in views.items():
            view = _view(verb)
            shop.app.add_url_rule(f"/{name}", name, view, methods=["POST"])
        yield market


def _view(verb: Callable[[], Any]) -> Callable[[], dict[str, Any]]:
    return lambda: Upsells.to_json(verb())


@pytest.fixture
def browser(market: Market) -> Iterator[Browser]:
    """A shopper who holds an item, has a quote for it, and is about to log in."""
    browser = market.browser()
    browser.tell(browser.item(PARKING))
    browser.reserve()
    yield browser
    browser.http.close()


@pytest.fixture
def late(market: Market, browser: Browser) -> Iterator[Browser]:
    """The shopper's other connection: what it sends left the browser before the login."""
    late = market.browser()
    late.offers, late.page = browser.offers, browser.page
    late.wear(browser.cookie)
    assert browser.send("/login").status_code == 200
    yield late
    late.http.close()


def held(browser: Browser) -> list[str]:
    return [item["catalogItemId"] for item in browser.cart()]


def test_an_update_that_a_login_overtakes_is_asked_for_again(
    browser: Browser, late: Browser
) -> None:
    answer = late.tell(late.item(POSTER))
    assert (answer.status_code, answer.json()["code"]) == (503, "session_moved")
    assert answer.headers["Retry-After"] == "1"
    assert "Set-Cookie" not in answer.headers
    browser.tell(late.item(POSTER))  # with the cookie that the browser has by then
    assert held(browser) == [PARKING, POSTER]


def test_nothing_that_a_login_overtakes_touches_a_cookie_or_the_cart(
    market: Market, browser: Browser, late: Browser
) -> None:
    shop = ("/pay", "/empty", "/tickets", "/other", "/offers")
    ours = ("/rokt/placements/any", "/rokt/cart/reserve", "/rokt/cart/release")
    calls = len(market.shop.calls())
    for path in (*shop, *ours, "/rokt/cart"):
        body = {"pageIdentifier": "checkout.upsell"} if path.endswith("any") else None
        page = {"Origin": market.url, "Rokt-Bff": "1"}
        answer = (
            requests.get(market.url + path, headers=page, cookies=late.http.cookies, timeout=60)
            if path == "/rokt/cart"
            else late.send(path, body)
        )
        assert answer.status_code == (500 if path in shop else 503), path
        assert "Set-Cookie" not in answer.headers, path
    read = late.send("/held")
    assert (read.json()["items"], "Set-Cookie" in read.headers) == ([], False)
    assert len(market.shop.calls()) == calls
    assert market.till.charged == {}
    assert browser.pay() == {"USD": "12.50"}


def test_a_login_that_another_overtakes_leaves_its_cookie_alone(
    browser: Browser, late: Browser
) -> None:
    answer = late.send("/login")  # the second click of two
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, False)
    assert held(browser) == [PARKING]


def test_a_press_that_a_login_overtakes_is_asked_for_again(
    market: Market, browser: Browser, late: Browser
) -> None:
    item = late.item(POSTER)
    press = {"purchaseId": browser.page, "upsellItems": [item]}
    answer = late.send("/buy-again", press)
    assert (answer.status_code, answer.json()["code"]) == (503, "session_moved")
    assert market.till.charged == {}
    market.saw(item["cartItemId"], item["unitPrice"])
    assert browser.send("/buy-again", press).json()["success"]


def test_a_first_update_that_its_session_s_login_overtakes_starts_no_second(
    market: Market,
) -> None:
    browser, late = market.browser(), market.browser()
    browser.cart()
    late.http.cookies.update(browser.http.cookies)  # the first handle, and nothing else
    browser.tell(browser.item(PARKING))
    assert browser.send("/login").status_code == 200
    answer = late.tell(late.item(POSTER))
    assert (answer.status_code, answer.json()["code"]) == (503, "session_moved")
    assert "Set-Cookie" not in answer.headers
    assert held(browser) == [PARKING]
    browser.http.close()
    late.http.close()


@pytest.mark.parametrize("settings", [{}, {"session_seconds": 120.0}], ids=["moved", "ended"])
def test_who_still_has_the_old_cookie_later_starts_anew(
    make_shop: Callable[..., Shop], settings: dict[str, float]
) -> None:
    """Where the login's answer was lost, say: nobody is to be shut out for long."""
    shop = make_shop(**settings)
    shopper = shop.shopper()
    shopper.add(PARKING)
    shop.parts.checkout.rotate(shopper.handle)
    assert shopper.update(shopper.item(POSTER)).status_code == 503
    shop.clock.move(121 if settings else RETRY_AFTER_LOGIN.total_seconds() + 1)
    assert [item["catalogItemId"] for item in shopper.add(POSTER)["items"]] == [POSTER]
