"""A partner's page on another origin: what its browser must be told, and no other's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from werkzeug.test import TestResponse

from bff.web.guard import Caller, caller_of
from bff.web.scripts import SCRIPTS
from tests.support.emulator_client import Client
from tests.support.shop import SERVER, Shop, ok

PARTNER = "https://tickets.example"
PAGE = {"Rokt-Bff": "1", "Origin": PARTNER}
OTHER = "https://other.example"
STRANGERS = ["https://evil.example", "https://tickets.example.evil.example", "null"]
PATHS = ["/session", "/cart/updates", "/cart/reserve", "/cart/release", "/placements/any"]
CORS = "Access-Control-"


@pytest.fixture(scope="module")
def shop(running_emulator: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One shop for all: what a page elsewhere is told changes nothing in it."""
    running_emulator.reset()
    folder = tmp_path_factory.mktemp("shop")
    shop = Shop(running_emulator, folder, {"ROKT_BFF_ORIGINS": f"{PARTNER}, {OTHER}"})

    @shop.app.get("/shop")
    def page() -> str:
        return "the shop"

    yield shop
    shop.close()


def cors_of(answer: TestResponse) -> dict[str, str]:
    return {k.removeprefix(CORS): v for k, v in answer.headers if k.startswith(CORS)}


def preflight(shop: Shop, path: str, origin: str, asked: str = "POST") -> TestResponse:
    return shop.app.test_client().options(
        path,
        headers={
            "Origin": origin,
            f"{CORS}Request-Method": asked,
            f"{CORS}Request-Headers": "authorization,content-type,rokt-bff",
        },
    )


def test_a_partner_page_buys_with_its_handle_and_no_cookie(shop: Shop) -> None:
    client = shop.app.test_client()
    page = {"Rokt-Bff": "1", "Origin": PARTNER, "Sec-Fetch-Site": "cross-site"}
    opened = client.post("/rokt/session", json={}, headers=page)
    assert opened.status_code == 201
    assert cors_of(opened)["Allow-Origin"] == PARTNER
    handle = ok(opened)["handle"]
    bearer = page | {"Authorization": f"Bearer {handle}"}
    item = shop.shopper().item(quantity=2)
    update = {"updatedItem": item, "oldItem": None}
    answer = client.post("/rokt/cart/updates", json=update, headers=bearer)
    assert ok(answer)["totals"] == {"USD": "25.00"}
    assert ok(client.get("/rokt/cart", headers=bearer)) == ok(answer)
    assert ok(client.post("/rokt/cart/reserve", json={}, headers=bearer))["totals"]
    for one in (opened, answer):
        assert "Set-Cookie" not in one.headers
        assert f"{CORS}Allow-Credentials" not in one.headers


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", [PARTNER, OTHER])
def test_a_preflight_of_an_allowed_origin_is_let_through(
    shop: Shop, path: str, origin: str
) -> None:
    answer = preflight(shop, f"/rokt{path}", origin)
    assert answer.status_code == 200
    told = cors_of(answer)
    assert told["Allow-Origin"] == origin
    assert "POST" in told["Allow-Methods"]
    allowed = {name.strip().lower() for name in told["Allow-Headers"].split(",")}
    assert allowed == {"authorization", "content-type", "rokt-bff"}
    assert "Allow-Credentials" not in told
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", STRANGERS)
def test_a_preflight_of_a_stranger_is_told_nothing(shop: Shop, path: str, origin: str) -> None:
    assert cors_of(preflight(shop, f"/rokt{path}", origin)) == {}


SERVERS = ["/orders", "/orders/A-1", "/orders/A-1/cancel", "/products", "/purchases"]


@pytest.mark.parametrize("path", SERVERS)
def test_a_server_s_route_tells_no_page_anything(shop: Shop, path: str) -> None:
    for asked in ("GET", "POST"):
        assert cors_of(preflight(shop, f"/rokt{path}", PARTNER, asked)) == {}
    for headers in (PAGE, PAGE | SERVER):
        answer = shop.app.test_client().post(f"/rokt{path}", json={}, headers=headers)
        assert answer.status_code in (403, 405)
        assert cors_of(answer) == {}


def test_every_route_of_a_server_is_among_these(shop: Shop) -> None:
    found = {
        rule.rule.removeprefix("/rokt").replace("<rokt_bff_path:order_id>", "A-1")
        for rule in shop.app.url_map.iter_rules()
        if caller_of(shop.app.view_functions[rule.endpoint]) is Caller.SERVER
    }
    assert found == set(SERVERS)


