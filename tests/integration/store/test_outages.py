"""The database is full, locked or gone, for real: what the shopper is told, and what survives.

Before payment every call answers a clear 503 that says to come again, and nothing is half
written. After payment nothing that was recorded is lost: it is delivered when the database is
back. Nobody has to start anything again.
"""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
import requests
from sqlalchemy import event
from werkzeug.test import TestResponse

from bff.errors import StoreUnavailable
from bff.store import engine as engines
from bff.store.database import Store
from bff.store.schema import VERSION_TABLE
from bff.store.tables import metadata
from tests.conftest import ready
from tests.support.databases import Databases, PostgreSQL
from tests.support.emulator_client import Client
from tests.support.interference import after_call
from tests.support.owed import backlog, status
from tests.support.processes import ROKT_BFF, settings_for, started
from tests.support.responses import problem_of
from tests.support.shop import BRIDGE, SERVER_KEY, Shop, Shopper, ok, server_get, server_post
from tests.support.waiting import until

KINDS = ("full", "locked", "removed", "table locked", "stopped")


class Outage:
    """A database, and the trouble that it can be in."""

    def __init__(self, kind: str, url: str, server: PostgreSQL | None) -> None:
        self.kind = kind
        self.url = url
        self.server = server
        # A full disk and a writer who does not end keep nobody from reading, on SQLite.
        self.can_be_read = kind in ("full", "locked")
        self._now: ExitStack | None = None

    def begin(self) -> None:
        self._now = ExitStack()
        self._now.enter_context(getattr(self, f"_{self.kind.replace(' ', '_')}")())

    def end(self) -> None:
        if self._now is not None:
            self._now.close()
            self._now = None

    @contextmanager
    def _full(self) -> Iterator[None]:
        """No file of this process may grow: what a full disk does to a write."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Somebody else writes, and does not come to an end."""
        other = sqlite3.connect(
            self.url.removeprefix("sqlite:///"),
            isolation_level=None,
            check_same_thread=False,
        )
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.close()

    @contextmanager
    def _removed(self) -> Iterator[None]:
        """The files are taken away under the running server, and are put back."""
        path = Path(self.url.removeprefix("sqlite:///"))
        away = path.parent / "away"
        away.mkdir()
        for file in path.parent.glob(f"{path.name}*"):
            file.rename(away / file.name)
        try:
            yield
        finally:
            assert not path.exists()  # nobody made an empty one in its place
            for file in away.iterdir():
                file.rename(path.parent / file.name)
            away.rmdir()

    @contextmanager
    def _table_locked(self) -> Iterator[None]:
        """A migration, say, has locked the tables."""
        with psycopg.connect(self.url) as other:
            tables = ", ".join([*metadata.tables, VERSION_TABLE])
            other.execute(f"LOCK TABLE {tables}".encode())
            yield

    @contextmanager
    def _stopped(self) -> Iterator[None]:
        assert self.server is not None
        self.server.halt()
        try:
            yield
        finally:
            self.server.resume()


@pytest.fixture(scope="module")
def own_server(databases: Databases) -> Iterator[PostgreSQL]:
    """A PostgreSQL that may be stopped: no other test uses it."""
    ready(databases, "postgresql")
    server = PostgreSQL()
    yield server
    server.stop()


@pytest.fixture(params=KINDS)
def outage(
    request: pytest.FixtureRequest,
    databases: Databases,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Outage]:
    monkeypatch.setattr(engines, "LOCK_SECONDS", 0.3)
    kind: str = request.param
    if kind in ("stopped", "table locked"):
        server: PostgreSQL = request.getfixturevalue("own_server")
        made = Outage(kind, server.new(empty=False), server)
    else:
        path = tmp_path / "outage.db"
        path.write_bytes(databases.sqlite)
        made = Outage(kind, f"sqlite:///{path}", None)
    yield made
    made.end()


