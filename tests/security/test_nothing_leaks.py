"""Secrets and what shoppers tell are looked for in all that a server wrote, in good times and bad.

A server of its own process logs everything at DEBUG and prints each of its values and errors
(``tests.support.leaky_server``). Shoppers and a partner's backend call it over HTTP while the
faults of the campaign happen at every endpoint, and while callers send what is wrong. Each secret
has a mark in it that nothing else has. It may be where it belongs (at Rokt), and nowhere else.
"""

from __future__ import annotations

import itertools
import json
import logging
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from click.testing import CliRunner
from sqlalchemy import make_url

from bff.cli import main
from tests import TOP
from tests.campaign.cases import ENDPOINTS, FAULTS, ITEM_FAULTS
from tests.campaign.gate import Gate
from tests.support.databases import NewDatabase
from tests.support.emulator_client import Client
from tests.support.processes import clean, settings_for
from tests.support.shop import BRIDGE
from tests.support.waiting import PATIENCE

ORIGIN = "https://shop.example"
# Waited for by each fault that hangs.
SHORT = {
    "connect_timeout": "0.2",
    "placements_timeout": "0.2",
    "reserve_timeout": "0.35",
    "confirm_timeout": "0.25",
}
MANY = {
    "updates_per_second": "100000",
    "updates_per_second_client": "100000",
    "sessions_per_minute": "100000",
    "calls_per_minute": "100000",
}


class Marks:
    """What must not be found, by what it is; handles come to it as they are given out."""

    def __init__(self) -> None:
        def mark(kind: str = "", length: int = 8) -> str:
            # Digits and letters in turns are no error code, which an answer may have.
            pairs = (secrets.choice("0123456789") + secrets.choice("abcdef") for _ in range(length))
            return kind + "".join(pairs)

        self.api_key = f"key-{mark('apikey')}"
        self.server_key = f"a-long-{mark('serverkey')}-of-a-backend"
        self.previous_key = f"a-long-{mark('previouskey')}-of-a-backend"
        self.secret_key = f"a-long-{mark('secretkey')}-of-flask"
        self.database_password = mark("databasepassword")
        self.redis_password = mark("redispassword")
        self.wrong_key = mark("wrongkey") * 2
        self.wrong_handle = mark("wronghandle") * 2
        self.email = f"jane.{mark('mail')}@{mark('host')}.example"
        self.name = f"{mark('name')}@shop.example"
        self.plain = mark("plain")
        self.card = mark("card")
        self.member = f"{mark('member')} {mark('member')}@x"
        self.query = mark("query")
        # What somebody writes into an address is in every log on its way; but not in our answer.
        self.in_path = mark("inpath")
        # The form of a language, which is passed on to Rokt.
        self.language = f"en-{mark(length=4)}-{mark(length=4)}"
        self.handles: list[str] = []

    def all(self) -> Iterator[tuple[str, str]]:
        """Give what to look for: no less than the part of it that is by chance nowhere else."""
        for kind, value in vars(self).items():
            if kind == "handles":
                yield from ((f"handle {n}", handle) for n, handle in enumerate(self.handles))
            elif kind == "language":
                yield from ((kind, part) for part in value.split("-")[1:])
            else:
                parts = re.findall(r"[a-z]+(?:[0-9][a-f]){8}", value)
                yield from ((kind, part) for part in parts)

    def found_in(self, text: str) -> list[str]:
        """Name those that are in a text, whatever the case of their letters."""
        folded = text.casefold()
        return sorted({kind for kind, value in self.all() if value.casefold() in folded})


