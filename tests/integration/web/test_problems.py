"""What goes wrong under /rokt is told as a problem document; the shop's own pages stay its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, got_request_exception

from tests.support.emulator_client import Client
from tests.support.responses import problem_of
from tests.support.shop import BRIDGE, SERVER, Shop, Shopper, bearer

SECRET = "a text with somebody@example.com in it"


def with_pages_of_its_own(shop: Shop) -> None:
    """Give the shop error pages, one for each way to register them."""
    app = shop.app
    app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)
    for code in (400, 404, 405, 413, 415, 500):
        app.register_error_handler(code, lambda _error, code=code: (f"the shop's {code}", code))

    @app.get("/shop")
    def page() -> str:
        return "the shop"

    @app.get("/shop/broken")
    def broken() -> str:
        raise RuntimeError(SECRET)


@pytest.fixture(scope="module")
def with_pages(
    running_emulator: Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """A shop with error pages, for calls that change nothing."""
    shop = Shop(running_emulator, tmp_path_factory.mktemp("shop"))
    with_pages_of_its_own(shop)
    yield shop
    shop.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/rokt/nowhere", 404, "not_found"),
        ("GET", "/rokt/", 404, "not_found"),
        ("POST", "/rokt/cart/nowhere", 404, "not_found"),
        ("GET", "/rokt/static/nothing.js", 404, "not_found"),
        ("GET", "/rokt/static/demo/base.css", 404, "not_found"),
        ("GET", "/rokt/static/../pyproject.toml", 404, "not_found"),
        ("GET", "/rokt/static/%2e%2e%2fpyproject.toml", 404, "not_found"),
        ("DELETE", "/rokt/cart", 405, "method_not_allowed"),
        ("GET", "/rokt/cart/updates", 405, "method_not_allowed"),
        ("PUT", "/rokt/orders", 405, "method_not_allowed"),
        ("POST", "/rokt/health", 405, "method_not_allowed"),
        ("GET", "/rokt//cart", 404, "not_found"),
        ("POST", "/rokt//cart/updates", 404, "not_found"),
        ("POST", "/rokt/cart//updates", 404, "not_found"),
        ("GET", "/rokt/cart//", 404, "not_found"),
        ("GET", "/rokt//", 404, "not_found"),
        ("TRACE", "/rokt", 404, "not_found"),
        ("PROPFIND", "/rokt/nowhere", 404, "not_found"),
        ("TRACE", "/rokt/cart", 405, "method_not_allowed"),
        ("BREW", "/rokt/orders", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_there_is_a_problem_document_even_in_a_shop_with_error_pages(
    with_pages: Shop, method: str, path: str, status: int, code: str
) -> None:
    answer = with_pages.app.test_client().open(path, method=method, headers=BRIDGE)
    assert problem_of(answer, status)["code"] == code
    assert "Location" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    if status == 405:
        assert answer.headers["Allow"] in {"GET, HEAD", "POST"}
        listed = with_pages.app.test_client().options(path).headers["Allow"]
        assert listed == f"{answer.headers['Allow']}, OPTIONS"


def test_nobody_is_sent_on_to_a_path_of_ours(make_shop: Callable[..., Shop]) -> None:
    """It would be at the host that the caller names."""
    shop = make_shop(url_prefix="/shop/rokt")
    with_pages_of_its_own(shop)
    client = shop.app.test_client()
    assert client.get("/shop/rokt/cart", headers=BRIDGE).status_code == 200
    answer = client.get("/shop//rokt/cart", headers=BRIDGE | {"Host": "evil.example"})
    assert answer.text == "the shop's 404"  # it is not under our prefix
    assert "Location" not in answer.headers


def test_a_path_of_two_lines_is_none_of_the_shop_s_either(shop: Shop) -> None:
    for path in ("/rokt/orders/a%0ab", "/rokt/a%0d%0ab", "/rokt/%0a"):
        answer = shop.app.test_client().get(path, headers=SERVER)
        assert problem_of(answer, 404)["code"] == "not_found"


def test_the_shop_s_own_error_pages_stay_as_they_are(shop: Shop) -> None:
    with_pages_of_its_own(shop)
    client = shop.app.test_client()
    assert client.get("/nowhere").text == "the shop's 404"
    assert client.post("/shop").text == "the shop's 405"
    assert client.get("/shop/broken").text == "the shop's 500"
    assert client.get("/roktober").text == "the shop's 404"


def test_a_shop_without_error_pages_keeps_flask_s(shop: Shop) -> None:
    answer = shop.app.test_client().get("/nowhere")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "Cache-Control" not in answer.headers


def test_a_shop_s_cache_headers_and_cookies_are_left_alone(shop: Shop) -> None:
    with_pages_of_its_own(shop)
    answer = shop.app.test_client().get("/shop")
    assert "Cache-Control" not in answer.headers
    assert "Set-Cookie" not in answer.headers


def break_a_verb(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object, **__: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(type(shop.parts.checkout), "update", bug)


@pytest.mark.parametrize("catches_all", [False, True])
def test_a_bug_is_a_500_without_its_text_and_the_error_tracker_hears_of_it(
    shop: Shop,
    shopper: Shopper,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    catches_all: bool,
) -> None:
    with_pages_of_its_own(shop)
    if catches_all:
        shop.app.register_error_handler(Exception, lambda error: (f"the shop caught {error}", 500))
    break_a_verb(shop, monkeypatch)
    heard: list[BaseException] = []

    def tracker(_app: Flask, exception: BaseException, **_: Any) -> None:
        heard.append(exception)

    with got_request_exception.connected_to(tracker, shop.app), caplog.at_level(logging.CRITICAL):
        answer = shopper.update(shopper.item())
    assert set(problem_of(answer, 500)) == {"type", "title", "status", "code", "detail"}
    assert SECRET not in answer.text
    assert "RuntimeError" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert [str(exception) for exception in heard] == [SECRET]


def test_a_shop_under_test_sees_the_bug_itself(
    shop: Shop, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_a_verb(shop, monkeypatch)
    with pytest.raises(RuntimeError, match="somebody"):
        shopper.update(shopper.item())


def test_an_unauthorized_caller_is_told_how_to_authorize(shop: Shop) -> None:
    client = shop.app.test_client()
    for headers in (bearer("nobody"), bearer("no body")):
        answer = client.get("/rokt/cart", headers=headers)
        assert problem_of(answer, 401)["code"] == "unauthorized"
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_problems_repeat_neither_handle_nor_key(shop: Shop) -> None:
    client = shop.app.test_client()
    handle = "A" * 43
    answers = [
        client.get("/rokt/cart", headers=bearer(handle)),
        client.get("/rokt/orders/x", headers={"Authorization": f"Bearer {handle}"}),
        client.post("/rokt/orders", json={"handle": handle, "orderId": "x"}, headers=SERVER),
        client.post("/rokt/orders", json={"handle": handle, "orderId": ""}, headers=SERVER),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 422]
    for answer in answers:
        assert handle not in answer.text
        assert SERVER["Authorization"].split()[1] not in answer.text


def test_a_problem_repeats_no_name_and_no_path_that_the_caller_made_up(shopper: Shopper) -> None:
    who = "somebody@mark.example"
    attributes = {"eventId": "77", who: 5, "venue": ["x"]}
    for path in ("/placements/any", "/cart/reserve", "/cart/release"):
        answer = shopper.post(path, {"pageIdentifier": "x", "attributes": attributes})
        assert set(problem_of(answer, 422)["errors"]) == {
            "attributes.1.value",
            "attributes.2.value",
        }
        assert "mark" not in answer.text
        assert "venue" not in answer.text
    prices = {"v1:0001:parking": "much", who: "1", f"{who} ": "1.00"}
    answer = shopper.post("/cart/reserve", {"acceptPrices": prices})
    told = {"acceptPrices.v1:0001:parking.value", "acceptPrices.1.key"}  # sent in sorted order
    assert set(problem_of(answer, 422)["errors"]) == told
    assert "mark" not in answer.text
    for path in (f"/{who}", f"/session/{who}", f"/cart/updates/{who}"):
        for method in ("GET", "POST", "PUT"):
            answer = shopper.client.open(f"/rokt{path}", method=method, headers=BRIDGE)
            assert problem_of(answer, 404)["code"] == "not_found"
            assert "mark" not in answer.text
    static = shopper.client.get(f"/rokt/static/{who}/bridge.js")
    assert "mark" not in static.text
