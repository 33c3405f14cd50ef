"""Start emulator and shop together on one machine, and stop both cleanly.

With ``ROKT_BFF_ACCOUNT_ID`` among the settings the shop loads Rokt's own SDK and calls Rokt
itself; then there is no emulator, and ``ROKT_BFF_API_KEY`` and ``ROKT_BFF_TAG_ID`` are needed.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any

from waitress import wasyncore
from waitress.server import create_server

from bff import ConfigError
from bff.emulator import EmulatorServer, EmulatorSettings

from .app import create_demo
from .catalogue import OFFERS
from .parts import Parts

HOST = "127.0.0.1"
PORT = 8080
EMULATOR_PORT = 8081

# Each shopper with the panel open polls, and each may wait for a slow Rokt at the same time.
_THREADS = 20
_ROUND = 0.2  # seconds until a stop is noticed
_PREFIX = "ROKT_BFF_"
_ACCOUNT = "ROKT_BFF_ACCOUNT_ID"
# Rokt does not document how it says that something sold out; this way it gives a reason to tell.
_EMULATOR = EmulatorSettings(catalog=OFFERS, rejection_form="status", rejection_status="SOLD_OUT")


class CannotStart(Exception):
    """A port is taken, or the address is no loopback; the text names the cure."""


class DemoServer:
    """Emulator and shop at addresses of their own. Port 0 takes a free one.

    ``folder``: where the SQLite files go. Raises ``CannotStart`` when a port is taken.
    """

    def __init__(
        self,
        folder: Path,
        host: str = HOST,
        port: int = PORT,
        emulator_port: int = EMULATOR_PORT,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        if not ip_address(host).is_loopback:
            raise CannotStart(
                f"The demo serves this machine only, and {host} is open to others: everybody "
                "could turn its switches. Leave --host away."
            )
        self.emulator: EmulatorServer | None = None
        self._sockets: dict[int, Any] = {}
        if not (config or {}).get(_ACCOUNT):
            try:
                self.emulator = EmulatorServer(_EMULATOR, host=host, port=emulator_port)
            except OSError as error:
                raise CannotStart(_taken("emulator", host, emulator_port, error)) from error
        try:
            # Taken before waitress comes in: it starts its threads before it finds out.
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listening = socket.create_server((host, port), family=family)
        except OSError as error:
            self._stop_emulator()
            raise CannotStart(_taken("shop", host, port, error)) from error
        try:
            self.app = create_demo(folder, self.emulator.url if self.emulator else "", config)
        except BaseException:
            listening.close()
            self._stop_emulator()
            raise
        self._server = create_server(
            self.app, map=self._sockets, sockets=[listening], threads=_THREADS, ident=None
        )
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, name="demo shop", daemon=True)
        self._ended = threading.Event()
        self._end_delivery: Callable[[], None] | None = None

    @property
    def parts(self) -> Parts:
        """The shop's parts, for tests."""
        found: Parts = self.app.extensions["demo"]
        return found

    def start(self) -> DemoServer:
        """Serve both, each in threads of its own, and deliver what is owed; returns at once."""
        if self.emulator is not None:
            self.emulator.start()
        self._end_delivery = self.parts.upsells.deliver_in_background(self.app)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop the shop first, so that no call of it finds the emulator gone."""
        self._ended.set()
        if self._end_delivery is not None:
            self._thread.join()
            self._end_delivery()
        self._stop_emulator()

    def _serve(self) -> None:
        # waitress itself stops by an exception in the main thread only; its loop, a round at a
        # time, stops from anywhere, and the sockets are closed by the thread that reads them.
        while not self._ended.is_set():
            wasyncore.loop(timeout=_ROUND, map=self._sockets, count=1)
        self._server.task_dispatcher.shutdown(timeout=5)
        wasyncore.close_all(self._sockets)

    def _stop_emulator(self) -> None:
        if self.emulator is not None:
            self.emulator.stop()


def run(
    host: str = HOST,
    port: int = PORT,
    emulator_port: int = EMULATOR_PORT,
    config: Mapping[str, Any] | None = None,
    echo: Callable[[str], object] = print,
) -> int:
    """Serve the demo until SIGINT or SIGTERM. Hands back the exit status.

    ``config``: settings; by default the environment's ``ROKT_BFF_…``, if it names an account.
    """
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    chosen = _from_environment() if config is None else config
    host = HOST if host == "localhost" else host  # which may stand for two addresses
    with tempfile.TemporaryDirectory(prefix="rokt-bff-demo-") as folder:
        try:
            server = DemoServer(Path(folder), host, port, emulator_port, chosen)
        except (CannotStart, ConfigError) as error:
            print(error, file=sys.stderr)
            return 1
        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            server.start()
            echo(f"Demo shop:         {server.url}")
            rokt = server.emulator.url if server.emulator else "none; the shop calls Rokt itself"
            echo(f"Cart API emulator: {rokt}")
            echo("Ctrl-C stops both. Nobody is charged, nothing is kept.")
            ended.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            server.stop()
    echo("Stopped.")
    return 0


def _from_environment() -> dict[str, str]:
    """The environment's settings, but none of them for the emulator: a real key stays out."""
    found = {name: value for name, value in os.environ.items() if name.startswith(_PREFIX)}
    return found if found.get(_ACCOUNT) else {}


def _taken(what: str, host: str, port: int, error: OSError) -> str:
    option = "--emulator-port" if what == "emulator" else "--port"
    return (
        f"The {what} cannot listen on {host}:{port} ({error.strerror or error}).\n"
        f"Stop what uses the port, or choose another one: rokt-bff demo {option} {port + 10}"
    )
