"""The servers behind ``rokt-bff``, as real processes: start, answer, stop; and what they refuse."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from bff.cli import main
from tests.support.databases import NewDatabase
from tests.support.emulator_client import Client
from tests.support.processes import ROKT_BFF, Started, ran, refused, settings_for, started
from tests.support.shop import BRIDGE, SERVER, bearer
from tests.support.waiting import PATIENCE, until

SIGNALS = [signal.SIGINT, signal.SIGTERM]
COMMANDS = {
    "serve",
    "demo",
    "emulator",
    "integrity",
    "init-db",
    "deliver",
    "purge",
    "redrive",
    "refunded",
    "doctor",
}


def ended_well(process: Started, number: signal.Signals) -> None:
    assert process.stop(number) == 0, process.printed
    assert "topped" in process.printed
    assert "Traceback" not in process.printed


def hold_parking(emulator: Client, url: str) -> dict[str, str]:
    """Start a session that holds one item; returns its headers."""
    opened = requests.post(f"{url}/session", json={}, headers=BRIDGE, timeout=60)
    headers = bearer(opened.json()["handle"])
    offer = emulator.control("GET", "offers").json()["offers"][0]
    body = {"updatedItem": {**offer, "quantity": 1, "totalPrice": offer["unitPrice"]}}
    answer = requests.post(f"{url}/cart/updates", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return headers


def is_free(url: str) -> bool:
    """Tell whether nobody listens there any more."""
    host, port = url.removeprefix("http://").split("/")[0].rsplit(":", 1)
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_help_lists_every_command(tmp_path: Path) -> None:
    shown = ran(ROKT_BFF, "--help", folder=tmp_path)
    assert shown.returncode == 0
    listed = re.findall(r"^  ([a-z-]+) {2,}\S", shown.stdout.split("Commands:")[1], re.MULTILINE)
    assert set(listed) == COMMANDS
    for command in COMMANDS:
        assert CliRunner().invoke(main, [command, "--help"]).exit_code == 0
    assert re.search(r"\d+\.\d+", ran(ROKT_BFF, "--version", folder=tmp_path).stdout)
    assert list(tmp_path.iterdir()) == []  # asking for help leaves nothing behind


@pytest.mark.parametrize("number", SIGNALS)
def test_the_emulator_starts_answers_and_stops(tmp_path: Path, number: signal.Signals) -> None:
    with started(ROKT_BFF, "emulator", "--port", "0", folder=tmp_path) as emulator:
        url = emulator.wait_for(r"at (http://\S+)")
        with requests.get(f"{url}/_emulator/state", timeout=60) as answer:
            assert answer.json()["catalog"]["parking.standard"]["stock"] == 100
        ended_well(emulator, number)
    assert is_free(url)


@pytest.mark.parametrize("number", SIGNALS)
def test_serve_starts_answers_and_stops(
    emulator: Client, tmp_path: Path, number: signal.Signals
) -> None:
    environ = settings_for(emulator.url)
    with started(ROKT_BFF, "serve", "--port", "0", folder=tmp_path, environ=environ) as server:
        url = server.wait_for(r"rokt-bff at (http://127\.0\.0\.1:\d+/rokt)")
        assert requests.get(f"{url}/health", timeout=60).json() == {"status": "ok"}
        opened = requests.post(f"{url}/session", json={}, headers=BRIDGE, timeout=60).json()
        page = bearer(opened["handle"])
        assert requests.get(f"{url}/cart", headers=page, timeout=60).json() == opened["cart"]
        script = requests.get(f"{url}/static/bridge.js", timeout=60)
        assert "createBridge" in script.text
        body = {"x": "x" * 70_000}
        large = requests.post(f"{url}/session", json=body, headers=BRIDGE, timeout=60)
        assert large.status_code == 413
        assert large.headers["Content-Type"] == "application/problem+json"
        ended_well(server, number)
        for secret in (environ["ROKT_BFF_API_KEY"], environ["ROKT_BFF_SERVER_KEY"],
                       environ["ROKT_BFF_SECRET_KEY"], opened["handle"]):  # fmt: skip
            assert secret not in server.printed
    assert is_free(url)
    assert (tmp_path / "rokt-bff.db").is_file()


def test_serve_delivers_what_could_not_be_confirmed_at_once(
    emulator: Client, new_database: NewDatabase, tmp_path: Path
) -> None:
    environ = settings_for(emulator.url, database_url=new_database())
    with started(ROKT_BFF, "serve", "--port", "0", folder=tmp_path, environ=environ) as server:
        url = server.wait_for(r"at (http://\S+)")
        page = hold_parking(emulator, url)
        requests.post(f"{url}/cart/reserve", json={}, headers=page, timeout=60)
        emulator.faults("confirm", {"kind": "drop", "when": "before"})
        order = {"handle": page["Authorization"].split()[1], "orderId": "A-1"}
        paid = requests.post(f"{url}/orders", json=order, headers=SERVER, timeout=60)
        assert paid.json()["status"] == "confirming"
        end = time.monotonic() + PATIENCE
        while found := requests.get(f"{url}/orders/A-1", headers=SERVER, timeout=60).json():
            if found["status"] == "confirmed":
                break
            assert found["status"] == "confirming"
            assert time.monotonic() < end
            time.sleep(0.05)
        ended_well(server, signal.SIGTERM)


def test_serve_finishes_what_is_under_way_when_it_is_stopped(
    emulator: Client, new_database: NewDatabase, tmp_path: Path
) -> None:
    environ = settings_for(emulator.url, database_url=new_database())
    with (
        started(ROKT_BFF, "serve", "--port", "0", folder=tmp_path, environ=environ) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        url = server.wait_for(r"at (http://\S+)")
        page = hold_parking(emulator, url)
        emulator.faults("reserve", {"kind": "delay", "seconds": 1})
        under_way = pool.submit(
            requests.post, f"{url}/cart/reserve", json={}, headers=page, timeout=10
        )
        until(lambda: not emulator.control("GET", "faults").json()["reserve"])  # the call has begun
        ended_well(server, signal.SIGTERM)
        assert under_way.result().json()["totals"] == {"USD": "12.50"}


@pytest.mark.parametrize("number", SIGNALS)
def test_serve_and_deliver_end_well_when_they_are_told_so_again_and_again(
    emulator: Client, tmp_path: Path, number: signal.Signals
) -> None:
    environ = settings_for(emulator.url)
    for command, begun in (("serve", r"at (http://\S+)"), ("deliver", "(Delivering)")):
        port = ["--port", "0"] if command == "serve" else []
        with started(ROKT_BFF, command, *port, folder=tmp_path, environ=environ) as process:
            process.wait_for(begun)
            end = time.monotonic() + PATIENCE
            while process.process.poll() is None and time.monotonic() < end:
                process.process.send_signal(number)
                time.sleep(0.003)  # else it is one signal
            assert process.process.poll() == 0, process.printed
            assert "Traceback" not in process.printed


# Many machines have two addresses for this name, 127.0.0.1 and ::1; not all that run tests do.
TWO_ADDRESSES = """
import socket, sys
from bff.cli import main

