"""Starts emulator, shop and partner's shop on this machine, and stops them.

With the setting ``ROKT_BFF_ACCOUNT_ID`` the shops load Rokt's own SDK and call Rokt itself. Then
there is no emulator, and the settings ``ROKT_BFF_API_KEY`` and ``ROKT_BFF_TAG_ID`` are required.
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

# Each shopper with an open panel polls, and may wait for a slow Rokt at the same time.
_THREADS = 20
_POLL_SECONDS = 0.2  # until a stop is noticed
_PREFIX = "ROKT_BFF_"
_ACCOUNT = "ROKT_BFF_ACCOUNT_ID"
_REAL = (
    "The shops charge nobody, but Rokt is real. Confirmed extras are bought, unless your account "
    "is a sandbox."
)
_LOST = (
    "Ctrl-C stops the shops and deletes their database. Confirms and cancels that Rokt has not "
    "answered by then are lost."
)
_KEPT = "Ctrl-C stops the shops. Calls that are owed to Rokt stay in ROKT_BFF_DATABASE_URL."
# Rokt does not document how it reports a sold-out item. This form has a reason to show.
_EMULATOR = EmulatorSettings(catalog=OFFERS, rejection_form="status", rejection_status="SOLD_OUT")


class CannotStart(Exception):
    """A port is in use, or the address is not loopback. The text says what to do."""


class DemoServer:
    """Emulator and shops at addresses of their own. Port 0 chooses a free port.

    Args:
        folder: Where the SQLite files are stored.
        host: The address of shop and emulator.
        port: The port of the shop.
        emulator_port: The port of the emulator.
        config: Settings of Flask and ``ROKT_BFF_…``.
        partner: Host and port of the partner's shop. None: there is no such shop.

    Raises:
        CannotStart: A port is in use, or an address is not loopback.
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
                    f"The demo serves this machine only, but {one} is open to others, who could "
                    "turn its switches. Omit --host and --partner-host, or use a loopback address."
                )
        self.emulator: EmulatorServer | None = None
        self.partner: PartnerServer | None = None
        self._sockets: dict[int, Any] = {}
        with ExitStack() as undo:
            if not (config or {}).get(_ACCOUNT):
                with _binding("emulator", host, emulator_port):
                    self.emulator = EmulatorServer(_EMULATOR, host=host, port=emulator_port)
                undo.callback(self.emulator.stop)
            with _binding("shop", host, port):
                # Bound here, because waitress starts its threads before it binds.
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                listening = socket.create_server((host, port), family=family)
            undo.callback(listening.close)
            if partner:
                with _binding("partner", *partner):
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
        """The shop's parts."""
        found: Parts = self.app.extensions["demo_shop"]
        return found

    @property
    def _emulator_url(self) -> str:
        return self.emulator.url if self.emulator else ""

    def start(self) -> DemoServer:
        """Serve in new threads, and deliver owed calls. Returns at once."""
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
        """Stop the partner, then the shop, then the emulator: each before the one that it calls."""
        if self.partner is not None:
            self.partner.stop()
        self._ended.set()
        if self._end_delivery is not None:
            self._thread.join()
            self._end_delivery()
        if self.emulator is not None:
            self.emulator.stop()

    def _serve(self) -> None:
        # waitress stops only by an exception in the main thread. So this runs its loop in short
        # rounds, until the event is set. This thread then closes the sockets that it reads.
        while not self._ended.is_set():
            wasyncore.loop(timeout=_POLL_SECONDS, map=self._sockets, count=1)
        self._server.task_dispatcher.shutdown(timeout=5)
        for one in list(self._sockets.values()):
            if isinstance(one, HTTPChannel):
                one.handle_close()  # closes the file that it sends, too
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
    """Serve the demo until SIGINT or SIGTERM.

    Args:
        host: The address of shop and emulator.
        port: The port of the shop.
        emulator_port: The port of the emulator.
        config: Settings. By default those of the environment, if they name an account.
        echo: Prints a line.
        partner_host: The address of the partner's shop.
        partner_port: The port of the partner's shop.

    Returns:
        The exit status.
    """
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    chosen = settings_from(os.environ, echo) if config is None else config
    partner = (HOST if partner_host == "localhost" else partner_host, partner_port)
    host = HOST if host == "localhost" else host  # localhost may be two addresses
    with tempfile.TemporaryDirectory(prefix="rokt-bff-demo-") as folder:
        try:
            server = DemoServer(Path(folder), host, port, emulator_port, chosen, partner)
        except (CannotStart, ConfigError) as error:
            print(error, file=sys.stderr)
            return 1
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)  # not restored: the process ends
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
    """Return the settings ``ROKT_BFF_…`` of an environment, if they name an account.

    Without an account the demo uses the emulator, and none of them apply. ``ROKT_BFF_SECRET_KEY``
    becomes Flask's ``SECRET_KEY``, as in ``rokt-bff serve``.
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
    except ValueError:  # a name, which may stand for any address
        return False


@contextmanager
def _binding(what: str, host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        option = {"emulator": "--emulator-port", "partner": "--partner-port"}.get(what, "--port")
        raise CannotStart(
            f"The {what} cannot listen on {host}:{port} ({error.strerror or error}).\n"
            "Stop the process that uses the port, or choose another port: "
            f"rokt-bff demo {option} {port + 10}"
        ) from error
