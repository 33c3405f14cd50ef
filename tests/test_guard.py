"""Who may call: every route, every kind of caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from itsdangerous import Signer
from werkzeug.test import TestResponse

from bff import Upsells
from bff.guard import Caller, caller_of
from bff.runtime import kept_handle
from tests.answers import problem_of
from tests.emulator_client import Client
from tests.shopping import BRIDGE, SERVER, SERVER_KEY, Shop, Shopper, ok

PARTNER = "https://tickets.example"
OWN = "http://localhost"  # where Flask's test client is
LOOK_ALIKES = [
    "https://tickets.example.evil.example",
    "https://eviltickets.example",
    "https://tickets.example:8443",
    "http://tickets.example",
    "https://TICKETS.example",
    "https://tickets.example/",
    "https://sub.tickets.example",
    f"{PARTNER} {PARTNER}",
    "null",
    "",
]

OPEN_TO = {
    ("GET", "/rokt/cart"): Caller.BROWSER,
    ("POST", "/rokt/session"): Caller.SESSION,
    ("POST", "/rokt/cart/updates"): Caller.BROWSER,
    ("POST", "/rokt/placements/any"): Caller.BROWSER,
    ("POST", "/rokt/cart/reserve"): Caller.BROWSER,
    ("POST", "/rokt/cart/release"): Caller.BROWSER,
    ("POST", "/rokt/orders"): Caller.SERVER,
    ("GET", "/rokt/orders/<path:order_id>"): Caller.SERVER,
    ("POST", "/rokt/orders/<path:order_id>/cancel"): Caller.SERVER,
    ("POST", "/rokt/products"): Caller.SERVER,
    ("GET", "/rokt/static/<filename>"): Caller.PUBLIC,
    ("GET", "/rokt/openapi.json"): Caller.PUBLIC,
    ("GET", "/rokt/health"): Caller.PUBLIC,
}
BROWSER_ROUTES = [route for route, caller in OPEN_TO.items() if caller is Caller.BROWSER]
SERVER_ROUTES = [route for route, caller in OPEN_TO.items() if caller is Caller.SERVER]
Route = tuple[str, str]


@pytest.fixture(scope="module")
def shop(running_emulator: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One shop for all: who is refused changes nothing in it."""
    folder = tmp_path_factory.mktemp("shop")
    shop = Shop(running_emulator, folder, {"ROKT_BFF_ORIGINS": PARTNER})
    yield shop
    shop.close()


def call(shop: Shop | Shopper, route: Route, headers: dict[str, str], **more: Any) -> TestResponse:
    """Call a route; with a Shopper, with their cookie. The body is JSON unless ``data`` is."""
    method, rule = route
    client = shop.client if isinstance(shop, Shopper) else shop.app.test_client()
    if method == "POST" and "data" not in more:
        more.setdefault("json", {})
    path = rule.replace("<order_id>", "A-1").replace("<filename>", "bridge.js")
    return client.open(path, method=method, headers=headers, **more)


def test_every_route_is_in_the_table_and_open_to_whom_it_says(shop: Shop) -> None:
    found = {
        (method, rule.rule): caller_of(shop.app.view_functions[rule.endpoint])
        for rule in shop.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/rokt") and rule.endpoint != "rokt_bff.nothing_here"
    }
    assert found == OPEN_TO


@pytest.mark.parametrize("route", OPEN_TO)
def test_a_view_that_does_not_say_whose_it_is_is_closed(
    make_shop: Callable[..., Shop], route: Route
) -> None:
    shop = make_shop()
    for endpoint, view in list(shop.app.view_functions.items()):
        if endpoint.startswith("rokt_bff."):
            shop.app.view_functions[endpoint] = lambda _view=view, **given: _view(**given)
    for headers in ({}, BRIDGE, SERVER):
        answer = call(shop, route, headers)
        assert problem_of(answer, 403)["code"] == "closed"


def refused(answer: TestResponse, status: int, code: str) -> None:
    assert problem_of(answer, status)["code"] == code


