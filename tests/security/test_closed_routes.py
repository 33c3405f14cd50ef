"""Every route that changes something, tried in every way that must stay closed: none is open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bff.server.serve import create_app
from bff.web import blueprint, guard
from bff.web.guard import Caller, opened_to
from bff.web.runtime import runtime
from tests.support.emulator_client import Client
from tests.support.processes import settings_for
from tests.support.route_walk import (
    HEADER,
    PARTNER,
    VOUCHED,
    Attack,
    Keys,
    attempt,
    digest,
    steps,
    walk,
)
from tests.support.shop import SERVER_KEY, Shop, Shopper, ok


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    shop = make_shop(origins=PARTNER)

    @shop.app.post("/buy-again")
    def buy_again() -> Any:
        return shop.upsells.buy_instantly(lambda _: "again-1")

    return shop


def prepared(shopper: Shopper) -> tuple[Keys, dict[str, Any]]:
    """Buy and reserve once, so that there is something to take; also a body for every route."""
    shopper.add()
    shopper.reserve()
    shopper.pay("order-1")
    shopper.add("poster.souvenir", 2)
    quote = shopper.reserve()
    cookie = shopper.client.get_cookie("rokt_bff")
    assert cookie is not None
    item = shopper.item(quantity=3)
    body = {
        "updatedItem": item,
        "oldItem": None,
        "pageIdentifier": "checkout",
        "handle": shopper.handle,
        "orderId": "stolen",
        "quoteId": quote["quoteId"],
        "quantities": {"parking": 1},
        "purchaseId": "3f1f6d0e-0000-4000-8000-000000000001",
        "upsellItems": [item],
    }
    return Keys(("rokt_bff", cookie.value), shopper.handle, SERVER_KEY), body


def test_no_route_lets_anybody_in_who_may_not_and_nothing_changes(
    shop: Shop, shopper: Shopper
) -> None:
    keys, body = prepared(shopper)
    before, calls = digest(shop.app), len(shop.calls())
    let_in, count = walk(shop.app, keys, body)
    assert let_in == []
    assert count > 1000
    assert digest(shop.app) == before
    assert len(shop.calls()) == calls


def test_an_honest_caller_is_let_in_on_every_one_of_these_routes(
    shop: Shop, shopper: Shopper
) -> None:
    """Else the walk would be refused for its body, and prove nothing."""
    keys, body = prepared(shopper)
    before = digest(shop.app)
    seen = set()
    for step in steps(shop.app):
        if step.rule.endpoint == "rokt_bff.nothing_here":
            continue
        honest = Attack("honest", HEADER | VOUCHED)
        if step.caller is Caller.SERVER:
            honest = Attack("honest", {"Authorization": f"Bearer {SERVER_KEY}"}, with_cookie=False)
        answer = attempt(shop.app, keys, step, honest, body)
        assert answer.status_code in (200, 201), (step.path, answer.text)
        seen.add(str(step.rule))
    assert len(seen) >= 10
    assert digest(shop.app) != before


def test_the_standalone_server_lets_nobody_in_either(
    emulator: Client, shopper: Shopper, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path / 'standalone.db'}"
    environ = settings_for(emulator.url, database_url=database, origins=PARTNER)
    app, upsells = create_app(environ, secure_cookies=False)
    upsells.init_db(app)
    opened = app.test_client().post("/rokt/session", json={}, headers=HEADER | VOUCHED)
    _, body = prepared(shopper)
    keys = Keys(("rokt_bff", "x"), ok(opened)["handle"], SERVER_KEY)
    before = digest(app)
    let_in, count = walk(app, keys, body | {"handle": keys.handle})
    assert let_in == []
    assert count > 1000
    assert digest(app) == before
    runtime(app).store.close()


@pytest.mark.parametrize("how", ["beside the blueprint", "opened to all", "without a word"])
def test_a_route_without_the_guard_is_found(shop: Shop, shopper: Shopper, how: str) -> None:
    def take() -> str:
        """Hand out the goods."""
        return "taken"

    path = "/rokt/take"
    if how == "beside the blueprint":
        shop.app.post(path)(take)
    else:
        view = opened_to(Caller.PUBLIC)(take) if how == "opened to all" else take
        shop.app.add_url_rule(path, "rokt_bff.take", view, methods=["POST"])
    keys, body = prepared(shopper)
    let_in, _ = walk(shop.app, keys, body, path, "/cart/updates")
    # A view of the blueprint that says nothing is closed to everybody.
    assert {one.split()[1] for one in let_in} == ({path} if how != "without a word" else set())


@pytest.mark.parametrize("left_out", ["_check_media_type", "_check_server", "_check_header"])
def test_the_walk_finds_a_check_that_is_left_out(
    shop: Shop, shopper: Shopper, monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    keys, body = prepared(shopper)
    before = digest(shop.app)
    monkeypatch.setattr(guard, left_out, lambda *_: None)
    let_in, _ = walk(shop.app, keys, body, "/cart/updates", "/orders")
    assert let_in
    assert digest(shop.app) != before


def test_the_walk_finds_a_page_that_is_not_looked_at(
    shop: Shop, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, body = prepared(shopper)
    monkeypatch.setattr(guard, "_page", lambda *_: guard.Page.OURS)
    let_in, _ = walk(shop.app, keys, body, "/cart/updates", "/session")
    for sign in ("cross-site", "null", "https://shop.example.evil.io", "no header"):
        assert any(sign in one for one in let_in), sign


def test_the_walk_finds_a_blueprint_that_does_not_ask_the_guard(
    shop: Shop, shopper: Shopper
) -> None:
    shop.app.testing = False  # a view that misses the guard's word is no crash of this test
    keys, body = prepared(shopper)
    shop.app.before_request_funcs["rokt_bff"].remove(blueprint.guard)
    assert walk(shop.app, keys, body, "/cart/updates", "/orders")[0]
