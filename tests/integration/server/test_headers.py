"""Every answer of the standalone server carries what a browser must not do with it."""

from __future__ import annotations

import http.client
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from bff.server.serve import create_app
from bff.web.runtime import runtime
from tests.support.emulator_client import Client
from tests.support.processes import ROKT_BFF, settings_for, started
from tests.support.responses import problem_of
from tests.support.shop import BRIDGE, SERVER, Shop

PUBLIC = "https://bff.example"
PARTNER = "https://shop.example"
EVERYWHERE = {
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
HSTS = "Strict-Transport-Security"


@pytest.fixture(scope="module")
def app(running_emulator: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The standalone app behind a proxy that ends TLS."""
    folder = tmp_path_factory.mktemp("standalone")
    environ = settings_for(
        running_emulator.url,
        database_url=f"sqlite:///{folder / 'rokt-bff.db'}",
        public_url=PUBLIC,
        origins=PARTNER,
    )
    app, upsells = create_app(environ)
    upsells.init_db(app)
    yield app
    runtime(app).store.close()


def asks(app: Flask) -> Iterator[tuple[str, TestResponse]]:
    """Ask for one of everything: what is there, what is not, what is refused, what breaks."""
    client = app.test_client()
    page = BRIDGE | {"Host": "bff.example"}
    yield "health", client.get("/rokt/health")
    yield "the description", client.get("/rokt/openapi.json")
    yield "a script", client.get("/rokt/static/bridge.js")
    yield "no script", client.get("/rokt/static/none.js")
    yield "a cart", client.get("/rokt/cart", headers=page)
    yield "a session", client.post("/rokt/session", json={}, headers=page)
    yield "a refusal", client.post("/rokt/session", json={})
    yield "no JSON", client.post("/rokt/session", data=b"{", headers=page | {
        "Content-Type": "application/json"})  # fmt: skip
    yield "a preflight", client.options("/rokt/session", headers={
        "Origin": PARTNER, "Access-Control-Request-Method": "POST"})  # fmt: skip
    yield "no order", client.get("/rokt/orders/A-1", headers=SERVER)
    yield "an order of two lines", client.get("/rokt/orders/a%0ab", headers=SERVER)
    yield "nothing under the prefix", client.get("/rokt/nothing")
    yield "the prefix", client.get("/rokt")
    yield "the prefix and a slash", client.get("/rokt/")
    yield "two slashes", client.get("/rokt//cart", headers=page)
    yield "the top", client.get("/")
    yield "something else", client.post("/wp-login.php", data={"a": "b"})
    yield "a wrong method", client.delete("/rokt/cart")
    yield "a trace", client.open("/rokt/cart", method="TRACE")
    yield "a method that nobody has", client.open("/rokt/cart", method="PROPFIND")


def test_every_answer_carries_them(app: Flask) -> None:
    for what, answer in asks(app):
        for name, value in EVERYWHERE.items():
            assert answer.headers.getlist(name) == [value], (what, name)
        assert answer.headers[HSTS] == "max-age=63072000", what
        if what != "a script":
            assert answer.headers["Cache-Control"] == "no-store", what
        answer.close()


def test_every_error_is_a_problem_document_and_no_answer_a_redirect(app: Flask) -> None:
    for what, answer in asks(app):
        assert "Location" not in answer.headers, what
        if answer.status_code >= 400:
            problem_of(answer, answer.status_code)
        else:
            assert answer.status_code in (200, 201), what
        answer.close()


def test_a_fault_of_ours_is_a_problem_document_with_them_too(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(runtime(app).store), "check_schema", lambda _: 1 / 0)
    answer = app.test_client().get("/rokt/health")
    assert problem_of(answer, 500)["code"] == "internal_server_error"
    assert EVERYWHERE.items() <= dict(answer.headers).items()


@pytest.mark.sqlite
def test_a_shop_s_own_answers_are_left_alone_and_ours_are_no_redirect(
    make_shop: Callable[..., Shop],
) -> None:
    shop = make_shop()

    @shop.app.get("/shop")
    def page() -> str:
        return "the shop"

    client = shop.app.test_client()
    assert not {*EVERYWHERE, HSTS} & {name for name, _ in client.get("/shop").headers}
    for path in ("/rokt", "/rokt/"):
        answer = client.get(path, headers={"Host": "evil.example"})
        assert problem_of(answer, 404)["code"] == "not_found"


def test_without_tls_no_browser_is_told_to_insist_on_it(emulator: Client, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'rokt-bff.db'}"
    app, upsells = create_app(settings_for(emulator.url, database_url=database))
    upsells.init_db(app)
    assert HSTS not in app.test_client().get("/rokt/health").headers
    secure = app.test_client().get("/rokt/health", base_url="https://localhost")
    assert HSTS in secure.headers  # a trusted proxy says so
    runtime(app).store.close()


LINES = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(300))


@pytest.mark.parametrize(("sent", "status"), [
    (b"GET /rokt/health HTTP/1.1\r\nHost: x\r\n bad: MARK\r\nno colon MARK\r\n\r\n", 400),
    (b"POST /rokt/session HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
    (b"GET /rokt/health HTTP/1.1\r\nHost: x\r\n" + LINES + b"\r\n", 431),
    (b"POST /rokt/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: MARK\r\n\r\n", 501),
    (b"POST /rokt/session HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
     400),
    # Two lengths: a proxy may go by the other one.
    (b"POST /rokt/session HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400),
    (b"POST /rokt/session HTTP/1.0\r\nHost: x\r\nContent-Length: 2\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n{}", 400),
])  # fmt: skip
def test_what_is_not_a_request_is_refused_and_not_repeated(
    server: tuple[str, int], sent: bytes, status: int
) -> None:
    with socket.create_connection(server, timeout=60) as connection:
        connection.sendall(sent)
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
        text = response.read().decode()
        assert response.status == status
        assert response.getheader("Server") is None
        assert "MARK" not in text + str(response.getheaders())
        # What comes after it is not taken for a request. What was sent and not read is a reset.
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""


@pytest.fixture(scope="module")
def server(
    running_emulator: Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    """The server as a real process."""
    folder = tmp_path_factory.mktemp("server")
    environ = settings_for(running_emulator.url, public_url=PUBLIC)
    with started(ROKT_BFF, "serve", "--port", "0", folder=folder, environ=environ) as process:
        port = int(process.wait_for(r"rokt-bff at http://127\.0\.0\.1:(\d+)/rokt"))
        yield "127.0.0.1", port
        assert process.stop(signal.SIGTERM) == 0
        assert "Traceback" not in process.printed
        assert "exception" not in process.printed