class Partner:
    """A page elsewhere and its backend, before one server; keeps every answer."""

    def __init__(self, url: str, marks: Marks, emulator: Client) -> None:
        self._url = url
        self._marks = marks
        self._offers = emulator.control("GET", "offers").json()["offers"]
        self._http = requests.Session()
        self._http.trust_env = False
        self._orders = itertools.count(1)
        self.problems: list[str] = []
        self.answers: list[str] = []
        self.statuses: set[int] = set()
        self.journal: dict[int, Any] = {}
        self.handle = ""

    def call(
        self, method: str, path: str, body: object = None, *, server: bool = False, **headers: str
    ) -> requests.Response:
        """Make a call with everything in it that must not be found."""
        sent: dict[str, str] = {"Accept-Language": self._marks.language}
        if server:
            sent["Authorization"] = f"Bearer {self._marks.server_key}"
        else:
            sent |= {**BRIDGE, "Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}
            sent |= {"Authorization": f"Bearer {self.handle}"} if self.handle else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
            answer = self._http.request(method, self._url + path, data=body, headers=sent)
        else:
            answer = self._http.request(method, self._url + path, json=body, headers=sent)
        self.statuses.add(answer.status_code)
        (self.problems if answer.status_code >= 400 else self.answers).append(answer.text)
        return answer

    def start(self) -> None:
        """Start a session; its answer has the handle in it, as it must."""
        self.handle = ""
        answer = self.call("POST", "/rokt/session", {})
        self.answers.pop()
        self.handle = answer.json()["handle"]
        self._marks.handles.append(self.handle)

    def attributes(self) -> dict[str, str]:
        marks = self._marks
        return {"email": marks.email, marks.name: marks.plain}

    def add(self) -> None:
        self.page = str(uuid4())
        for seq, place in enumerate((0, 3), 1):
            names = ("cartItemId", "catalogItemId", "name", "unitPrice", "currency")
            item = {name: self._offers[place][name] for name in names}
            item |= {"cartItemId": f"v1:{self.page}:{item['catalogItemId']}", "quantity": 2}
            update = {"updatedItem": item, "oldItem": None, "page": self.page, "seq": seq}
            assert self.call("POST", "/rokt/cart/updates", update).status_code == 200

    def any(self) -> None:
        url = f"{ORIGIN}/upsell?who={self._marks.query}"
        body = {"pageIdentifier": "upsell", "url": url, "attributes": self.attributes()}
        self.call("POST", "/rokt/placements/any", body)

    def reserve(self) -> Any:
        body = {"attributes": self.attributes(), "isPayPalPayment": True}
        return self.call("POST", "/rokt/cart/reserve", body).json()

    def release(self) -> None:
        self.call("POST", "/rokt/cart/release", {"attributes": self.attributes()})

    def pay(self, **more: Any) -> str:
        marks = self._marks
        order_id = f"order-{next(self._orders)}"
        extra = {"payment": {"card": marks.card, marks.member: [marks.email]}, "note": marks.plain}
        body = {"handle": self.handle, "orderId": order_id, "attributes": self.attributes()}
        self.call("POST", "/rokt/orders", body | {"extra": extra} | more, server=True)
        return order_id

    def buy(self) -> None:
        """Go the whole way, with a change of mind: every call to Rokt is made."""
        self.start()
        self.add()
        self.any()
        self.reserve()
        self.reserve()
        self.release()
        self.reserve()
        order_id = self.pay()
        self.call("POST", f"/rokt/orders/{order_id}/cancel", {}, server=True)
        self.call("GET", f"/rokt/orders/{order_id}", server=True)

    def read_journal(self) -> None:
        for one in self._http.get(f"{self._url}/journal").json():
            self.journal[one["key"]] = one


def echoes(marks: Marks) -> list[dict[str, Any]]:
    """Make faults in which Rokt repeats what it was sent, in each place that an answer has."""
    said = [
        marks.api_key,
        marks.email,
        marks.name,
        marks.card,
        marks.plain,
        marks.language,
        marks.query,
        marks.email.partition("@")[0],
        marks.api_key.upper().replace("-", "_"),
    ]
    errors = [{"code": one, "message": f"Bad: {one}.", "value": {one: one}} for one in said]
    items = [{"cartItemId": one, "status": one, "reason": one, one: [one]} for one in said]
    told = {
        "description": " ".join(said),
        "errors": errors,
        "attributes": {one: one for one in said},
    }
    faults: list[dict[str, Any]] = [
        {"kind": "status", "status": status, "body": told} for status in (400, 401, 403, 422, 500)
    ]
    faults += [
        {"kind": "status", "status": 200, "body": {**told, "items": items, "cartId": said[0]}},
        {"kind": "status", "status": 200, "body": {**told, "success": False}},
        {"kind": "status", "status": 503, "body": " ".join(said), "html": True},
        {"kind": "status", "status": 429, "body": told, "retryAfter": marks.plain},
        {"kind": "malformed", "body": "{" + json.dumps(said)},
        {"kind": "html", "body": f"<p>{said}</p>"},
    ]
    return faults


def kinds_of_faults() -> list[dict[str, Any]]:
    """Return the campaign's faults, each once: whether Rokt acted before is the same to a log."""
    kinds: dict[str, dict[str, Any]] = {}
    for moments in FAULTS.values():
        for told in moments.values():
            fault = {name: told[name] for name in told if name not in ("gate", "when")}
            if "kind" in fault and fault["kind"] != "delay":  # which is none, only slow
                kinds[json.dumps(fault)] = fault
    return list(kinds.values())


def good_and_bad_times(partner: Partner, emulator: Client, gate: Gate, marks: Marks) -> None:
    """Play each kind of fault of the campaign once at every endpoint, and Rokt's echoes."""
    partner.buy()
    for fault in [*kinds_of_faults(), *echoes(marks)]:
        emulator.put("faults", {one: [fault] for one in ENDPOINTS})
        partner.buy()
        partner.read_journal()
    emulator.put("faults", {})
    for trouble in ITEM_FAULTS.values():
        partner.start()
        partner.add()
        emulator.faults("reserve", dict(trouble))
        partner.reserve()
    spoils: list[Callable[[], None]]
    spoils = [
        lambda: gate.cut(None),
        lambda: gate.cut(None, body=True),
        lambda: gate.stall(None, seconds=0.5),  # longer than each of the limits
        gate.swallow,
        gate.shut,
    ]
    for spoil in spoils:
        partner.start()
        partner.add()
        spoil()
        partner.any()
        partner.reserve()
        order_id = partner.pay()
        partner.call("POST", f"/rokt/orders/{order_id}/cancel", {}, server=True)
        partner.release()
        gate.open()
    partner.read_journal()


def bad_callers(partner: Partner, marks: Marks) -> None:
    """Send what is wrong, in each way, with the secrets in it."""
    partner.start()
    partner.add()
    own, json_type = partner.handle, {"Content-Type": "application/json"}
    wrong = {"attributes": {marks.name: 5, "email": [marks.email], marks.plain: {marks.card: 1}}}
    for path in ("/placements/any", "/cart/reserve", "/cart/release"):
        partner.call("POST", f"/rokt{path}", {"pageIdentifier": "x", **wrong})
        partner.call(
            "POST", f"/rokt{path}", {"pageIdentifier": {marks.email: marks.email}, **wrong}
        )
        partner.call("POST", f"/rokt{path}", {"attributes": marks.email})
        partner.call("POST", f"/rokt{path}", f"{{{marks.email}".encode())
        partner.call("POST", f"/rokt{path}", marks.email.encode() * 5000)
        partner.call("POST", f"/rokt{path}", f'"{marks.email}"'.encode())
        partner.call("POST", f"/rokt{path}", marks.email.encode(), Content_Type="text/plain")
    partner.call("POST", "/rokt/cart/reserve", {"acceptPrices": {marks.name: marks.email}})
    update = {"updatedItem": {"cartItemId": marks.email, "quantity": marks.email, marks.name: 1}}
    partner.call("POST", "/rokt/cart/updates", update | {"page": marks.email, "seq": marks.card})
    paths = ("", "session/", "orders/", "orders/cancel/", "static/", "static/bridge.js/")
    for path in (f"{one}{marks.in_path}" for one in paths):
        for method in ("GET", "POST", "PUT"):
            partner.call(method, f"/rokt/{path}", {})
    partner.call("GET", f"/{marks.in_path}")
    partner.call("GET", f"/rokt/cart?handle={own}&who={marks.query}")
    previous = f"Bearer {marks.previous_key}"
    partner.call("GET", "/rokt/orders/order-1", server=True, Authorization=previous)
    for token in (marks.wrong_handle, marks.wrong_key, f"{own}x", f"{own} {marks.name}"):
        for scheme in ("Bearer", "bearer ", "Basic"):
            partner.call("GET", "/rokt/cart", Authorization=f"{scheme} {token}")
            partner.call("POST", "/rokt/orders", {}, server=True, Authorization=f"{scheme} {token}")
    partner.call("GET", "/rokt/cart", Origin=f"https://evil.example/{marks.plain}"[:20])
    partner.call("GET", "/rokt/cart", Cookie=f"rokt_bff={own}.{marks.plain}; other={marks.card}")
    order = {"handle": own, "orderId": "order-1", "extra": {marks.name: marks.card}, **wrong}
    partner.call("POST", "/rokt/orders", order, server=True)
    partner.pay(handle=marks.wrong_handle)
    partner.pay(orderId="order-1")  # somebody else's
    partner.pay(orderId=marks.email * 5)
    partner.pay(quoteId=marks.plain)
    partner.pay(quoteId=str(uuid4()))
    partner.pay(extra={marks.name: {"deep": [marks.card] * 20_000}})
    partner.pay(Origin=ORIGIN)
    partner.call("GET", "/rokt/orders/nobodys", server=True)
    partner.call("GET", "/rokt/orders/order-1", server=True, Origin=ORIGIN)
    partner.call("POST", "/rokt/orders/order-1/cancel", {"cartItemId": marks.email}, server=True)
    products = {"handle": own, "quantities": {marks.member: -1, "ticket": marks.email}}
    partner.call("POST", "/rokt/products", products, server=True)
    press = {"handle": own, "purchaseId": marks.plain, "upsellItems": [{marks.name: marks.email}]}
    partner.call("POST", "/rokt/purchases", press, server=True, **json_type)
    partner.read_journal()


class Server:
    """The server's process. What it prints goes into a file: it is megabytes."""

    def __init__(
        self, process: subprocess.Popen[bytes], file: Path, environ: dict[str, str]
    ) -> None:
        self.process = process
        self.environ = environ
        self._file = file

    @property
    def written(self) -> str:
        return self._file.read_text(errors="replace")

    @property
    def url(self) -> str:
        """Where it listens; waits until it does."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(r"rokt-bff at (http://[0-9.:]+)/rokt", self.written)
            if found:
                return found[1]
            time.sleep(0.05)
        raise AssertionError(self.written)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=PATIENCE)


@contextmanager
def telling(
    marks: Marks, rokt: str, folder: Path, database: str, **environ: str
) -> Iterator[Server]:
    """Run the server, before Rokt at this address."""
    url = make_url(database)
    if url.get_backend_name() != "sqlite":
        database = url.set(password=marks.database_password).render_as_string(hide_password=False)
    settings = settings_for(
        rokt,
        # Nobody listens there.
        rate_limit_storage=f"redis://:{marks.redis_password}@127.0.0.1:9/0",
        api_key=marks.api_key,
        server_key=marks.server_key,
        server_key_previous=marks.previous_key,
        secret_key=marks.secret_key,
        database_url=database,
        origins=ORIGIN,
        **SHORT,
        **MANY,
    )
    command = (sys.executable, "-m", "tests.support.leaky_server", str(folder))
    given = clean(settings | {"PYTHONPATH": str(TOP)} | environ)
    file = folder / "written"
    with (
        file.open("wb") as out,
        subprocess.Popen(command, env=given, cwd=folder, stdout=out, stderr=out) as process,
    ):
        try:
            yield Server(process, file, given)
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture
def marks(emulator: Client) -> Marks:
    marks = Marks()
    emulator.put("settings", {"apiKey": marks.api_key})
    return marks


def run_commands(server: Server) -> str:
    """Look after what the server left, and give what the commands said."""
    commands = (["doctor"], ["redrive", "--all"], ["deliver", "--once"], ["purge"], ["doctor"])
    return "".join(CliRunner().invoke(main, one, env=server.environ).output for one in commands)


@pytest.mark.sqlite
def test_no_secret_and_nothing_of_a_shopper_is_in_what_a_server_writes(
    emulator: Client,
    marks: Marks,
    new_database: NewDatabase,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        Gate(emulator.url) as gate,
        telling(marks, gate.url, tmp_path, new_database()) as server,
    ):
        partner = Partner(server.url, marks, emulator)
        good_and_bad_times(partner, emulator, gate, marks)
        bad_callers(partner, marks)
        assert server.stop() == 0
        caplog.clear()  # of what the callers' own client logged
        said = run_commands(server) + caplog.text
    written, journal = server.written, json.dumps(list(partner.journal.values()))
    assert marks.found_in("".join(partner.problems)) == []
    assert marks.found_in("".join(partner.answers)) == []
    assert marks.found_in(journal) == []
    assert set(marks.found_in(written)) <= {"in_path"}
    assert marks.found_in(said) == []
    for told in (
        "refund_needed: order",
        "calls are owed again.",
        "Attempted",
        "urllib3.connectionpool",
    ):
        assert told in said
    assert_much_was_said(partner, written, journal)
    assert_it_all_went_to_rokt(marks, emulator)


def assert_much_was_said(partner: Partner, written: str, journal: str) -> None:
    """Else there would be nothing in which a secret could be."""
    assert partner.statuses >= {200, 201, 400, 401, 403, 404, 405, 409, 413, 415, 422}
    for logger in ("urllib3.connectionpool DEBUG", "sqlalchemy.engine.Engine", "bff.web.guard"):
        assert f"LOG {logger}" in written, logger
    for value in (
        "Call(",
        "Refused(",
        "Unknown(",
        "NotSent(",
        "Purchase(",
        "ReserveOptions(",
        "OrderRow(",
    ):
        assert f"VALUE {value}" in written, value
    for error in ("InvalidInput", "Unauthorized", "Forbidden", "NotFound", "Conflict"):
        assert f"ERROR {error}" in written, error
    assert "needs a refund" in written
    for step in (
        "placements/any",
        "reserve",
        "confirm",
        "release",
        "cancel",
        '"email"',
        "not_sent",
    ):
        assert step in journal, step


def assert_it_all_went_to_rokt(marks: Marks, emulator: Client) -> None:
    """Else a secret could not come back from there."""
    calls = emulator.journal()
    bodies = json.dumps([one["body"] for one in calls])
    for one in (marks.email, marks.name, marks.plain, marks.card, marks.member, marks.query):
        assert one in bodies
    assert marks.language in {one["headers"].get("accept-language") for one in calls}
    assert {one["headers"]["rokt-api-key"] for one in calls} == {"present"}


@pytest.mark.postgresql
def test_none_is_in_what_it_writes_with_another_database(
    emulator: Client, marks: Marks, new_database: NewDatabase, tmp_path: Path
) -> None:
    with telling(marks, emulator.url, tmp_path, new_database()) as server:
        partner = Partner(server.url, marks, emulator)
        partner.buy()
        bad_callers(partner, marks)
        assert server.stop() == 0
    written = server.written
    for told in ("LOG psycopg DEBUG", "Redis cannot count"):
        assert told in written
    assert set(marks.found_in(written)) <= {"in_path"}


@pytest.mark.postgresql  # about the search, and a database that has a password
def test_the_search_finds_each_of_them_where_a_server_is_careless(
    emulator: Client, marks: Marks, new_database: NewDatabase, tmp_path: Path
) -> None:
    careless = {"TELL_SECRETS": "1"}
    with telling(marks, emulator.url, tmp_path, new_database(), **careless) as server:
        partner = Partner(server.url, marks, emulator)
        partner.buy()
        bad_callers(partner, marks)
        assert server.stop() == 0
    kinds = {kind for kind, _ in marks.all()}
    # Flask's own key is in no request and no value of ours.
    said = set(marks.found_in(server.written))
    assert kinds - said <= {"secret_key"}
    assert {"api_key", "server_key", "email", "name", "card", "language", "handle 0"} <= said
    assert {"email", "name", "wrong_key", "card"} <= set(marks.found_in("".join(partner.problems)))
    assert marks.found_in(json.dumps({"a": marks.email.upper()})) == ["email"]


def test_marks_are_looked_for_one_by_one() -> None:
    marks = Marks()
    marks.handles.append("h" * 43)
    assert {kind for kind, _ in marks.all()} == {*vars(marks), "handle 0"} - {"handles"}
    for kind, value in marks.all():
        assert marks.found_in(f"…{value}…") == [kind]
    assert marks.found_in("nothing") == []
