"""Connections that say nothing, or half of something, keep nobody out and end no server."""

from __future__ import annotations

import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests

from bff.server.serve import CONNECTIONS
from tests.support.emulator_client import Client
from tests.support.processes import settings_for, started

# With the files of a database and of calls to Rokt it is more than the 1,024 of select().
BUSY = """
import os
others = [open(os.devnull) for _ in range(100)]
from bff.server import serve
serve.IDLE_SECONDS, serve.CLEANUP_SECONDS = 2, 1  # so that the test is short
from bff.cli import main
main(["serve", "--port", "0"])
"""
# Ten times as long as the server waits.
SOON = 30
HALF = b"GET /rokt/health HTTP/1.1\r\nHost: a\r\nX-Trickle: "


@contextmanager
def files(number: int) -> Iterator[None]:
    """Let this process, and those that it starts, have so many files open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def serving(emulator: Client, folder: Path) -> Iterator[str]:
    environ = settings_for(emulator.url)
    with started(sys.executable, "-c", BUSY, folder=folder, environ=environ) as server:
        yield server.wait_for(r"at (http://\S+)")
        assert server.stop() == 0, server.printed
        assert "Traceback" not in server.printed


def connect(stack: ExitStack, url: str) -> socket.socket:
    address = urlsplit(url)
    where = (address.hostname or "", address.port or 0)
    return stack.enter_context(socket.create_connection(where, timeout=60))


def is_well(url: str) -> bool:
    answer: bool = requests.get(f"{url}/health", timeout=60).json() == {"status": "ok"}
    return answer


def test_many_connections_that_say_nothing_keep_nobody_out(
    emulator: Client, tmp_path: Path
) -> None:
    with files(4096), serving(emulator, tmp_path) as url, ExitStack() as idle:
        for _ in range(CONNECTIONS - 20):
            connect(idle, url)
        assert is_well(url)  # who was served has come after all of these


def test_more_connections_than_a_server_may_have_files_end_it_not(
    emulator: Client, tmp_path: Path
) -> None:
    with files(1024), serving(emulator, tmp_path) as url, files(4096), ExitStack() as idle:
        for _ in range(CONNECTIONS + 50):
            connect(idle, url)
        assert is_well(url)  # in its turn: those that say nothing are closed by and by


def test_half_a_request_that_trickles_is_not_waited_for(emulator: Client, tmp_path: Path) -> None:
    with serving(emulator, tmp_path) as url, ExitStack() as stack:
        trickle = connect(stack, url)
        trickle.sendall(HALF)
        trickle.settimeout(0.5)
        start = time.monotonic()
        while time.monotonic() - start < 2 * SOON:
            try:
                trickle.sendall(b"x")
                if trickle.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert time.monotonic() - start < SOON