ask = socket.getaddrinfo

def answer(host, port, *more, **options):
    hosts = ["127.0.0.1", "127.0.0.2"] if host == "localhost" else [host]
    return [found for one in hosts for found in ask(one, port, *more, **options)]

socket.getaddrinfo = answer
main(sys.argv[1:])
"""


def test_serve_on_a_name_with_two_addresses_says_where_and_stops(
    emulator: Client, tmp_path: Path
) -> None:
    environ = settings_for(emulator.url)
    arguments = ("serve", "--host", "localhost", "--port", "0")
    command = (sys.executable, "-c", TWO_ADDRESSES, *arguments)
    with started(*command, folder=tmp_path, environ=environ) as server:
        url = server.wait_for(r"(http://localhost:\d+/rokt)")
        there = url.replace("localhost", "127.0.0.1")
        assert requests.get(f"{there}/health", timeout=60).json() == {"status": "ok"}
        ended_well(server, signal.SIGTERM)
    assert is_free(there)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_demo_starts_answers_and_stops(tmp_path: Path, number: signal.Signals) -> None:
    command = (ROKT_BFF, "demo", "--port", "0", "--emulator-port", "0", "--partner-port", "0")
    with started(*command, folder=tmp_path) as demo:
        shop = demo.wait_for(r"(?i)demo shop\S*\s+(http://\S+)")
        emulator = demo.wait_for(r"(?i)emulator\S*\s+(http://\S+)")
        page = requests.get(shop, timeout=60)
        assert page.status_code == 200
        assert "<html" in page.text
        assert requests.get(f"{emulator}/_emulator/state", timeout=60).status_code == 200
        partner = demo.wait_for(r"(?i)partner's shop\S*\s+(http://\S+)")
        assert "The Ropewalk" in requests.get(partner, timeout=60).text
        assert "Nobody is charged, nothing is kept." in demo.printed
        ended_well(demo, number)
    assert is_free(shop)
    assert is_free(emulator)
    assert is_free(partner)
    assert list(tmp_path.iterdir()) == []  # a demo leaves nothing behind


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["emulator", "--port", "{}"], "--port"),
        (["serve", "--port", "{}"], "--port"),
        (["demo", "--port", "{}", "--emulator-port", "0"], "--port"),
        (["demo", "--port", "0", "--emulator-port", "{}"], "--emulator-port"),
    ],
    ids=" ".join,
)
def test_a_taken_port_is_told_with_its_cure(
    emulator: Client, tmp_path: Path, taken: int, command: list[str], option: str
) -> None:
    filled = [part.format(taken) for part in command]
    environ = settings_for(emulator.url) if command[0] == "serve" else None
    ended = ran(ROKT_BFF, *filled, folder=tmp_path, environ=environ)
    assert ended.returncode == 1
    assert str(taken) in ended.stderr
    assert option in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["serve", "deliver", "purge", "init-db", "doctor"])
def test_without_settings_all_problems_are_named_and_it_does_not_start(
    tmp_path: Path, command: str
) -> None:
    environ = {"ROKT_BFF_MAX_LINES": "none", "ROKT_BFF_RESERVE_TIMEUOT": "1"}
    told = refused(command, folder=tmp_path, environ=environ)
    for name in ("API_KEY", "TAG_ID", "SECRET_KEY", "MAX_LINES", "RESERVE_TIMEUOT"):
        assert f"ROKT_BFF_{name} " in told
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_another_version_is_told_and_left_alone(
    emulator: Client, tmp_path: Path
) -> None:
    path = tmp_path / "rokt-bff.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE somebody_elses (id INTEGER)")
    connection.close()
    environ = settings_for(emulator.url)
    ended = ran(ROKT_BFF, "serve", "--port", "0", folder=tmp_path, environ=environ)
    assert ended.returncode == 1
    assert "database" in ended.stderr
    assert "Traceback" not in ended.stderr
    with sqlite3.connect(path) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert tables == [("somebody_elses",)]