@pytest.mark.parametrize("origin", ["HTTPS://TICKETS.EXAMPLE", "https://tickets.example."])
def test_an_allowed_origin_is_told_to_its_exact_spelling_only(shop: Shop, origin: str) -> None:
    client = shop.app.test_client()
    assert cors_of(preflight(shop, "/rokt/session", origin)) == {}
    answer = client.get("/rokt/cart", headers=PAGE | {"Origin": origin})
    assert answer.status_code == 403
    assert cors_of(answer) == {}


@pytest.mark.parametrize("origin", [None, PARTNER, OTHER, *STRANGERS])
def test_a_cache_is_told_that_an_answer_depends_on_the_page(shop: Shop, origin: str | None) -> None:
    page = {"Origin": origin} if origin else {}
    for path in ("/rokt/cart", "/rokt/nothing", "/rokt/health"):
        answer = shop.app.test_client().get(path, headers=page | {"Rokt-Bff": "1"})
        assert "Origin" in answer.vary
    assert "Origin" not in shop.app.test_client().get("/shop", headers=page).vary


@pytest.mark.parametrize(("origin", "headers", "body", "status"), [
    (PARTNER, {}, b"{", 400),
    (PARTNER, {}, b"{}", 422),
    (PARTNER, {"Authorization": "Bearer nobody"}, b'{"updatedItem":null}', 401),
    (PARTNER, {"Content-Type": "text/plain"}, b"{}", 415),
    (PARTNER, {}, b"[" * 70_000, 413),
    (STRANGERS[0], {}, b"{", 403),
    (STRANGERS[1], {"Authorization": "Bearer nobody"}, b"{}", 403),
    (STRANGERS[2], {}, b"{}", 403),
])  # fmt: skip
def test_an_error_can_be_read_by_an_allowed_origin_and_by_no_other(
    shop: Shop, origin: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    sent = {"Origin": origin, "Rokt-Bff": "1", "Content-Type": "application/json"} | headers
    answer = shop.app.test_client().post("/rokt/cart/updates", data=body, headers=sent)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert cors_of(answer).get("Allow-Origin") == (origin if origin == PARTNER else None)


def test_a_bug_can_be_read_as_an_error_by_an_allowed_origin(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(shop.parts.checkout), "open_session", lambda _: 1 / 0)
    monkeypatch.setitem(shop.app.config, "TESTING", False)
    answer = shop.app.test_client().post("/rokt/session", json={}, headers=PAGE)
    assert answer.status_code == 500
    assert cors_of(answer)["Allow-Origin"] == PARTNER


def test_retry_after_can_be_read_by_the_page(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(origins=PARTNER, updates_per_second=1)
    client = shop.app.test_client()
    handle = ok(client.post("/rokt/session", json={}, headers=PAGE))["handle"]
    headers = PAGE | {"Authorization": f"Bearer {handle}"}
    body = {"updatedItem": None, "oldItem": None}
    answers = [client.post("/rokt/cart/updates", json=body, headers=headers) for _ in range(3)]
    limited = next(answer for answer in answers if answer.status_code == 429)
    assert "Retry-After" in limited.headers
    assert cors_of(limited)["Expose-Headers"] == "Retry-After"


def test_pages_of_the_shop_itself_get_no_headers_for_others(shop: Shop) -> None:
    answer = shop.app.test_client().get("/shop", headers={"Origin": PARTNER})
    assert cors_of(answer) == {}


@pytest.mark.parametrize("origin", [None, PARTNER, *STRANGERS])
@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_the_bridge_may_be_imported_by_every_page_without_credentials(
    shop: Shop, name: str, origin: str | None
) -> None:
    headers = {"Origin": origin} if origin else {}
    answer = shop.app.test_client().get(f"/rokt/static/{name}", headers=headers)
    assert answer.status_code == 200
    assert cors_of(answer) == {"Allow-Origin": "*"}
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if name.endswith(".js"):
        assert answer.mimetype == "text/javascript"
    again = shop.app.test_client().get(
        f"/rokt/static/{name}", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304
    assert cors_of(again) == {"Allow-Origin": "*"}
    answer.close()
    again.close()


def test_without_origins_nobody_elsewhere_is_let_in(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    assert cors_of(preflight(shop, "/rokt/session", PARTNER)) == {}
    answer = shop.app.test_client().post("/rokt/session", json={}, headers=PAGE)
    assert answer.status_code == 403
