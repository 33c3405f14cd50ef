"""Connects to a host by its name: look-up and all its addresses within one time limit.

The system's look-up has no limit that a caller could set, and takes half a minute when no name
server answers; and urllib3 gives each of a name's addresses the whole time. Either would hold a
shopper for longer than a call to Rokt may last.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

# An address that leads nowhere must leave time for another; more are not waited for.
MOST_ADDRESSES = 3


Addresses = list[tuple[Any, ...]]


# Look-ups that go on, by process, host and port. Whoever asks meanwhile waits for the same one,
# so that an outage of the name server makes one waiting thread, not one a shopper.
_looking_up: dict[tuple[int, str, int], Future[Addresses]] = {}


def dial(
    host: str, port: int, seconds: float, options: Iterable[tuple[Any, ...]] | None = ()
) -> socket.socket:
    """Return a connection, with ``seconds`` as its limit and these socket options.

    Each address but the last gets half of the time that is left. Raises ``TimeoutError``, or
    another ``OSError`` when nobody could be reached.
    """
    end = time.monotonic() + seconds
    addresses = _look_up(host.strip("[]"), port, seconds)[:MOST_ADDRESSES]
    for others in range(len(addresses) - 1, -1, -1):
        time_left = end - time.monotonic()
        if time_left <= 0:
            break
        try:
            sock = _connect(addresses[-1 - others], time_left / 2 if others else time_left, options)
        except OSError:
            if not others:
                raise
        else:
            sock.settimeout(seconds)
            return sock
    raise TimeoutError("no connection in time")


def _connect(
    found: tuple[Any, ...], seconds: float, options: Iterable[tuple[Any, ...]] | None
) -> socket.socket:
    family, kind, protocol, _, address = found
    sock = socket.socket(family, kind, protocol)
    try:
        for option in options or ():
            sock.setsockopt(*option)
        sock.settimeout(seconds)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def _look_up(host: str, port: int, seconds: float) -> Addresses:
    try:
        return _find(host, port, socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass  # it is a name
    key = (os.getpid(), host, port)
    own: Future[Addresses] = Future()
    running = _looking_up.setdefault(key, own)
    if running is own:
        # Not of a pool, whose threads a process waits for at its end.
        try:
            threading.Thread(target=_run, args=[key, own], daemon=True).start()
        except RuntimeError:
            _looking_up.pop(key)
            raise OSError("no thread for a look-up") from None
    found = running.result(timeout=seconds)
    if not found:
        raise OSError("nobody has this name")
    return found


def _run(key: tuple[int, str, int], own: Future[Addresses]) -> None:
    """Find, once for all who wait. None is told an error, which all of them would raise."""
    _, host, port = key
    found: Addresses = []
    try:
        found = _find(host, port)
    except OSError:
        pass  # is told as nothing found
    finally:
        _looking_up.pop(key)
        own.set_result(found)


def _find(host: str, port: int, flags: int = 0) -> Addresses:
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags))
    except UnicodeError:  # of the codec for international names: an empty or endless part
        raise socket.gaierror("no name of a host") from None
