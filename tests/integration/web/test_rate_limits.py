"""Limits by client: sessions, updates and calls to Rokt, counted in memory or in Redis."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import TestResponse

from bff.store.tables import sessions
from bff.web import rate_limits as limiting
from tests.support.emulator_client import Client
from tests.support.processes import ROKT_BFF, settings_for, started
from tests.support.redis_server import PASSWORD, free_port, running
from tests.support.responses import problem_of
from tests.support.shop import BRIDGE, SERVER, Shop, Shopper, bearer, ok
from tests.support.waiting import until

MakeShop = Callable[..., Shop]
NOTHING = {"updatedItem": None, "oldItem": None}
ASK = {"pageIdentifier": "checkout"}


def post(shop: Shop, path: str, body: object, address: str, **headers: str) -> TestResponse:
    """POST as a page's bridge does that has no session yet, from an address."""
    return shop.app.test_client().post(
        f"/rokt{path}",
        json=body,
        headers=BRIDGE | {name.replace("_", "-"): value for name, value in headers.items()},
        environ_overrides={"REMOTE_ADDR": address},
    )


def count_sessions(shop: Shop) -> int:
    with shop.parts.store.read() as connection:
        return connection.execute(select(func.count()).select_from(sessions)).scalar_one()


def limited(answer: TestResponse, most: int) -> None:
    assert problem_of(answer, 429)["code"] == "rate_limited"
    assert 1 <= int(answer.headers["Retry-After"]) <= most


@pytest.mark.parametrize(("path", "body"), [("/session", {}), ("/cart/updates", NOTHING)])
def test_one_address_starts_only_so_many_sessions_a_minute(
    make_shop: MakeShop, path: str, body: object
) -> None:
    shop = make_shop(sessions_per_minute=5)
    codes = [post(shop, path, body, "9.9.9.9").status_code for _ in range(20)]
    assert codes.count(429) == 15
    assert count_sessions(shop) == 5
    limited(post(shop, path, body, "9.9.9.9"), 60)
    assert post(shop, path, body, "9.9.9.8").status_code in (200, 201)
    assert count_sessions(shop) == 6


def test_who_has_a_session_is_not_kept_out_by_those_who_start_many(make_shop: MakeShop) -> None:
    shop = make_shop(sessions_per_minute=1)
    shopper = shop.shopper()
    shopper.add()
    limited(post(shop, "/session", {}, "127.0.0.1"), 60)
    assert len(shopper.add("poster.souvenir")["items"]) == 2
    assert shopper.reserve()["totals"]


def test_one_address_sends_only_so_many_updates_a_second(make_shop: MakeShop) -> None:
    shop = make_shop(updates_per_second_client=5)
    handles = [ok(post(shop, "/session", {}, "9.9.9.9"))["handle"] for _ in range(3)]

    def update(number: int, address: str = "9.9.9.9") -> TestResponse:
        key = {"Authorization": f"Bearer {handles[number % 3]}"}
        return post(shop, "/cart/updates", NOTHING, address, **key)

    answers = [update(number) for number in range(30)]
    refused = next(answer for answer in answers if answer.status_code == 429)
    limited(refused, 1)
    assert update(0, "9.9.9.8").status_code == 200
    until(lambda: update(0).status_code == 200)  # a second later there is room again


@pytest.mark.parametrize("path", ["/placements/any", "/cart/reserve", "/cart/release"])
def test_one_address_has_rokt_called_only_so_often_a_minute(
    make_shop: MakeShop, shopper: Shopper, path: str
) -> None:
    shop = make_shop(calls_per_minute=4)
    for _ in range(4):
        assert (
            post(shop, path, ASK if path == "/placements/any" else {}, "9.9.9.9").status_code == 200
        )
    calls = len(shop.calls())
    limited(post(shop, path, ASK, "9.9.9.9"), 60)
    assert len(shop.calls()) == calls
    assert post(shop, "/cart/reserve", {}, "9.9.9.8").status_code == 200