@pytest.mark.parametrize("route", BROWSER_ROUTES)
def test_a_cookie_call_without_the_bridge_s_header_is_refused(
    shop: Shop, shopper: Shopper, route: Route
) -> None:
    shopper.add()
    for headers in ({}, {"Sec-Fetch-Site": "same-origin"}, {"Rokt-Bff": "0"}, {"Origin": OWN}):
        refused(call(shopper, route, headers), 403, "bridge_header")


@pytest.mark.parametrize("route", BROWSER_ROUTES)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "x"])
def test_a_cookie_call_of_another_site_is_refused(
    shop: Shop, shopper: Shopper, route: Route, site: str
) -> None:
    shopper.add()
    refused(call(shopper, route, BRIDGE | {"Sec-Fetch-Site": site}), 403, "foreign_origin")
    of_own = BRIDGE | {"Sec-Fetch-Site": site, "Origin": OWN}
    refused(call(shopper, route, of_own), 403, "foreign_origin")


@pytest.mark.parametrize("route", BROWSER_ROUTES)
@pytest.mark.parametrize("origin", LOOK_ALIKES)
def test_a_foreign_origin_is_refused_with_a_cookie_and_with_a_handle(
    shop: Shop, shopper: Shopper, route: Route, origin: str
) -> None:
    shopper.add()
    foreign = {"Rokt-Bff": "1", "Origin": origin}
    refused(call(shopper, route, foreign), 403, "foreign_origin")
    bearer = foreign | {"Authorization": f"Bearer {shopper.handle}"}
    refused(call(shop, route, bearer), 403, "foreign_origin")
    refused(call(shop, ("POST", "/rokt/session"), foreign), 403, "foreign_origin")


@pytest.mark.parametrize("headers", [
    {"Rokt-Bff": "1", "Origin": OWN},
    {"Rokt-Bff": "1", "Origin": OWN, "Sec-Fetch-Site": "same-origin"},
    {"Rokt-Bff": "1", "Sec-Fetch-Site": "same-origin"},
    {"Rokt-Bff": "1", "Origin": PARTNER, "Sec-Fetch-Site": "same-site"},
])  # fmt: skip
def test_our_own_page_may_call_with_its_cookie(
    shop: Shop, shopper: Shopper, headers: dict[str, str]
) -> None:
    cart = shopper.add()
    assert ok(call(shopper, ("GET", "/rokt/cart"), headers)) == cart
    assert ok(call(shopper, ("POST", "/rokt/cart/release"), headers)) == cart


def test_a_change_that_no_browser_header_vouches_for_is_refused(shopper: Shopper) -> None:
    cart = shopper.add()
    unknown = {"Rokt-Bff": "1"}
    refused(call(shopper, ("POST", "/rokt/cart/release"), unknown), 403, "foreign_origin")
    assert ok(call(shopper, ("GET", "/rokt/cart"), unknown)) == cart


