"""A shop under test: a Flask app with upsells, its shopper, and a clock that tests can move."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from flask import Flask
from werkzeug.test import TestResponse

from bff import (
    Upsells,
    upsell_call_made,
    upsell_cart_changed,
    upsell_confirmed,
    upsell_refund_needed,
)
from bff.ops.purge import purge
from bff.outbox.releases import Releases
from bff.outbox.sweep import Sweep
from bff.web.runtime import Runtime, runtime
from tests.support.emulator_client import Client

T = TypeVar("T")

SERVER_KEY = "server-key-of-thirty-two-letters"
BRIDGE = {"Rokt-Bff": "1", "Sec-Fetch-Site": "same-origin"}
SERVER = {"Authorization": f"Bearer {SERVER_KEY}"}


# As long as settings allow: an honest call is answered on however busy a machine.
AMPLE = {f"ROKT_BFF_{name}_TIMEOUT": 20 for name in ("CONNECT", "PLACEMENTS", "RESERVE", "CONFIRM")}
# All of a test's shoppers come from one address.
MANY = 1_000_000
ONE_ADDRESS = {
    "ROKT_BFF_UPDATES_PER_SECOND_CLIENT": MANY,
    "ROKT_BFF_SESSIONS_PER_MINUTE": MANY,
    "ROKT_BFF_CALLS_PER_MINUTE": MANY,
}


def bearer(handle: str) -> dict[str, str]:
    """Headers of the bridge on a page that keeps its handle itself."""
    return BRIDGE | {"Authorization": f"Bearer {handle}"}


class Clock:
    """The shop's clock. It runs like the real one, from wherever a test has moved it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def move(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


class Heard:
    """What a shop heard by signals, in order: pairs of the signal's name and what it carried."""

    def __init__(self, app: Flask) -> None:
        self.signals: list[tuple[str, dict[str, Any]]] = []
        self._receivers = []
        for name, signal in (
            ("call", upsell_call_made),
            ("cart", upsell_cart_changed),
            ("confirmed", upsell_confirmed),
            ("refund", upsell_refund_needed),
        ):
            receiver = self._receiver(name)
            self._receivers.append(receiver)  # signals hold their receivers weakly
            signal.connect(receiver, sender=app)

    def _receiver(self, name: str) -> Any:
        def receive(_app: Flask, **told: Any) -> None:
            self.signals.append((name, told))

        return receive

    def of(self, name: str) -> list[dict[str, Any]]:
        return [told for heard, told in self.signals if heard == name]


def deliver(parts: Runtime, due_by: datetime) -> int:
    """Attempt every owed call that is due, one after another. Returns how many that were."""
    count = 0
    while claimed := parts.delivery.settle_and_claim([], claim=1, due_by=due_by):
        for one in claimed:
            limit = parts.settings.confirm_timeout
            parts.delivery.attempt(one.owed, limit=limit, renews=one.renews)
            count += 1
    return count


