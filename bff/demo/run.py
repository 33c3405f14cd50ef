"""Start emulator, shop and the partner's shop together on one machine, and stop them cleanly.

With ``ROKT_BFF_ACCOUNT_ID`` among the settings the shops load Rokt's own SDK and call Rokt
itself; then there is no emulator, and ``ROKT_BFF_API_KEY`` and ``ROKT_BFF_TAG_ID`` are needed.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server

from bff import ConfigError
from bff.demo import second_origin
from bff.demo.app import create_demo
from bff.demo.partner import PartnerServer
from bff.demo.shop.catalogue import OFFERS
from bff.demo.shop.context import Parts
from bff.emulator import EmulatorServer, EmulatorSettings

HOST = "127.0.0.1"
PORT = 8080
EMULATOR_PORT = 8081

# Each shopper with the panel open polls, and each may wait for a slow Rokt at the same time.
_THREADS = 20
_ROUND = 0.2  # seconds until a stop is noticed
_PREFIX = "ROKT_BFF_"
_ACCOUNT = "ROKT_BFF_ACCOUNT_ID"
_REAL = (
    "The shops' own forms charge nobody, but Rokt is real here: what is confirmed is bought, "
    "unless your account is a sandbox."
)
_LOST = (
    "Ctrl-C stops the shops and deletes their database, and with it every confirm and cancel that "
    "Rokt has not answered by then."
)
_KEPT = "Ctrl-C stops the shops. What is owed to Rokt by then stays in ROKT_BFF_DATABASE_URL."
# Rokt does not document how it says that something sold out; this way it gives a reason to tell.
_EMULATOR = EmulatorSettings(catalog=OFFERS, rejection_form="status", rejection_status="SOLD_OUT")


class CannotStart(Exception):
    """A port is taken, or the address is no loopback; the text names the cure."""


class DemoServer:
    """Emulator and shops at addresses of their own. Port 0 takes a free one.

    ``folder``: where the SQLite files go. ``partner``: host and port of the partner's shop;
    without it there is none. Raises ``CannotStart`` when a port is taken.
    """

    def __init__(
        self,
        folder: Path,
        host: str = HOST,
        port: int = PORT,
        emulator_port: int = EMULATOR_PORT,
        config: Mapping[str, Any] | None = None,
        partner: tuple[str, int] | None = None,
    ) -> None:
        for one in (host, partner[0] if partner else host):
            if not _is_loopback(one):
                raise CannotStart(
                    f"The demo serves this machine only, and {one} is open to others: everybody "
                    "could turn its switches. Name no --host or --partner-host, or a loopback one."
                )
        self.emulator: EmulatorServer | None = None
        self.partner: PartnerServer | None = None
        self._sockets: dict[int, Any] = {}
        with ExitStack() as undo:
            if not (config or {}).get(_ACCOUNT):
                with _taking("emulator", host, emulator_port):
                    self.emulator = EmulatorServer(_EMULATOR, host=host, port=emulator_port)
                undo.callback(self.emulator.stop)
            with _taking("shop", host, port):
                # Taken before waitress comes in: it starts its threads before it finds out.
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                listening = socket.create_server((host, port), family=family)
            undo.callback(listening.close)
            if partner:
                with _taking("partner", *partner):
                    self.partner = second_origin.take_address(*partner)
                undo.callback(self.partner.stop)
                config = {
                    **(config or {}),
                    **second_origin.settings_for(self.partner.url, config or {}),
                }
            self.app = create_demo(
                folder,
                self._emulator_url,
                config,
                self.partner.url if self.partner else "",
            )
            undo.pop_all()
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
        found: Parts = self.app.extensions["demo_shop"]
        return found

    @property
    def _emulator_url(self) -> str:
        return self.emulator.url if self.emulator else ""

    def start(self) -> DemoServer:
        """Serve each in threads of its own, and deliver what is owed; returns at once."""
        if self.partner is not None:
            with self.app.app_context():
                self.partner.start(
                    second_origin.partner_of(self.parts.upsells, self.url, self._emulator_url)
                )
        if self.emulator is not None:
            self.emulator.start()
        self._end_delivery = self.parts.upsells.deliver_in_background(self.app)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop who calls before who is called, so that nobody finds the other one gone."""
        if self.partner is not None:
            self.partner.stop()
        self._ended.set()
        if self._end_delivery is not None:
            self._thread.join()
            self._end_delivery()
        if self.emulator is not None:
            self.emulator.stop()

    def _serve(self) -> None:
        # waitress itself stops by an exception in the main thread only; its loop, a round at a
        # time, stops from anywhere, and the sockets are closed by the thread that reads them.
        while not self._ended.is_set():
            wasyncore.loop(timeout=_ROUND, map=self._sockets, count=1)
        self._server.task_dispatcher.shutdown(timeout=5)
        for one in list(self._sockets.values()):
            if isinstance(one, HTTPChannel):
                one.handle_close()  # with the file that it was sending
        wasyncore.close_all(self._sockets)


