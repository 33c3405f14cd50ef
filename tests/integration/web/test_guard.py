"""Who may call: every route, every kind of caller."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from itsdangerous import Signer
from werkzeug.test import TestResponse

from bff import Upsells
from bff.web.guard import Caller, caller_of, opened_to
from bff.web.shopper import kept_handle
from tests.support.emulator_client import Client
from tests.support.responses import problem_of
from tests.support.shop import BRIDGE, SERVER, SERVER_KEY, Shop, Shopper, bearer, ok

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
    ("GET", "/rokt/orders/<rokt_bff_path:order_id>"): Caller.SERVER,
    ("POST", "/rokt/orders/<rokt_bff_path:order_id>/cancel"): Caller.SERVER,
    ("POST", "/rokt/products"): Caller.SERVER,
    ("POST", "/rokt/purchases"): Caller.SERVER,
    ("GET", "/rokt/static/<filename>"): Caller.PUBLIC,
    ("GET", "/rokt/static/<release>/<filename>"): Caller.PUBLIC,
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
    path = rule.replace("<rokt_bff_path:order_id>", "A-1").replace("<filename>", "bridge.js")
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
    for site in ({}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "cross-site"}):
        foreign = {"Rokt-Bff": "1", "Origin": origin} | site
        refused(call(shopper, route, foreign), 403, "foreign_origin")
        refused(call(shop, route, bearer(shopper.handle) | foreign), 403, "foreign_origin")
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


@pytest.mark.parametrize("route", [*BROWSER_ROUTES, ("POST", "/rokt/session")])
@pytest.mark.parametrize("site", [None, "none"])
def test_a_call_that_no_browser_header_vouches_for_is_refused(
    shop: Shop, shopper: Shopper, route: Route, site: str | None
) -> None:
    shopper.add()
    unknown = {"Rokt-Bff": "1"} | ({"Sec-Fetch-Site": site} if site else {})
    refused(call(shopper, route, unknown), 403, "foreign_origin")
    handle = unknown | {"Authorization": f"Bearer {shopper.handle}"}
    refused(call(shop, route, handle), 403, "foreign_origin")


@pytest.mark.parametrize("route", [*BROWSER_ROUTES, ("POST", "/rokt/session")])
@pytest.mark.parametrize(("origin", "site"), [
    (OWN, "cross-site"),
    (OWN, "same-site"),
    (OWN, "none"),
    (PARTNER, "none"),
    (PARTNER, "x"),
    (OWN, ""),
])  # fmt: skip
def test_two_signs_that_contradict_each_other_are_refused(
    shop: Shop, shopper: Shopper, route: Route, origin: str, site: str
) -> None:
    shopper.add()
    odd = {"Rokt-Bff": "1", "Origin": origin, "Sec-Fetch-Site": site}
    refused(call(shopper, route, odd), 403, "foreign_origin")
    refused(call(shop, route, bearer(shopper.handle) | odd), 403, "foreign_origin")


def test_an_allowed_page_on_another_site_has_no_use_of_a_cookie(
    shop: Shop, shopper: Shopper
) -> None:
    cart = shopper.add()
    elsewhere = {"Rokt-Bff": "1", "Origin": PARTNER, "Sec-Fetch-Site": "cross-site"}
    for route in BROWSER_ROUTES:
        if route[0] == "POST":
            refused(call(shopper, route, elsewhere), 403, "foreign_origin")
    # Before it has a handle it may ask, and is told of nobody's cart.
    assert ok(call(shopper, ("GET", "/rokt/cart"), elsewhere))["items"] == []
    assert ok(call(shop, ("GET", "/rokt/cart"), bearer(shopper.handle) | elsewhere)) == cart


def test_a_session_is_started_by_the_bridge_only(shop: Shop) -> None:
    for page in ({"Origin": OWN}, {"Origin": PARTNER, "Sec-Fetch-Site": "cross-site"}):
        refused(call(shop, ("POST", "/rokt/session"), page), 403, "bridge_header")
        assert call(shop, ("POST", "/rokt/session"), page | {"Rokt-Bff": "1"}).status_code == 201


@pytest.mark.parametrize("rebound", ["evil.example", "evil.example:8000", "localhost.evil.example"])
def test_a_name_that_somebody_lets_point_here_is_not_our_own(
    shop: Shop, shopper: Shopper, rebound: str
) -> None:
    shopper.add()
    for scheme in ("http", "https"):
        page = {"Rokt-Bff": "1", "Host": rebound, "Origin": f"{scheme}://{rebound}"}
        refused(call(shop, ("POST", "/rokt/session"), page), 403, "foreign_origin")
        release = ("POST", "/rokt/cart/release")
        refused(call(shopper, release, page), 403, "foreign_origin")


@pytest.mark.parametrize(("host", "origin", "scheme", "good"), [
    ("shop.example", "https://shop.example", "http", True),  # a proxy ended TLS
    ("shop.example", "https://shop.example", "https", True),
    ("shop.example", "http://shop.example", "http", False),
    ("shop.example:8443", "https://shop.example:8443", "http", True),
    ("shop.example", "https://shop.example:8443", "http", False),
    ("shop.example", "https://evil.example", "http", False),
    ("127.0.0.1:5000", "http://127.0.0.1:5000", "http", True),
    ("localhost:5000", "https://localhost:5000", "http", False),
    ("[::1", "https://[::1", "http", False),
])  # fmt: skip
def test_over_tls_our_own_pages_are_those_of_the_host(
    make_shop: Callable[..., Shop], host: str, origin: str, scheme: str, good: bool
) -> None:
    shop = make_shop(SESSION_COOKIE_SECURE=True)
    page = {"Rokt-Bff": "1", "Host": host, "Origin": origin}
    answer = call(shop, ("POST", "/rokt/session"), page, base_url=f"{scheme}://x")
    assert answer.status_code == (201 if good else 403)


@pytest.mark.parametrize(("host", "good"), [
    ("127.0.0.1:5000", True),
    ("[::1]:5000", True),
    ("192.168.7.4:5000", True),  # a telephone beside the developer's machine
    ("dev.example:5000", False),
])  # fmt: skip
def test_without_tls_our_own_pages_are_those_of_an_address(
    shop: Shop, host: str, good: bool
) -> None:
    page = {"Rokt-Bff": "1", "Host": host, "Origin": f"http://{host}"}
    answer = call(shop, ("POST", "/rokt/session"), page)
    assert answer.status_code == (201 if good else 403)


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
        answer = call(shop, route, headers)
        refused(answer, 401, "server_key")
        assert ("Compare ROKT_BFF_SERVER_KEY" in answer.text) is bool(headers)
    for odd in (SERVER_KEY, "Bearer", f"Basic {SERVER_KEY}", f"Bearer {SERVER_KEY} x"):
        answer = call(shop, route, {"Authorization": odd})
        refused(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    refused(call(shopper, route, BRIDGE), 403, "browser_refused")
    assert call(shop, route, SERVER).status_code in {404, 422}  # let in


@pytest.mark.parametrize("route", SERVER_ROUTES)
def test_while_the_server_key_is_changed_both_are_good(
    make_shop: Callable[..., Shop], route: Route
) -> None:
    before = "the-key-before-of-thirty-two-letters"
    shop = make_shop(server_key_previous=before)
    for key in (SERVER_KEY, before):
        answer = call(shop, route, {"Authorization": f"Bearer {key}"})
        assert answer.status_code in {404, 422}  # let in
    for key in (before[:-1], f"{SERVER_KEY}{before}", "None"):
        refused(call(shop, route, {"Authorization": f"Bearer {key}"}), 401, "server_key")
    done = make_shop()  # the change is over
    refused(call(done, route, {"Authorization": f"Bearer {before}"}), 401, "server_key")


@pytest.mark.sqlite
@pytest.mark.parametrize("key", ["neither", "now", "before"])
def test_each_server_key_is_compared_in_constant_time_every_time(
    make_shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    before = "the-key-before-of-thirty-two-letters"
    shop = make_shop(server_key_previous=before)
    compared: list[bytes] = []
    compare = hmac.compare_digest

    def note(given: bytes, right: bytes) -> bool:
        compared.append(right)
        return compare(given, right)

    monkeypatch.setattr(hmac, "compare_digest", note)
    sent = {"neither": "x", "now": SERVER_KEY, "before": before}[key]
    call(shop, ("GET", "/rokt/orders/A-1"), {"Authorization": f"Bearer {sent}"})
    assert compared == [SERVER_KEY.encode(), before.encode()]


@pytest.mark.parametrize("marked", [False, True])
def test_a_view_that_answers_options_itself_passes_the_guard_too(
    shop: Shop, make_shop: Callable[..., Shop], marked: bool
) -> None:
    def take() -> str:
        """Hand out the goods."""
        return "taken"

    own = make_shop()
    view = opened_to(Caller.SERVER)(take) if marked else take
    own.app.add_url_rule("/rokt/take", "rokt_bff.take", view, methods=["OPTIONS"])
    answer = own.app.test_client().options("/rokt/take")
    refused(answer, *((401, "server_key") if marked else (403, "closed")))


@pytest.mark.parametrize("route", SERVER_ROUTES)
def test_without_a_server_key_nobody_may(make_shop: Callable[..., Shop], route: Route) -> None:
    shop = make_shop(server_key="")
    for key in ("", SERVER_KEY, "None"):
        refused(call(shop, route, {"Authorization": f"Bearer {key}"}), 403, "server_calls_off")


def test_a_handle_opens_its_own_session_only(shop: Shop) -> None:
    first, second = shop.shopper(), shop.shopper()
    first.add(quantity=3)
    second.add("poster.souvenir")
    page = bearer(second.handle)
    assert ok(call(shop, ("GET", "/rokt/cart"), page)) == second.cart()
    # With both, the handle counts: a page elsewhere never acts on a cookie by accident.
    assert ok(call(first, ("GET", "/rokt/cart"), page)) == second.cart()
    removal = {"updatedItem": None, "oldItem": first.item()}
    ok(shop.app.test_client().post("/rokt/cart/updates", json=removal, headers=page))
    assert first.cart()["items"][0]["quantity"] == 3


@pytest.mark.parametrize("route", BROWSER_ROUTES)
def test_a_handle_that_nobody_was_given_is_refused(shop: Shop, route: Route) -> None:
    body = {"updatedItem": None, "oldItem": None, "pageIdentifier": "x"}
    more = {"json": body} if route[0] == "POST" else {}
    for handle in ("A" * 43, "x", SERVER_KEY):
        answer = call(shop, route, bearer(handle), **more)
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
    shop = make_shop(SESSION_COOKIE_SECURE=True)
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
            "/rokt/session", json={}, headers={"Rokt-Bff": "1", "Origin": forgotten}
        )
        assert answer.status_code == 403
    assert [forgotten in record.getMessage() for record in caplog.records] == [True]
    assert "ROKT_BFF_ORIGINS" in caplog.text