@pytest.mark.parametrize("route", [route for route in OPEN_TO if route[0] == "POST"])
@pytest.mark.parametrize(
    "media",
    ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "", "text/json"],
)
def test_a_form_or_a_plain_text_is_refused(
    shop: Shop, shopper: Shopper, route: Route, media: str
) -> None:
    shopper.add()
    headers = SERVER if OPEN_TO[route] is Caller.SERVER else BRIDGE
    answer = call(shopper, route, headers, data=b"{}", content_type=media)
    refused(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("route", SERVER_ROUTES)
@pytest.mark.parametrize("headers", [{"Origin": OWN}, {"Origin": PARTNER}, {"Origin": "null"},
    {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"}])  # fmt: skip
def test_a_browser_is_refused_even_with_the_server_key(
    shop: Shop, route: Route, headers: dict[str, str]
) -> None:
    refused(call(shop, route, SERVER | headers), 403, "browser_refused")


@pytest.mark.parametrize("route", SERVER_ROUTES)
def test_a_server_call_needs_the_server_key(shop: Shop, shopper: Shopper, route: Route) -> None:
    shopper.add()
    wrong = [f"Bearer {SERVER_KEY}x", f"Bearer {SERVER_KEY[:-1]}", f"Bearer {shopper.handle}"]
    for headers in ({}, *({"Authorization": one} for one in wrong)):
        refused(call(shop, route, headers), 401, "server_key")
    for odd in (SERVER_KEY, "Bearer", f"Basic {SERVER_KEY}", f"Bearer {SERVER_KEY} x"):
        answer = call(shop, route, {"Authorization": odd})
        refused(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    refused(call(shopper, route, BRIDGE), 403, "browser_refused")
    assert call(shop, route, SERVER).status_code in {404, 422}  # let in


@pytest.mark.parametrize("route", SERVER_ROUTES)
def test_without_a_server_key_nobody_may(make_shop: Callable[..., Shop], route: Route) -> None:
    shop = make_shop(server_key="")
    for key in ("", SERVER_KEY, "None"):
        refused(call(shop, route, {"Authorization": f"Bearer {key}"}), 403, "server_calls_off")


def test_a_handle_opens_its_own_session_only(shop: Shop) -> None:
    first, second = shop.shopper(), shop.shopper()
    first.add(quantity=3)
    second.add("poster.souvenir")
    bearer = {"Authorization": f"Bearer {second.handle}"}
    assert ok(call(shop, ("GET", "/rokt/cart"), bearer)) == second.cart()
    # With both, the handle counts: a page elsewhere never acts on a cookie by accident.
    assert ok(call(first, ("GET", "/rokt/cart"), bearer)) == second.cart()
    removal = {"updatedItem": None, "oldItem": first.item()}
    ok(shop.app.test_client().post("/rokt/cart/updates", json=removal, headers=bearer))
    assert first.cart()["items"][0]["quantity"] == 3


@pytest.mark.parametrize("route", BROWSER_ROUTES)
def test_a_handle_that_nobody_was_given_is_refused(shop: Shop, route: Route) -> None:
    body = {"updatedItem": None, "oldItem": None, "pageIdentifier": "x"}
    more = {"json": body} if route[0] == "POST" else {}
    for handle in ("A" * 43, "x", SERVER_KEY):
        answer = call(shop, route, {"Authorization": f"Bearer {handle}"}, **more)
        refused(answer, 401, "unauthorized")
        assert "Set-Cookie" not in answer.headers


def test_the_handle_in_the_cookie_never_reaches_the_page(shopper: Shopper) -> None:
    shopper.add()
    for path in ("/cart/reserve", "/cart/release"):
        assert shopper.handle not in shopper.post(path).text
    cookie = shopper.client.get_cookie("rokt_bff")
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site, cookie.path) == (True, "Lax", "/")


def test_over_tls_the_cookie_is_one_that_no_other_host_can_plant(
    make_shop: Callable[..., Shop],
) -> None:
    shop = make_shop()
    shop.app.config["SESSION_COOKIE_SECURE"] = True
    shopper = shop.shopper()
    answer = shopper.update(shopper.item())
    assert answer.headers["Set-Cookie"].startswith("__Host-rokt_bff=")
    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_forged_cookie_is_no_session(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    forged = Signer("a guess", salt="rokt-bff").sign(shopper.handle).decode()
    for value in (shopper.handle, forged, f"{shopper.handle}.", ""):
        client = shop.app.test_client()
        client.set_cookie("rokt_bff", value)
        assert ok(client.get("/rokt/cart", headers=BRIDGE))["items"] == []


def test_the_verbs_work_within_a_request_only(shop: Shop) -> None:
    with shop.app.app_context(), pytest.raises(RuntimeError, match="within a request"):
        Upsells().cart  # noqa: B018
    with shop.app.test_request_context():
        assert kept_handle() is None


def test_a_forgotten_origin_is_named_in_the_log_once(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    forgotten = "https://forgotten.example"
    for _ in range(3):
        answer = shop.app.test_client().post(
            "/rokt/session", json={}, headers={"Origin": forgotten}
        )
        assert answer.status_code == 403
    assert [forgotten in record.getMessage() for record in caplog.records] == [True]
    assert "ROKT_BFF_ORIGINS" in caplog.text