def run(
    host: str = HOST,
    port: int = PORT,
    emulator_port: int = EMULATOR_PORT,
    config: Mapping[str, Any] | None = None,
    echo: Callable[[str], object] = print,
    partner_host: str = second_origin.HOST,
    partner_port: int = second_origin.PORT,
) -> int:
    """Serve the demo until SIGINT or SIGTERM. Hands back the exit status.

    ``config``: settings; by default the environment's ``ROKT_BFF_…``, if it names an account.
    """
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    chosen = settings_from(os.environ, echo) if config is None else config
    partner = (HOST if partner_host == "localhost" else partner_host, partner_port)
    host = HOST if host == "localhost" else host  # which may stand for two addresses
    with tempfile.TemporaryDirectory(prefix="rokt-bff-demo-") as folder:
        try:
            server = DemoServer(Path(folder), host, port, emulator_port, chosen, partner)
        except (CannotStart, ConfigError) as error:
            print(error, file=sys.stderr)
            return 1
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)  # for good: the process is to end, whatever comes again
        try:
            server.start()
            echo(f"Demo shop:         {server.url}")
            if server.partner is not None:
                echo(f"Partner's shop:    {server.partner.url}")
            if server.emulator is not None:
                echo(f"Cart API emulator: {server.emulator.url}")
                echo("Ctrl-C stops them. Nobody is charged, nothing is kept.")
            else:
                with server.app.app_context():
                    rokt = server.parts.upsells.settings.api_url
                echo(f"Cart API:          {rokt}")
                echo(_REAL)
                echo(_KEPT if chosen.get("ROKT_BFF_DATABASE_URL") else _LOST)
            ended.wait()
        finally:
            server.stop()
    echo("Stopped.")
    return 0


def settings_from(
    environ: Mapping[str, str], echo: Callable[[str], object] = print
) -> dict[str, str]:
    """Read the settings ``ROKT_BFF_…``, but none for the emulator: a real key stays out of it.

    ``ROKT_BFF_SECRET_KEY`` is Flask's, as it is for ``rokt-bff serve``.
    """
    found = {name: value for name, value in environ.items() if name.startswith(_PREFIX)}
    secret = found.pop(f"{_PREFIX}SECRET_KEY", "")
    if found.get(_ACCOUNT):
        return {**found, "SECRET_KEY": secret} if secret else found
    if found:
        echo(f"{', '.join(sorted(found))}: not used. With {_ACCOUNT} the demo calls Rokt itself.")
    return {}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name: whatever it stands for, now or later
        return False


@contextmanager
def _taking(what: str, host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        option = {"emulator": "--emulator-port", "partner": "--partner-port"}.get(what, "--port")
        raise CannotStart(
            f"The {what} cannot listen on {host}:{port} ({error.strerror or error}).\n"
            f"Stop what uses the port, or choose another one: rokt-bff demo {option} {port + 10}"
        ) from error