class Shop:
    """A Flask shop wired to the emulator, on a database in ``folder``."""

    def __init__(
        self,
        emulator: Client,
        folder: Path,
        config: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.emulator = emulator
        self.clock = clock or Clock()
        self.app = Flask("shop", instance_path=str(folder))
        self.app.config.update(
            SECRET_KEY="a secret of the tests",
            TESTING=True,
            ROKT_BFF_API_URL=emulator.url,
            ROKT_BFF_API_KEY="emulator-key",
            ROKT_BFF_TAG_ID="emulator-tag",
            ROKT_BFF_SERVER_KEY=SERVER_KEY,
            **AMPLE,
            **ONE_ADDRESS,
            ROKT_BFF_DATABASE_URL=f"sqlite:///{folder / 'rokt-bff.db'}",
        )
        self.app.config.update(config or {})
        self.upsells = Upsells(clock=self.clock)
        self.upsells.init_app(self.app)
        if not config or "ROKT_BFF_DATABASE_URL" not in config:  # else its tables are there
            self.upsells.init_db(self.app)
        self.heard = Heard(self.app)

    @property
    def parts(self) -> Runtime:
        return runtime(self.app)

    def shopper(self) -> Shopper:
        return Shopper(self)

    def deliver(self) -> int:
        """Work off what is owed to Rokt and due now."""
        return deliver(self.parts, self.clock())

    def sweep(self) -> int:
        """Give back what shoppers left reserved. Returns how many items that were."""
        releases = Releases(self.parts.outbox)
        return sum(Sweep(self.parts.settings, self.parts.store, self.clock, releases).batches())

    def purge(self, now: datetime | None = None) -> int:
        """Delete what is over. Returns how many rows that were."""
        return sum(purge(self.parts.store, self.clock() if now is None else now))

    @contextmanager
    def limits(self, **seconds: float) -> Iterator[None]:
        """Let calls to Rokt have less time while the block runs: ``limits(reserve_timeout=1)``.

        Only calls that hang are made within it, so that no honest call must be quick.
        """
        settings = self.parts.settings
        before = {name: getattr(settings, name) for name in seconds}
        try:
            for name, value in seconds.items():
                object.__setattr__(settings, name, value)  # it is frozen
            yield
        finally:
            for name, value in before.items():
                object.__setattr__(settings, name, value)

    def move_clocks(self, seconds: float) -> None:
        """Let time pass, for the shop and for Rokt."""
        self.clock.move(seconds)
        self.emulator.move_clock(seconds)

    def calls(self, *endpoints: str) -> list[Any]:
        """Return what Rokt was sent, of these endpoints, as the emulator's journal has it."""
        entries = self.emulator.journal()
        return [entry for entry in entries if not endpoints or entry["endpoint"] in endpoints]

    def close(self) -> None:
        self.parts.store.close()


class Shopper:
    """A browser on the shop's own pages: a cookie jar, and a page load with its SDK."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.client = shop.app.test_client()
        self.load_page()

    def load_page(self) -> None:
        """Open the upsell page anew: fresh cart item ids, a new page id, seq from 1."""
        impression = self.shop.emulator.control("GET", "offers").json()
        self.offers = {offer["catalogItemId"]: offer for offer in impression["offers"]}
        self.page = str(uuid4())
        self.seq = itertools.count(1)

    def item(self, catalog_item_id: str = "parking.standard", quantity: int = 1) -> dict[str, Any]:
        """Return an offer of this page as the SDK's CartItem."""
        offer = self.offers[catalog_item_id]
        names = ("cartItemId", "catalogItemId", "name", "description", "unitPrice", "currency")
        optional = ("linkedProductId", "quantityMustBeSynchronized", "providerData")
        return {
            **{name: offer[name] for name in names},
            **{name: offer[name] for name in optional if name in offer},
            "quantity": quantity,
            "totalPrice": offer["unitPrice"] * quantity,
        }

    def post(self, path: str, body: object | None = None, **headers: str) -> TestResponse:
        """POST as the bridge does."""
        sent = BRIDGE | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"/rokt{path}", json={} if body is None else body, headers=sent)

    def update(
        self, updated: dict[str, Any] | None, old: dict[str, Any] | None = None, **more: Any
    ) -> TestResponse:
        """Send one message of the SDK."""
        body = {"updatedItem": updated, "oldItem": old, "page": self.page, "seq": next(self.seq)}
        return self.post("/cart/updates", body | more)

    def add(self, catalog_item_id: str = "parking.standard", quantity: int = 1) -> Any:
        """Add an item (or set its quantity) and return the cart."""
        return ok(self.update(self.item(catalog_item_id, quantity)))

    def remove(self, catalog_item_id: str = "parking.standard") -> Any:
        """Take an item away and return the cart."""
        return ok(self.update(None, self.item(catalog_item_id, 0)))

    def cart(self) -> Any:
        return ok(self.client.get("/rokt/cart", headers=BRIDGE))

    def reserve(self, **body: Any) -> Any:
        return ok(self.post("/cart/reserve", body))

    @property
    def handle(self) -> str:
        """The handle in the shopper's cookie: what a test must have, and a page never sees."""
        cookie = self.client.get_cookie("rokt_bff")
        assert cookie is not None
        return cookie.decoded_value.rsplit(".", 1)[0]

    def pay(self, order_id: str = "order-1", **body: Any) -> Any:
        """Let the shop's server say that the order is paid, and return the Order."""
        return ok(
            server_post(self.shop, "/orders", {"handle": self.handle, "orderId": order_id} | body)
        )


class Views:
    """A shop with one view that runs what a test gives it, as the shopper's request."""

    def __init__(self, shop: Shop) -> None:
        self.verb: Callable[[], Any] = lambda: None
        self.result: Any = None

        @shop.app.post("/shop/run")
        def run() -> str:
            self.result = self.verb()
            return "done"

    def run(self, shopper: Shopper, verb: Callable[[], T], **headers: str) -> T:
        self.verb = verb
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        query = {"email": "somebody@mark.example"}  # a shop's addresses may say anything
        answer = shopper.client.post("/shop/run", headers=sent, query_string=query)
        assert answer.text == "done"
        result: T = self.result
        return result


def server_post(shop: Shop, path: str, body: object) -> TestResponse:
    """POST as a partner's server does."""
    return shop.app.test_client().post(f"/rokt{path}", json=body, headers=SERVER)


def server_get(shop: Shop, path: str) -> TestResponse:
    """GET as a partner's server does."""
    return shop.app.test_client().get(f"/rokt{path}", headers=SERVER)


def ok(response: TestResponse) -> Any:
    """Insist on a success and return its JSON."""
    assert response.status_code in (200, 201), response.text
    return response.json