@pytest.fixture
def shop(outage: Outage, emulator: Client, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(emulator, tmp_path, {"ROKT_BFF_DATABASE_URL": outage.url})
    yield made
    outage.end()
    made.close()


def unavailable(answer: TestResponse) -> None:
    assert problem_of(answer, 503)["code"] == "store_unavailable"
    assert int(answer.headers["Retry-After"]) >= 1


def calls(shopper: Shopper, other: Shopper) -> dict[str, tuple[bool, Callable[[], TestResponse]]]:
    """Give every endpoint that needs the database, and whether it writes.

    ``other`` has something reserved, which can be released.
    """
    shop, client = shopper.shop, shopper.client
    new = BRIDGE | {"Origin": "http://localhost"}
    session = shop.app.test_client()
    order = {"handle": shopper.handle, "orderId": "order-9"}
    return {
        "cart": (False, lambda: client.get("/rokt/cart", headers=BRIDGE)),
        "session": (True, lambda: session.post("/rokt/session", json={}, headers=new)),
        "update": (True, lambda: shopper.update(shopper.item(quantity=3))),
        "reserve": (True, lambda: shopper.post("/cart/reserve")),
        "release": (True, lambda: other.post("/cart/release")),
        "pay": (True, lambda: server_post(shop, "/orders", order)),
        "order": (False, lambda: server_get(shop, "/orders/order-1")),
        "cancel": (True, lambda: server_post(shop, "/orders/order-1/cancel", {})),
        "health": (False, lambda: client.get("/rokt/health")),
    }


def test_every_call_says_come_again_and_all_is_well_afterwards(
    shop: Shop, outage: Outage, emulator: Client
) -> None:
    shopper = shop.shopper()
    shopper.add()
    shopper.reserve()
    shopper.pay("order-1")
    before = shopper.add(quantity=2)
    other = shop.shopper()
    other.add()
    other.reserve()
    sent = len(shop.calls())
    outage.begin()
    for name, (writes, call) in calls(shopper, other).items():
        answer = call()
        if outage.can_be_read and not writes:
            assert answer.status_code == 200, name
        else:
            unavailable(answer)
    assert len(shop.calls()) == sent  # Rokt was asked for nothing that could not be written
    outage.end()
    assert shopper.cart() == before
    for name, (_, call) in calls(shopper, other).items():
        assert call().status_code in (200, 201), name
    assert shop.parts.checkout.order("order-9").status == "confirmed"


def test_whether_there_are_placements_is_asked_with_what_can_be_read(
    shop: Shop, outage: Outage
) -> None:
    shopper = shop.shopper()
    shopper.add()
    outage.begin()
    answer = shopper.post("/placements/any", {"pageIdentifier": "checkout.upsell"})
    if outage.can_be_read:
        assert ok(answer)["result"] is True
    else:
        unavailable(answer)


def test_in_process_every_verb_raises_what_the_shop_can_catch(shop: Shop, outage: Outage) -> None:
    shopper = shop.shopper()
    shopper.add()
    shopper.reserve()
    shopper.add("parking.vip")  # something to reserve, and something to release
    outage.begin()
    verbs: dict[str, Callable[[], object]] = {
        "reserve": shop.upsells.reserve,
        "confirm": lambda: shop.upsells.confirm("order-1"),
        "release": shop.upsells.release,
        "rotate": shop.upsells.rotate,
    }
    for verb in verbs.values():
        with within(shop, shopper), pytest.raises(StoreUnavailable) as raised:
            verb()
        assert raised.value.retryable
    outage.end()
    with within(shop, shopper):
        assert shop.upsells.confirm("order-1").status == "confirmed"


@contextmanager
def within(shop: Shop, shopper: Shopper) -> Iterator[None]:
    """Be in a request of this shopper's browser."""
    cookie = shopper.client.get_cookie("rokt_bff")
    assert cookie is not None
    with shop.app.test_request_context(headers={"Cookie": f"rokt_bff={cookie.value}"}):
        yield


def test_a_confirm_that_was_not_recorded_says_so_and_can_be_repeated(
    shop: Shop, outage: Outage
) -> None:
    shopper = shop.shopper()
    shopper.add()
    quote = shopper.reserve()
    body = {"handle": shopper.handle, "orderId": "order-1", "quoteId": quote["quoteId"]}
    outage.begin()
    for _ in range(2):
        unavailable(server_post(shop, "/orders", body))
    assert shop.calls("confirm") == []
    outage.end()
    order = ok(server_post(shop, "/orders", body))
    assert (order["status"], order["totals"]) == ("confirmed", quote["totals"])
    assert ok(server_post(shop, "/orders", body)) == order
    assert len(shop.calls("confirm")) == 1


def test_what_was_paid_before_the_outage_is_delivered_after_it(shop: Shop, outage: Outage) -> None:
    """By the one worker that has run all the time."""
    order_ids = backlog(shop, 3)
    stop = Event()
    outage.begin()
    worker = Thread(target=shop.parts.worker.run, args=[stop])
    worker.start()
    try:
        until(lambda: not outage.can_be_read or worker.is_alive())
        assert {one["status"] for one in shop.calls("confirm")} == {429}
        outage.end()
        until(lambda: all(status(shop, one) == "confirmed" for one in order_ids))
    finally:
        stop.set()
        worker.join()
    orders = shop.emulator.state()["orders"]
    assert [order["items"][0]["confirmCalls"] for order in orders.values()] == [1, 1, 1]


def test_an_answer_that_comes_during_the_outage_is_written_down_after_it(
    shop: Shop, outage: Outage
) -> None:
    """Rokt has confirmed, and the worker remembers it until it can say so: no second call."""
    (order_id,) = backlog(shop, 1)
    stop = Event()
    worker = Thread(target=shop.parts.worker.run, args=[stop])
    with after_call(shop, "confirm", outage.begin):
        worker.start()
        until(lambda: len(shop.emulator.state()["orders"]) == 1)
        try:
            stop.wait(1.0)  # some steps in vain
            outage.end()
            until(lambda: status(shop, order_id) == "confirmed")
        finally:
            stop.set()
            worker.join()
    assert len(shop.calls("confirm")) == 2  # the one that was turned away, and this one


def test_a_payment_whose_answer_could_not_be_written_is_not_told_as_failed(
    shop: Shop, outage: Outage
) -> None:
    shopper = shop.shopper()
    shopper.add()
    quote = shopper.reserve()
    with after_call(shop, "confirm", outage.begin):
        order = shopper.pay("order-1", quoteId=quote["quoteId"])
    assert (order["status"], order["totals"]) == ("confirming", quote["totals"])
    outage.end()
    shop.clock.move(60)  # the lease of the attempt runs out
    assert shop.deliver() == 1
    assert status(shop, "order-1") == "confirmed"
    (reservation,) = shop.emulator.state()["reservations"].values()
    assert (reservation["fulfilled"], reservation["confirmCalls"]) == (1, 2)


def test_a_quote_whose_answer_could_not_be_written_is_a_503_and_a_new_one_can_be_had(
    shop: Shop, outage: Outage
) -> None:
    shopper = shop.shopper()
    shopper.add()
    with after_call(shop, "reserve", outage.begin):
        unavailable(shopper.post("/cart/reserve"))
    outage.end()
    shop.clock.move(60)
    quote = shopper.reserve()
    assert [item["quantity"] for item in quote["items"]] == [1]
    assert shopper.pay("order-1", quoteId=quote["quoteId"])["status"] == "confirmed"


@pytest.mark.sqlite
def test_a_full_database_loses_no_update_that_was_answered(
    make_shop: Callable[..., Shop],
) -> None:
    """SQLite's own word for a full disk: SQLITE_FULL."""
    shop = make_shop()
    store = shop.parts.store
    pages = 20
    limited = limit_pages(store, pages)
    shoppers: list[tuple[Shopper, Any]] = []
    while True:
        shopper = shop.shopper()
        answer = shopper.update(shopper.item(quantity=len(shoppers) % 4 + 1))
        if answer.status_code != 200:
            break
        shoppers.append((shopper, answer.json))
        assert len(shoppers) < 1000
    unavailable(answer)
    assert shoppers
    for one, cart in shoppers:
        assert one.cart() == cart
    limited.clear()
    store.engine.dispose()
    assert shopper.add()["items"]
    for one, cart in shoppers:
        assert one.cart() == cart


def limit_pages(store: Store, pages: int) -> list[int]:
    """Let the database have no more pages than it has and these; cleared, it may grow."""
    with store.read() as connection:
        found = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    limit = [found + pages]

    @event.listens_for(store.engine, "connect")
    def put(connection: Any, _record: object) -> None:
        for most in limit:
            connection.execute(f"PRAGMA max_page_count = {most}")

    store.engine.dispose()
    return limit


@pytest.mark.sqlite
def test_a_file_that_was_replaced_is_the_one_that_is_used(
    make_shop: Callable[..., Shop], databases: Databases
) -> None:
    """A backup was put back: no connection goes on with the file of before."""
    shop = make_shop()
    shopper = shop.shopper()
    shopper.add()
    path = Path(shop.parts.settings.database_url.removeprefix("sqlite:///"))
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    path.write_bytes(databases.sqlite)
    assert shopper.cart()["items"] == []  # the session is not in it
    assert shopper.add(quantity=2)["items"][0]["quantity"] == 2
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
    other.close()


@pytest.mark.sqlite
def test_a_server_as_a_process_survives_a_disk_that_takes_nothing_more(
    emulator: Client, tmp_path: Path
) -> None:
    environ = settings_for(emulator.url, database_url=f"sqlite:///{tmp_path / 'rokt-bff.db'}")
    with started(ROKT_BFF, "serve", "--port", "0", folder=tmp_path, environ=environ) as server:
        base = server.wait_for(r"rokt-bff at (\S+)")
        pid = server.process.pid

        def start() -> requests.Response:
            return requests.post(f"{base}/session", json={}, headers=BRIDGE, timeout=60)

        handle = start().json()["handle"]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        refused = start()
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        assert refused.headers["Retry-After"]
        order = {"handle": handle, "orderId": "order-1"}
        key = {"Authorization": f"Bearer {SERVER_KEY}"}
        unpaid = requests.post(f"{base}/orders", json=order, headers=key, timeout=60)
        assert unpaid.status_code == 503
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert start().status_code == 201
        paid = requests.post(f"{base}/orders", json=order, headers=key, timeout=60)
        assert paid.status_code == 201
        assert server.stop() == 0