def test_an_instant_purchase_is_counted_too(make_shop: MakeShop) -> None:
    shop = make_shop(calls_per_minute=2)

    @shop.app.post("/buy-again")
    def buy_again() -> Any:
        return shop.upsells.buy_instantly(lambda _: None)

    shopper = shop.shopper()
    shopper.add()
    press = {
        "purchaseId": "3f1f6d0e-0000-4000-8000-000000000001",
        "upsellItems": [shopper.item()],
    }
    answers = [shopper.client.post("/buy-again", json=press, headers=BRIDGE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_a_shop_s_own_verbs_and_a_partner_s_server_are_not_counted(make_shop: MakeShop) -> None:
    shop = make_shop(sessions_per_minute=1, calls_per_minute=1, updates_per_second_client=1)

    @shop.app.post("/pay")
    def pay() -> str:
        shop.upsells.any_placements()
        shop.upsells.reserve()
        return "paid"

    for _ in range(5):
        assert shop.app.test_client().post("/pay").text == "paid"
    assert count_sessions(shop) == 5
    for number in range(5):
        answer = shop.app.test_client().get(f"/rokt/orders/A-{number}", headers=SERVER)
        assert answer.status_code == 404


# --- who the client is ---


def test_a_shop_that_trusts_its_proxy_counts_who_is_behind_it(make_shop: MakeShop) -> None:
    shop = make_shop(sessions_per_minute=1)
    shop.app.wsgi_app = ProxyFix(shop.app.wsgi_app)  # type: ignore[method-assign]
    for address, status in (("9.9.9.9", 201), ("9.9.9.9", 429), ("9.9.9.8", 201)):
        answer = post(shop, "/session", {}, "10.0.0.1", X_Forwarded_For=address)
        assert answer.status_code == status


def test_a_proxy_that_is_not_trusted_is_told_of_once(
    make_shop: MakeShop, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(sessions_per_minute=1)
    for _ in range(3):
        answer = post(shop, "/session", {}, "10.0.0.1", X_Forwarded_For="9.9.9.9")
        assert answer.status_code == 201
    (record,) = caplog.records
    assert "ROKT_BFF_TRUSTED_PROXY" in record.getMessage()
    assert "ProxyFix" in record.getMessage()


def test_the_server_takes_a_trusted_proxy_s_word_and_no_other_s(
    emulator: Client, tmp_path: Path
) -> None:
    for trusted, codes in (
        ("127.0.0.1", [201, 429, 201]),
        ("10.1.1.1", [201, 429, 429]),
        ("", [201, 201, 201]),  # a proxy that nobody told of is not everybody
    ):
        environ = settings_for(
            emulator.url,
            sessions_per_minute="1",
            trusted_proxy=trusted,
            database_url=f"sqlite:///{tmp_path / (trusted or 'none')}.db",
        )
        with started(ROKT_BFF, "serve", "--port", "0", folder=tmp_path, environ=environ) as server:
            url = server.wait_for(r"rokt-bff at (http://\S+)")
            answers = [
                requests.post(
                    f"{url}/session",
                    json={},
                    headers=BRIDGE | {"X-Forwarded-For": address},
                    timeout=60,
                )
                for address in ("9.9.9.9", "9.9.9.9", "9.9.9.8")
            ]
            assert [answer.status_code for answer in answers] == codes
            assert server.stop() == 0
            assert ("ROKT_BFF_TRUSTED_PROXY" in server.printed) is (not trusted)


# --- Redis ---


def test_several_servers_count_together_in_redis(make_shop: MakeShop, tmp_path: Path) -> None:
    with running(tmp_path) as redis:
        settings = {"rate_limit_storage": redis.url, "sessions_per_minute": 4}
        shops = [make_shop(**settings), make_shop(**settings)]
        codes = [post(shops[n % 2], "/session", {}, "9.9.9.9").status_code for n in range(6)]
        assert codes == [201, 201, 201, 201, 429, 429]
        limited(post(shops[0], "/session", {}, "9.9.9.9"), 60)
        assert post(shops[0], "/session", {}, "9.9.9.8").status_code == 201


def test_without_redis_each_server_counts_for_itself_and_says_so_once(
    make_shop: MakeShop, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(limiting, "RETRY_SECONDS", 0.0)
    port = free_port()
    url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    shop = make_shop(rate_limit_storage=url, sessions_per_minute=2)
    caplog.set_level(logging.INFO, "bff")
    codes = [post(shop, "/session", {}, "9.9.9.9").status_code for _ in range(4)]
    assert codes == [201, 201, 429, 429]
    (record,) = caplog.records
    assert record.getMessage().startswith("Redis cannot count (ConnectionError)")
    assert PASSWORD not in caplog.text
    assert str(port) not in record.getMessage()
    with running(tmp_path, port):
        assert post(shop, "/session", {}, "9.9.9.9").status_code == 201
        assert caplog.records[-1].getMessage() == "Redis counts again"
    answers = [post(shop, "/session", {}, "9.9.9.7").status_code for _ in range(3)]
    assert answers == [201, 201, 429]
    assert sum("cannot count" in record.getMessage() for record in caplog.records) == 2


def test_a_redis_that_hangs_keeps_nobody_waiting(make_shop: MakeShop, tmp_path: Path) -> None:
    with running(tmp_path) as redis:
        shop = make_shop(rate_limit_storage=redis.url)
        shopper = shop.shopper()
        shopper.add()
        redis.process.pause()
        start = time.monotonic()
        for _ in range(5):
            shopper.add(quantity=2)
        assert time.monotonic() - start < 9  # less than one honest call may wait elsewhere
        redis.process.resume()


def test_a_redis_that_refuses_the_password_is_one_that_cannot_count(
    make_shop: MakeShop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as redis:
        url = redis.url.replace(PASSWORD, "wrong-word")
        shop = make_shop(rate_limit_storage=url, sessions_per_minute=1)
        assert post(shop, "/session", {}, "9.9.9.9").status_code == 201
        assert post(shop, "/session", {}, "9.9.9.9").status_code == 429
    assert "Redis cannot count" in caplog.text
    assert "wrong-word" not in caplog.text


def test_of_an_item_only_what_somebody_reads_is_held(shop: Shop, shopper: Shopper) -> None:
    for more in ("x", "x" * 30_000, {"x" * 50: ["x" * 50]}):
        ok(shopper.update(shopper.item() | {"providerData": more, "newer": more}))
        with shop.parts.store.read() as connection:
            (document,) = connection.execute(select(sessions.c.cart)).scalars()
        assert "providerData" not in document
        assert "xxx" not in document
        assert len(document) < 1000
    assert ok(shop.app.test_client().get("/rokt/cart", headers=bearer(shopper.handle)))["items"]
