"""What ``tests/unit/conftest.py`` refuses, so that unit tests stay quick and alone."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from bff.store.database import Store
from tests.support.emulator_client import running


def start_a_process() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def open_sqlite() -> None:
    with Store("sqlite:///nowhere.db").read():
        pass


def open_postgresql() -> None:
    with Store("postgresql://127.0.0.1:9/nowhere").read():
        pass


def start_a_server() -> None:
    with running():
        pass


def look_up_a_name() -> None:
    socket.create_connection(("localhost", 9))


@pytest.mark.parametrize(
    "work", [start_a_process, open_sqlite, open_postgresql, start_a_server, look_up_a_name]
)
def test_a_unit_test_has_no_server_no_database_and_no_process(work: Callable[[], None]) -> None:
    with pytest.raises(AssertionError, match="a unit test must need no server"):
        work()
