"""The Cart API client's limits: time, size and connections, whatever the other side does."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from bff.cart.reservation import ReserveOptions
from bff.rokt.calls import reserve_call
from bff.rokt.client import CartApi
from bff.rokt.outcomes import Cause, Done, NotSent, Unknown
from bff.rokt.transport import MAX_RESPONSE
from tests.support.api_client import AMPLE, CALL, KEY, LIMIT, client, timed
from tests.support.emulator_client import PARKING, Client
from tests.support.raw_server import ANSWER, RawServer, raw_server
from tests.support.waiting import FOR_EVER, PATIENCE, SLACK


@pytest.fixture
def api(emulator: Client) -> CartApi:
    emulator.put("settings", {"apiKey": KEY})
    return client(emulator.url)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "delay", "seconds": FOR_EVER},
        {"kind": "delay", "seconds": FOR_EVER, "when": "after"},
        {"kind": "hang", "seconds": FOR_EVER},
        {"kind": "drip", "secondsPerByte": 5.0},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('when', '')}",
)
def test_a_call_ends_at_its_limit(api: CartApi, emulator: Client, fault: dict[str, Any]) -> None:
    emulator.faults("reserve", fault)
    outcome, spent = timed(api)
    assert outcome == Unknown(Cause.TIMEOUT, "time limit reached")
    assert LIMIT - 0.05 < spent < LIMIT + SLACK
    assert isinstance(api.send(CALL, limit=AMPLE), Done)  # and harms no later call


def test_the_limit_holds_against_headers_that_drip() -> None:
    def serve(server: RawServer, connection: socket.socket) -> None:
        server.read_request(connection)
        for byte in ANSWER:
            if server.stopped.wait(0.3):
                return
            connection.sendall(bytes([byte]))

    with raw_server(serve) as server:
        outcome, spent = timed(client(server.url))
    assert outcome == Unknown(Cause.TIMEOUT, "time limit reached")
    assert spent < LIMIT + SLACK


def test_the_limit_holds_against_a_body_without_an_announced_end() -> None:
    """Cut off by our own timer, it looks complete; it must not count as an answer."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}")
        server.stopped.wait(FOR_EVER)

    with raw_server(serve) as server:
        outcome, spent = timed(client(server.url))
    assert outcome == Unknown(Cause.TIMEOUT, "time limit reached")
    assert spent < LIMIT + SLACK


def test_the_limit_holds_against_a_peer_that_reads_nothing() -> None:
    big = reserve_call(
        cart_id="cart-1",
        lines=[(PARKING + "x" * 1000, 1)] * 20_000,
        rokt_session_id="rokt-session",
        options=ReserveOptions(),
    )

    def serve(server: RawServer, _connection: socket.socket) -> None:
        server.stopped.wait(FOR_EVER)

    with raw_server(serve) as server:
        api = client(server.url)
        start = time.monotonic()
        outcome = api.send(big, limit=LIMIT)
        spent = time.monotonic() - start
    assert isinstance(outcome, Unknown)
    assert spent < LIMIT + SLACK


def test_an_answer_beyond_the_bound_is_not_read_on(api: CartApi, emulator: Client) -> None:
    emulator.faults("reserve", {"kind": "endless"})
    outcome, spent = timed(api, limit=AMPLE)
    assert outcome == Unknown(Cause.UNREADABLE, "the response is too large")
    assert spent < AMPLE


@pytest.mark.parametrize(("size", "kind"), [(MAX_RESPONSE, Done), (MAX_RESPONSE + 1, Unknown)])
def test_the_bound_is_a_megabyte(size: int, kind: type) -> None:
    body = b'"' + b"x" * (size - 2) + b'"'

    def serve(server: RawServer, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body)

    with raw_server(serve) as server:
        assert type(client(server.url).send(CALL, limit=AMPLE)) is kind


def test_a_redirect_is_not_followed() -> None:
    with raw_server(lambda _server, _connection: None) as elsewhere:

        def serve(server: RawServer, connection: socket.socket) -> None:
            server.read_request(connection)
            head = f"HTTP/1.1 307 Temporary\r\nLocation: {elsewhere.url}/v1/cart/reserve\r\n"
            connection.sendall(head.encode() + b"Content-Length: 0\r\n\r\n")

        with raw_server(serve) as server:
            outcome = client(server.url).send(CALL, limit=AMPLE)
        assert outcome.status == 307
        assert elsewhere.connections == 0  # the key went nowhere else


def test_cookies_are_not_kept() -> None:
    def serve(server: RawServer, connection: socket.socket) -> None:
        while server.read_request(connection):
            connection.sendall(ANSWER.replace(b"\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n", 1))

    with raw_server(serve) as server:
        api = client(server.url)
        for _ in range(2):
            assert isinstance(api.send(CALL, limit=AMPLE), Done)
        api._transport._session().close()
    assert server.connections == 1  # the connection is kept, though
    assert not any(b"cookie" in request.lower() for request in server.requests)


def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    closed = threading.Event()

    def serve(server: RawServer, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(ANSWER)
        connection.close()
        closed.set()

    with raw_server(serve) as server:
        api = client(server.url)
        for _ in range(3):
            assert isinstance(api.send(CALL, limit=AMPLE), Done)
            assert closed.wait(PATIENCE)
            closed.clear()
    assert server.connections == len(server.requests) == 3


def test_a_connection_that_breaks_after_the_request_is_not_repeated() -> None:
    """A kept connection that ends without an answer: the other side may have acted."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(ANSWER)
        server.read_request(connection)

    with raw_server(serve) as server:
        api = client(server.url)
        assert isinstance(api.send(CALL, limit=AMPLE), Done)
        assert api.send(CALL, limit=AMPLE) == Unknown(Cause.BROKEN, "the connection broke")
        assert len(server.requests) == 2


def test_a_refused_connection_is_surely_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    outcome, spent = timed(client(f"http://127.0.0.1:{port}"))
    assert outcome == NotSent(Cause.UNREACHABLE, "could not connect")
    assert spent < SLACK


def test_a_connection_that_is_not_made_in_time_is_surely_not_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(4):  # the queue of a listener that accepts nobody fills up
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            waiting.append(one)
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        outcome, spent = timed(client(url, connect_timeout=0.2), limit=AMPLE)
        for one in waiting:
            one.close()
    assert outcome == NotSent(Cause.UNREACHABLE, "could not connect in time")
    assert spent < 0.2 + SLACK


def test_no_time_left_sends_nothing(api: CartApi, emulator: Client) -> None:
    for limit in (0.0, -1.0):
        assert isinstance(api.send(CALL, limit=limit), NotSent)
    assert emulator.journal() == []


def test_outcomes_of_failures_carry_no_secret(api: CartApi, emulator: Client) -> None:
    emulator.faults(
        "reserve",
        {"kind": "status", "status": 422, "body": {"description": f"bad key {KEY}"}},
        {"kind": "status", "status": 500, "body": KEY},
        {"kind": "drop"},
        {"kind": "hang", "seconds": FOR_EVER},
    )
    for limit in (AMPLE, AMPLE, AMPLE, LIMIT):
        outcome = api.send(CALL, limit=limit)
        assert KEY not in getattr(outcome, "detail", "")
        assert PARKING not in getattr(outcome, "detail", "")
