"""Connects to a host by its name, with one time limit for the look-up and all addresses.

The system's look-up has no time limit of its own, and takes half a minute if no name server
answers. urllib3 gives each address of a name the whole limit. Either would hold a shopper for
longer than a call to Rokt may take.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

# An address that does not answer must leave time for the next, so no more are tried.
MOST_ADDRESSES = 3

Addresses = list[tuple[Any, ...]]

# Look-ups under way, by process, host and port. Other threads wait for the same one, so that an
# outage of the name server makes one thread wait, not one for each shopper.
_looking_up: dict[tuple[int, str, int], Future[Addresses]] = {}


def dial(
    host: str, port: int, seconds: float, options: Iterable[tuple[Any, ...]] | None = ()
) -> socket.socket:
    """Connect to a host. Each address but the last gets half of the time that is left.

    Args:
        host: The host's name or address.
        port: The port.
        seconds: The limit of the connection, and of each read and write on it.
        options: Socket options.

    Returns:
        The connected socket.

    Raises:
        TimeoutError: The limit was reached.
        OSError: The name is unknown, or no address accepted the connection.
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
        # A thread of a pool would hold up the end of the process.
        try:
            threading.Thread(target=_run, args=[key, own], daemon=True).start()
        except RuntimeError:
            _looking_up.pop(key)
            raise OSError("no thread for a look-up") from None
    found = running.result(timeout=seconds)
    if not found:
        raise OSError("unknown host")
    return found


def _run(key: tuple[int, str, int], own: Future[Addresses]) -> None:
    """Look up once for all threads that wait. An error counts as nothing found."""
    _, host, port = key
    found: Addresses = []
    try:
        found = _find(host, port)
    except OSError:
        pass
    finally:
        _looking_up.pop(key)
        own.set_result(found)


def _find(host: str, port: int, flags: int = 0) -> Addresses:
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags))
    except UnicodeError:  # the codec for international names rejects an empty or endless part
        raise socket.gaierror("not a host name") from None
