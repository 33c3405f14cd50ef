"""A client of the Cart API under test, and one call to send by it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bff.cart.reservation import ReserveOptions
from bff.config.settings import Settings
from bff.rokt.calls import Call, reserve_call
from bff.rokt.client import CartApi
from bff.rokt.outcomes import Outcome
from tests.support.emulator_client import PARKING
from tests.support.raw_server import ANSWER, RawServer
from tests.support.waiting import SLACK

KEY = "a-key-that-nobody-may-see"
# A host name that resolves nowhere: a request to it can only have gone through the proxy.
ROKT = "api.rokt.test"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
# The time limit of a call that is expected to reach it.
LIMIT = 0.4
# Far beyond the limit of a call, and far below the time (50 s) that its server would take.
SOON = SLACK
# The time limit of a call that is expected to be answered, on however busy a machine.
AMPLE = 20.0

Serve = Callable[[RawServer, socket.socket], None]
CALL: Call = reserve_call(
    cart_id="cart-1", lines=[(PARKING, 1)], rokt_session_id="rokt-session", options=ReserveOptions()
)


def client(url: str, **more: Any) -> CartApi:
    settings = Settings(api_key=KEY, tag_id="emulator-tag", api_url=url, **more)
    return CartApi(settings, lambda: datetime.now(UTC), lambda _attempt: None)


def timed(api: CartApi, limit: float = LIMIT) -> tuple[Outcome, float]:
    """Send the call. Returns its outcome and the seconds that it took."""
    start = time.monotonic()
    outcome = api.send(CALL, limit=limit)
    return outcome, time.monotonic() - start


def answer(server: RawServer, connection: socket.socket) -> None:
    """Answer every request of a connection."""
    while server.read_request(connection):
        connection.sendall(ANSWER)
