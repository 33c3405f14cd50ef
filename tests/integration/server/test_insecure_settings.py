"""What would be insecure does not start, and says which setting it is; on a developer's it does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.cli import FlaskGroup

from bff import ConfigError, Upsells
from bff.server.serve import create_app
from bff.web.runtime import runtime
from tests.support.emulator_client import Client
from tests.support.processes import refused, settings_for
from tests.support.shop import BRIDGE, Shop, ok

KEY = "a-key-of-more-than-thirty-two-letters"
EMULATOR = "http://127.0.0.1:8081"
TLS = {"SECRET_KEY": KEY, "SESSION_COOKIE_SECURE": True}


def test_a_shop_that_would_be_insecure_does_not_start_and_all_is_told_at_once() -> None:
    app = Flask("shop")
    app.config.update(
        SECRET_KEY="x",
        ROKT_BFF_API_KEY="key",
        ROKT_BFF_TAG_ID="tag",
        ROKT_BFF_MAX_LINES="many",
        ROKT_BFF_ORIGINS="http://shop.example",
    )
    with pytest.raises(ConfigError) as caught:
        Upsells(app)
    named = {re.split(r"\W", problem)[0] for problem in caught.value.problems}
    assert named == {
        "SECRET_KEY",
        "ROKT_BFF_MAX_LINES",
        "ROKT_BFF_ORIGINS",
        "SESSION_COOKIE_SECURE",
    }
    assert "rokt_bff" not in app.extensions


@pytest.mark.parametrize("wrong", [
    {"ROKT_BFF_API_URL": "127.0.0.1:8081"}, {"ROKT_BFF_PUBLIC_URL": "https://shop.example/cart"},
])  # fmt: skip
@pytest.mark.parametrize("host", [None, "0.0.0.0"])
def test_what_would_be_right_if_an_address_were_is_not_told_beside_it(
    wrong: dict[str, str], host: str | None
) -> None:
    app = Flask("shop")
    app.config.update(SECRET_KEY=KEY, ROKT_BFF_API_KEY="key", ROKT_BFF_TAG_ID="tag", **wrong)
    with pytest.raises(ConfigError) as caught:
        Upsells(app, host=host)
    assert [problem.split(" ")[0] for problem in caught.value.problems] == list(wrong)


@pytest.mark.parametrize(("more", "arguments", "named"), [
    ({}, ["--host", "0.0.0.0", "--insecure-cookies"], ["--insecure-cookies", "PUBLIC_URL"]),
    ({"api_url": "https://api.rokt.com", "secret_key": "x"}, [], ["ROKT_BFF_SECRET_KEY"]),
    ({"origins": "http://shop.example"}, [], ["ROKT_BFF_ORIGINS"]),
    ({"server_key": KEY, "secret_key": KEY}, [], ["ROKT_BFF_SERVER_KEY"]),
    ({"rate_limit_storage": "nonsense://:pass-word@h", "max_lines": "0"}, [],
     ["ROKT_BFF_RATE_LIMIT_STORAGE", "ROKT_BFF_MAX_LINES"]),
])  # fmt: skip
def test_the_server_says_what_is_insecure_and_does_not_start(
    emulator: Client, tmp_path: Path, more: dict[str, str], arguments: list[str], named: list[str]
) -> None:
    environ = settings_for(emulator.url, **more)
    told = refused("serve", "--port", "0", *arguments, folder=tmp_path, environ=environ)
    for name in named:
        assert name in told
    for secret in (KEY, "pass-word"):
        assert secret not in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("shops", "ours"), [("Strict", "Strict"), ("Lax", "Lax"), ("None", "Lax"),
    (None, "Lax")])  # fmt: skip
@pytest.mark.sqlite
def test_our_cookie_is_never_one_for_other_sites(
    make_shop: Callable[..., Shop], shops: str | None, ours: str
) -> None:
    shop = make_shop()
    shop.app.config["SESSION_COOKIE_SAMESITE"] = shops
    shopper = shop.shopper()
    shopper.add()
    cookie = shopper.client.get_cookie("rokt_bff")
    assert cookie is not None
    assert (cookie.same_site, cookie.http_only) == (ours, True)


@pytest.mark.sqlite
def test_a_public_https_address_makes_the_cookie_one_of_tls(
    make_shop: Callable[..., Shop],
) -> None:
    shopper = make_shop(public_url="https://shop.example").shopper()
    page = {"Origin": "https://shop.example", "Host": "shop.example"}
    answer = shopper.post("/cart/updates", {"updatedItem": shopper.item()}, **page)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-rokt_bff=")
    assert "; Secure;" in cookie


@pytest.mark.parametrize(("host", "origin", "status"), [
    ("shop.example", "https://shop.example", 201),
    ("10.0.0.7:8000", "https://shop.example", 201),  # a proxy that names the server's address
    ("shop.example", "http://shop.example", 403),
    ("shop.example", "https://shop.example:8443", 403),
    ("evil.example", "https://evil.example", 403),
    ("evil.example", "http://evil.example", 403),
    ("evil.example", "https://shop.example", 403),
    ("localhost:8000", "http://localhost:8000", 403),
])  # fmt: skip
@pytest.mark.sqlite
def test_our_own_pages_are_those_of_the_public_address(
    make_shop: Callable[..., Shop], host: str, origin: str, status: int
) -> None:
    shop = make_shop(public_url="https://shop.example")
    page = BRIDGE | {"Host": host, "Origin": origin}
    answer = shop.app.test_client().post("/rokt/session", json={}, headers=page)
    assert answer.status_code == status
    # Who watches whether the server lives calls it by whatever name it has.
    assert ok(shop.app.test_client().get("/rokt/health", headers={"Host": "bff-7.internal"}))


@pytest.mark.sqlite
def test_a_reading_call_by_another_name_is_refused_where_ours_is_known(
    make_shop: Callable[..., Shop],
) -> None:
    shop = make_shop(public_url="https://shop.example")
    page = BRIDGE | {"Host": "evil.example"}
    answer = shop.app.test_client().get("/rokt/cart", headers=page)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "foreign_host")


def test_the_doctor_says_it_too(emulator: Client, tmp_path: Path) -> None:
    environ = settings_for(emulator.url, database_url=f"sqlite:///{tmp_path / 'rokt-bff.db'}")
    app, upsells = create_app(environ)
    upsells.init_db(app)
    app.config["SECRET_KEY"] = environ["ROKT_BFF_SERVER_KEY"]
    group = FlaskGroup(create_app=lambda: app, add_default_commands=False)
    told = app.test_cli_runner().invoke(group, ["rokt", "doctor"])
    assert told.exit_code == 1
    assert told.output.startswith("insecure: ROKT_BFF_SERVER_KEY must differ from SECRET_KEY")
    runtime(app).store.close()
