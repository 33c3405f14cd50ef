"""Answers that are packed or have no end: read up to a bound, in little memory and in time."""

from __future__ import annotations

import gzip
import socket
import tracemalloc

import pytest

from bff.rokt.outcomes import Cause, Refused, Unknown
from bff.rokt.transport import MAX_RESPONSE
from tests.support.api_client import AMPLE, CALL, SOON, Serve, client, timed
from tests.support.raw_server import RawServer, raw_server


def packed(body: bytes, encoding: str = "gzip") -> Serve:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"

    def serve(server: RawServer, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(head.encode() + body)

    return serve


HONEST = gzip.compress(b'{"success": false}' + b" " * 1000)


def test_an_answer_is_asked_for_unpacked_and_read_packed() -> None:
    with raw_server(packed(HONEST)) as server:
        outcome = client(server.url).send(CALL, limit=AMPLE)
    assert isinstance(outcome, Refused)  # it was read
    assert b"accept-encoding: identity\r\n" in server.requests[0].lower()


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (HONEST[:-9], "the response is cut short"),
        (b"{}" * 40, "the response cannot be decompressed"),
        (gzip.compress(bytes(MAX_RESPONSE + 1)), "the response is too large"),
    ],
    ids=["cut short", "not packed", "too large"],
)
def test_what_cannot_be_unpacked_is_no_answer(body: bytes, detail: str) -> None:
    with raw_server(packed(body)) as server:
        assert client(server.url).send(CALL, limit=AMPLE) == Unknown(Cause.UNREADABLE, detail)


def test_a_small_answer_that_unpacks_to_gigabytes_takes_little_memory() -> None:
    bomb = gzip.compress(bytes(100 * MAX_RESPONSE))
    with raw_server(packed(bomb)) as server:
        api = client(server.url)
        tracemalloc.start()
        outcome = api.send(CALL, limit=AMPLE)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert outcome == Unknown(Cause.UNREADABLE, "the response is too large")
    assert most < 8 * MAX_RESPONSE


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("head", "again"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 5000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 5000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (HEAD + b"\r\n", b"1000\r\n" + b" " * 0x1000 + b"\r\n"),
        (HEAD + b"\r\n", b"0" * 5000),
        (HEAD + b"\r\n", b"1;" + b"x" * 5000),
        (HEAD + b"\r\n2\r\n{}\r\n0\r\n", b"X-Trailer: x\r\n"),
        (HEAD + b"\r\n2\r\n{}\r\n0\r\nX-Trailer: ", b"x" * 5000),
    ],
    ids=["headers", "header", "before", "chunks", "size", "chunk head", "trailers", "trailer"],
)
def test_what_has_no_end_is_cut_off(head: bytes, again: bytes) -> None:
    def serve(server: RawServer, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(head)
        while not server.stopped.is_set():
            connection.sendall(again)

    with raw_server(serve) as server:
        api = client(server.url)
        tracemalloc.start()
        outcome, spent = timed(api)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(outcome, Unknown), outcome
    assert spent < SOON
    assert most < 8 * MAX_RESPONSE
