"""The Flask shop of the design: wired in a factory, paid in its own view, Rokt up or down."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask, redirect, url_for
from flask.testing import FlaskClient
from werkzeug.wrappers import Response

from bff import Order, Upsells, upsell_confirmed, upsell_refund_needed
from bff.web.runtime import runtime
from tests.support.databases import NewDatabase
from tests.support.emulator_client import Client
from tests.support.shop import BRIDGE, deliver, ok
from tests.support.waiting import FOR_EVER, SLACK, until

TICKETS = Decimal("80.00")

upsells = Upsells()


@dataclass
class Charged:
    """The shop's own order."""

    id: int
    total: Decimal


charges: list[Charged] = []


def charge(total: Decimal) -> Charged:
    charges.append(Charged(1001 + len(charges), total))
    return charges[-1]


def shop_total() -> Decimal:
    return TICKETS


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.from_prefixed_env()
    upsells.init_app(app)

    @app.post("/checkout/pay")
    def pay() -> Response:
        quote = upsells.reserve()
        order = charge(shop_total() + quote.total)
        upsells.confirm(order_id=order.id)
        return redirect(url_for("thanks", order_id=order.id))

    @app.get("/thanks/<int:order_id>")
    def thanks(order_id: int) -> str:
        order = upsells.order(order_id)
        names = ", ".join(f"{item.quantity} {item.name}" for item in order.items)
        return f"{order.status}: {names or 'no upsell'}"

    return app


@pytest.fixture
def make_app(
    emulator: Client, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Flask]]:
    apps: list[Flask] = []
    charges.clear()

    def make(**settings: str) -> Flask:
        given = {
            "SECRET_KEY": "a secret of the tests",
            "ROKT_BFF_API_KEY": "emulator-key",
            "ROKT_BFF_TAG_ID": "emulator-tag",
            "ROKT_BFF_API_URL": emulator.url,
            "ROKT_BFF_DATABASE_URL": new_database(),
        } | {f"ROKT_BFF_{name.upper()}": value for name, value in settings.items()}
        for name, value in given.items():
            monkeypatch.setenv(f"FLASK_{name}", value)
        app = create_app()
        apps.append(app)
        upsells.init_db(app)
        return app

    yield make
    for app in apps:
        runtime(app).store.close()


def choose_parking(client: FlaskClient, emulator: Client, quantity: int = 2) -> None:
    """Let the page send what the shopper chose."""
    offers = emulator.control("GET", "offers").json()["offers"]
    offer = next(one for one in offers if one["catalogItemId"] == "parking.standard")
    item = {**offer, "quantity": quantity, "totalPrice": offer["unitPrice"] * quantity}
    body = {"updatedItem": item, "oldItem": None}
    ok(client.post("/rokt/cart/updates", json=body, headers=BRIDGE))


def test_the_shop_sells_parking_and_thanks_for_it(
    make_app: Callable[..., Flask], emulator: Client
) -> None:
    app = make_app()
    confirmed: list[Order] = []

    def listen(_app: Flask, order: Order) -> None:
        confirmed.append(order)

    client = app.test_client()
    choose_parking(client, emulator)
    with upsell_confirmed.connected_to(listen, app):
        paid = client.post("/checkout/pay")
    assert (paid.status_code, paid.headers["Location"]) == (302, "/thanks/1001")
    assert [one.total for one in charges] == [Decimal("105.00")]
    assert client.get(paid.headers["Location"]).text == "confirmed: 2 Standard parking"
    assert [order.order_id for order in confirmed] == ["1001"]
    (sent,) = [one for one in emulator.journal() if one["endpoint"] == "confirm"]
    assert sent["body"]["orderId"] == "1001"
    assert emulator.stock("parking.standard") == 98
    with app.test_request_context():
        assert upsells.cart.items == ()


def test_a_shopper_without_an_upsell_pays_and_rokt_is_not_asked(
    make_app: Callable[..., Flask], emulator: Client
) -> None:
    client = make_app().test_client()
    answer = client.post("/checkout/pay", follow_redirects=True)
    assert answer.text == "confirmed: no upsell"
    assert [one.total for one in charges] == [TICKETS]
    assert emulator.journal() == []


HANGS: dict[str, Any] = {"kind": "hang", "seconds": FOR_EVER, "times": 9}
DOWN: dict[str, list[dict[str, Any]]] = {
    "hangs": [HANGS],
    "drips": [{"kind": "drip", "secondsPerByte": 0.2, "times": 9}],
    "drops": [{"kind": "drop", "times": 9}],
    "answers 503": [{"kind": "status", "status": 503, "times": 9}],
    "answers 401": [{"kind": "status", "status": 401, "times": 9}],
    "answers html": [{"kind": "html", "times": 9}],
}


@pytest.mark.parametrize("how", DOWN)
def test_with_rokt_down_the_checkout_completes_without_the_upsell_in_time(
    make_app: Callable[..., Flask], emulator: Client, how: str
) -> None:
    limits = {"connect_timeout": 0.3, "reserve_timeout": 0.6, "confirm_timeout": 0.6}
    client = make_app(**{name: str(value) for name, value in limits.items()}).test_client()
    choose_parking(client, emulator)
    faults = dict.fromkeys(("any", "reserve", "confirm", "release", "cancel"), DOWN[how])
    emulator.put("faults", faults)
    began = time.monotonic()
    paid = client.post("/checkout/pay")
    took = time.monotonic() - began
    assert (paid.status_code, paid.headers["Location"]) == (302, "/thanks/1001")
    assert took < sum(limits.values()) + SLACK
    assert [one.total for one in charges] == [TICKETS]
    assert client.get("/thanks/1001").text == "confirmed: no upsell"
    assert emulator.state()["orders"] == {}


def test_with_nobody_at_rokts_address_the_checkout_completes_too(
    make_app: Callable[..., Flask], emulator: Client
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # taken and not listening: every connection is refused
        app = make_app(api_url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        client = app.test_client()
        choose_parking(client, emulator)
        began = time.monotonic()
        answer = client.post("/checkout/pay", follow_redirects=True)
        assert time.monotonic() - began < 6 + SLACK
    assert answer.text == "confirmed: no upsell"
    assert [one.total for one in charges] == [TICKETS]


def test_what_was_charged_is_confirmed_later_when_rokt_goes_down_in_between(
    make_app: Callable[..., Flask], emulator: Client
) -> None:
    app = make_app(confirm_timeout="0.6")
    refunds: list[Order] = []

    def listen(_app: Flask, order: Order) -> None:
        refunds.append(order)

    client = app.test_client()
    choose_parking(client, emulator, 1)
    emulator.faults("confirm", HANGS | {"times": 1})
    with upsell_refund_needed.connected_to(listen, app):
        answer = client.post("/checkout/pay", follow_redirects=True)
        assert answer.text == "confirming: 1 Standard parking"
        assert [one.total for one in charges] == [Decimal("92.50")]
        object.__setattr__(runtime(app).settings, "confirm_timeout", 20.0)  # all is well again

        def is_confirmed() -> bool:
            deliver(runtime(app), datetime.now(UTC))
            return client.get("/thanks/1001").text == "confirmed: 1 Standard parking"

        until(is_confirmed)
    assert refunds == []
    assert emulator.stock("parking.standard") == 99
