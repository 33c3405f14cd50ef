"""How ``Upsells`` is wired into an app: once, with every problem told, and apart from others."""

from __future__ import annotations

import logging
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_wtf.csrf import CSRFProtect, generate_csrf

import bff
from bff import (
    ConfigError,
    Upsells,
    upsell_call_made,
    upsell_cart_changed,
    upsell_confirmed,
    upsell_refund_needed,
)
from bff.extension.csp import sources
from bff.web.runtime import runtime
from tests.support.emulator_client import Client
from tests.support.shop import BRIDGE, SERVER, SERVER_KEY, Shop, bearer, ok


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "SECRET_KEY": "a secret of the tests",
        "ROKT_BFF_API_KEY": "key",
        "ROKT_BFF_TAG_ID": "tag",
        "ROKT_BFF_PUBLIC_URL": "http://localhost",
        "ROKT_BFF_DATABASE_URL": f"sqlite:///{folder / 'rokt-bff.db'}",
    } | more


def test_every_problem_of_the_settings_is_told_at_once() -> None:
    app = Flask("shop")
    app.config.update(
        ROKT_BFF_TAG_ID="",
        ROKT_BFF_API_URL="http://api.rokt.example",
        ROKT_BFF_MAX_LINES="many",
        ROKT_BFF_RESERVE_TIMEUOT=3,
        ROKT_BFF_ORIGINS="https://*.example",
    )
    with pytest.raises(ConfigError) as caught:
        Upsells(app)
    named = {re.split(r"\W", problem)[0] for problem in caught.value.problems}
    assert named == {
        "SECRET_KEY",
        "ROKT_BFF_API_KEY",
        "ROKT_BFF_TAG_ID",
        "ROKT_BFF_API_URL",
        "ROKT_BFF_MAX_LINES",
        "ROKT_BFF_RESERVE_TIMEUOT",
        "ROKT_BFF_ORIGINS",
    }
    for problem in caught.value.problems:
        assert problem in str(caught.value)
    assert "rokt_bff" not in app.extensions
    assert "rokt_bff" not in app.blueprints


def test_an_app_that_could_not_start_starts_once_it_is_cured(tmp_path: Path) -> None:
    app = Flask("shop")
    upsells = Upsells()
    with pytest.raises(ConfigError):
        upsells.init_app(app)
    app.config.update(settings(tmp_path))
    upsells.init_app(app)
    assert upsells.init_db(app) is True
    assert upsells.init_db(app) is False
    runtime(app).store.close()


def test_wiring_an_app_twice_is_an_error_that_says_the_cure(shop: Shop) -> None:
    for upsells in (shop.upsells, Upsells()):
        with pytest.raises(RuntimeError, match="Call init_app once for each app"):
            upsells.init_app(shop.app)
    assert ok(shop.app.test_client().get("/rokt/health")) == {"status": "ok"}


def test_an_app_without_upsells_is_told_the_cure() -> None:
    app = Flask("shop")
    with app.test_request_context(), pytest.raises(RuntimeError, match=r"init_app\(app\) first"):
        Upsells().settings  # noqa: B018
    with pytest.raises(RuntimeError, match=r"init_app\(app\) first"):
        Upsells().init_db(app)


def test_one_extension_serves_two_apps_that_do_not_mix(
    make_shop: Callable[..., Shop], tmp_path: Path
) -> None:
    first = make_shop(max_lines=1)
    other = Flask("other")
    other.config.update(settings(tmp_path, ROKT_BFF_URL_PREFIX="/upsell", ROKT_BFF_MAX_LINES=2))
    first.upsells.init_app(other)
    first.upsells.init_db(other)
    heard: list[str] = []

    def listen(app: Flask, **_: Any) -> None:
        heard.append(app.name)

    with upsell_cart_changed.connected_to(listen):
        first.shopper().add()
        with other.app_context():
            assert (first.upsells.settings.max_lines, first.upsells.settings.url_prefix) == (
                2,
                "/upsell",
            )
        item = first.shopper().item()
        answer = other.test_client().post(
            "/upsell/cart/updates", json={"updatedItem": item}, headers=BRIDGE
        )
        assert len(ok(answer)["items"]) == 1
    assert heard == ["shop", "other"]
    assert runtime(first.app).store is not runtime(other).store
    stranger = other.test_client().get("/upsell/cart", headers=bearer(handle_of(first)))
    assert stranger.status_code == 401
    assert other.test_client().get("/rokt/health").status_code == 404
    runtime(other).store.close()


def handle_of(shop: Shop) -> str:
    shopper = shop.shopper()
    shopper.add()
    return shopper.handle


def test_the_database_is_a_file_of_the_instance_unless_another_is_named(tmp_path: Path) -> None:
    app = Flask("shop", instance_path=str(tmp_path / "instance"))
    app.config.update(settings(tmp_path, ROKT_BFF_DATABASE_URL=""))
    Upsells(app).init_db(app)
    file = tmp_path / "instance" / "rokt-bff.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    runtime(app).store.close()


