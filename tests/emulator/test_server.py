"""The emulator as a server: real connections, many at once, started and stopped."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread

import pytest
import requests

from bff.emulator import EmulatorServer
from bff.emulator.server import MAX_BODY
from tests import TOP
from tests.support.emulator_client import HEADERS, PARKING, PATHS, POSTER, Client, running
from tests.support.waiting import FOR_EVER, PATIENCE, SLACK, until


@pytest.fixture(scope="module")
def server() -> Iterator[Client]:
    with running() as client:
        yield client


@pytest.fixture
def emulator(server: Client) -> Client:
    server.reset()
    return server


def _raw(url: str, sent: bytes) -> bytes:
    """Send bytes and read until the server closes."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(sent)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
        return received


def test_a_connection_is_kept_open_for_the_next_call(emulator: Client) -> None:
    body = b'{"cartId":"c","pageIdentifier":"p"}'
    head = (
        b"POST /v1/placements/any HTTP/1.1\r\nHost: e\r\nrokt-api-key: emulator-key\r\n"
        b"rokt-tag-id: emulator-tag\r\nContent-Type: application/json\r\n"
        b"Accept: application/json\r\nContent-Length: %d\r\n" % len(body)
    )
    call = head + b"\r\n" + body
    last = head + b"Connection: close\r\n\r\n" + body
    received = _raw(emulator.url, call + call + last)
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert received.count(b'{"result":true}') == 3
    assert received.count(b"Connection: close") == 1


def test_a_cut_answer_ends_the_connection_and_not_the_server(emulator: Client) -> None:
    emulator.faults("any", {"kind": "drop"})
    with pytest.raises(requests.ConnectionError):
        emulator.any()
    assert emulator.any().status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Transfer-Encoding: chunked\r\n", b"411"),
        (b"Content-Length: -1\r\n", b"400"),
        (b"Content-Length: many\r\n", b"400"),
        (b"Content-Length: %d\r\n" % (MAX_BODY + 1), b"413"),
    ],
)
def test_a_request_whose_body_cannot_be_read_is_refused(
    emulator: Client, headers: bytes, status: bytes
) -> None:
    sent = b"POST /v1/placements/any HTTP/1.1\r\nHost: e\r\n" + headers + b"\r\n"
    assert _raw(emulator.url, sent).startswith(b"HTTP/1.1 " + status)
    assert emulator.journal() == []


def test_a_client_that_leaves_in_the_middle_of_its_body_did_not_call(emulator: Client) -> None:
    host, port = emulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"POST /v1/placements/any HTTP/1.1\r\nContent-Length: 90\r\n\r\n{")
    assert emulator.journal() == []


def test_of_two_reserves_for_the_last_one_exactly_one_wins(emulator: Client) -> None:
    rounds = 10
    clients = [Client(emulator.url) for _ in range(4)]
    emulator.put("catalog", {"items": [{"catalogItemId": "poster.souvenir", "stock": 1}]})

    with ThreadPoolExecutor(len(clients)) as pool:
        for _ in range(rounds):
            barrier = Barrier(len(clients))

            def reserve(client: Client, together: Barrier = barrier) -> int:
                together.wait(PATIENCE)
                return len(client.reserve((POSTER, 1)).json()["items"])

            assert sum(pool.map(reserve, clients)) == 1
            assert emulator.stock("poster.souvenir") == 0
            emulator.move_clock(601)
    for client in clients:
        client.http.close()


def test_a_confirm_sent_many_times_at_once_fulfils_once(emulator: Client) -> None:
    item = emulator.reserved(PARKING)
    clients = [Client(emulator.url) for _ in range(8)]
    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(lambda client: client.confirm(item), clients))
    assert {answer.status_code for answer in answers} == {200}
    standing = emulator.standing(item)
    assert (standing["fulfilled"], standing["confirmCalls"]) == (1, 8)
    assert sum(entry["effect"] for entry in emulator.journal("?endpoint=confirm")) == 1
    for client in clients:
        client.http.close()


def test_stopping_ends_what_is_under_way_and_frees_the_address() -> None:
    server = EmulatorServer().start()
    client = Client(server.url)
    client.faults("any", {"kind": "hang", "seconds": FOR_EVER})
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.any, timeout=FOR_EVER)
        with requests.Session() as other:
            journal = server.url + "/_emulator/journal"
            until(lambda: other.get(journal, timeout=PATIENCE).json()["entries"])
        start = time.monotonic()
        server.stop()
        assert isinstance(call.exception(), requests.ConnectionError)
    assert time.monotonic() - start < SLACK
    server.stop()  # once more is harmless
    client.http.close()
    with EmulatorServer(port=server.port) as again:
        assert again.url == server.url


def test_serving_in_a_thread_of_the_callers_can_be_stopped_too() -> None:
    server = EmulatorServer()
    thread = Thread(target=server.serve_forever)
    thread.start()
    assert requests.get(server.url + "/_emulator/state", timeout=60).status_code == 200
    server.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_one_that_never_served_can_be_stopped() -> None:
    server = EmulatorServer()
    server.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=60)


def test_a_port_in_use_is_an_error_at_once(emulator: Client) -> None:
    with pytest.raises(OSError, match="in use"):
        EmulatorServer(port=int(emulator.url.rsplit(":", 1)[1]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_says_where_it_is_and_ends_on_a_signal(number: signal.Signals) -> None:
    program = "from bff.emulator import run; run(port=0, access_log=True)"
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=TOP,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found
        assert requests.get(found[0] + "/_emulator/state", timeout=60).status_code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.endswith("Cart API emulator stopped\n")
    assert "GET /_emulator/state" in err  # the access log that was asked for
    assert "Traceback" not in err


def test_it_says_nothing_by_itself(capfd: pytest.CaptureFixture[str]) -> None:
    with running() as client:
        client.reserved()
        client.faults("any", {"kind": "reset"}, {"kind": "endless"})
        with pytest.raises(requests.ConnectionError):
            client.any()
        url = client.url + PATHS["any"]
        with requests.post(url, json={}, headers=HEADERS, stream=True, timeout=60) as answer:
            next(answer.iter_content(1000))  # and away, in the middle of the answer
    assert capfd.readouterr() == ("", "")