@pytest.mark.parametrize("first", ["csrf", "upsells", "csrf, app later"])
def test_flask_wtf_and_the_guard_live_beside_each_other(
    emulator: Client, tmp_path: Path, first: str
) -> None:
    app = Flask("shop")
    app.config.update(
        settings(tmp_path, ROKT_BFF_API_URL=emulator.url, ROKT_BFF_SERVER_KEY=SERVER_KEY)
    )
    upsells = Upsells()
    if first == "upsells":
        upsells.init_app(app)
        CSRFProtect(app)
    elif first == "csrf":
        CSRFProtect(app)
        upsells.init_app(app)
    else:
        csrf = CSRFProtect()
        upsells.init_app(app)
        csrf.init_app(app)
    upsells.init_db(app)

    @app.route("/form", methods=["GET", "POST"])
    def form() -> str:
        return str(generate_csrf())

    client = app.test_client()
    for _ in range(2):
        # Ours: with the guard's proofs, and not without.
        answer = client.post("/rokt/cart/release", json={}, headers=BRIDGE)
        assert answer.status_code == 200, answer.text
        assert client.post("/rokt/cart/release", json={}).status_code == 403
        cross = BRIDGE | {"Sec-Fetch-Site": "cross-site"}
        assert client.post("/rokt/cart/release", json={}, headers=cross).status_code == 403
        assert client.get("/rokt/orders/A-1", headers=SERVER).status_code == 404
        # The shop's: with a token, and not without.
        assert client.post("/form").status_code == 400
        token = {"X-CSRFToken": client.get("/form").text}
        assert client.post("/form", headers=token).status_code == 200
        # A token is no proof to us.
        assert client.post("/rokt/cart/release", json={}, headers=token).status_code == 403
    runtime(app).store.close()


def test_the_bridge_s_address_can_be_asked_for(shop: Shop) -> None:
    from flask import url_for

    with shop.app.test_request_context():
        assert url_for("rokt_bff.static", filename="bridge.js") == "/rokt/static/bridge.js"


def test_the_public_names_are_the_documented_ones() -> None:
    verbs = {
        "cart",
        "remove",
        "buy_instantly",
        "any_placements",
        "reserve",
        "confirm",
        "release",
        "cancel",
        "refunded",
    }
    verbs |= {"sync_products", "order", "rotate", "session_ref", "to_json", "settings"}
    verbs |= {"init_app", "init_db", "deliver_in_background", "csp", "script_tag"}
    assert {name for name in dir(Upsells) if not name.startswith("_")} == verbs
    for name in bff.__all__:
        assert getattr(bff, name) is not None


def test_signals_tell_what_happened_in_order(shop: Shop) -> None:
    shopper = shop.shopper()
    shopper.add()
    shopper.reserve()
    shopper.pay("A-1")
    names = [name for name, _ in shop.heard.signals]
    assert names == ["cart", "call", "cart", "call", "confirmed", "cart"]
    causes = [told["cause"] for told in shop.heard.of("cart")]
    assert causes == ["update", "reserve", "confirm"]
    calls = shop.heard.of("call")
    assert [(call["call"], call["outcome"], call["status"]) for call in calls] == [
        ("reserve", "done", 200),
        ("confirm", "done", 200),
    ]
    for call in calls:
        assert call["attempt"] == 1
        assert call["milliseconds"] > 0
        assert call["started_at"].utcoffset() is not None
        assert call["request"]["cartId"]
        assert isinstance(call["response"], dict)
        assert "emulator-key" not in repr(call)
    refs = {told["session_ref"] for name, told in shop.heard.signals if name in ("cart", "call")}
    assert len(refs) == 1
    assert shopper.handle not in repr(shop.heard.signals)
    assert [told["order"].order_id for told in shop.heard.of("confirmed")] == ["A-1"]
    documented = {
        "call": upsell_call_made, "cart": upsell_cart_changed, "confirmed": upsell_confirmed
    }  # fmt: skip
    for name, told in shop.heard.signals:
        doc = documented[name].__doc__ or ""
        assert re.findall(r"^ {8}(\w+): ", doc, re.MULTILINE) == list(told)


@pytest.mark.parametrize(
    "signal", [upsell_cart_changed, upsell_call_made, upsell_confirmed, upsell_refund_needed]
)
def test_a_listener_that_raises_breaks_nothing_and_is_logged_without_its_text(
    shop: Shop, signal: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken_listener(_app: Flask, **_: Any) -> None:
        raise RuntimeError("somebody@example.com")

    shopper = shop.shopper()
    with signal.connected_to(broken_listener, shop.app), caplog.at_level(logging.ERROR):
        shopper.add()
        shopper.reserve()
        if signal is upsell_refund_needed:
            shop.emulator.faults("confirm", {"kind": "status", "status": 422})
        status = shopper.pay("A-1")["status"]
    assert status == ("refund_needed" if signal is upsell_refund_needed else "confirmed")
    text = caplog.text
    assert "broken_listener" in text  # whose fault it is
    assert signal.name in text
    assert "RuntimeError" in text
    assert "somebody@example.com" not in text
    assert shop.heard.of("confirmed" if status == "confirmed" else "refund")


@pytest.mark.sqlite
def test_a_shop_asks_its_upsells_for_its_policy(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(account_id="1", api_url="https://api.rokt.com")
    partner = "https://upsell.example"
    given = shop.parts.settings
    with shop.app.app_context():
        assert shop.upsells.csp() == sources(given)
        assert shop.upsells.csp(partner) == sources(given, partner) != sources(given)
