"""Faults that act on the connection itself: cut, reset, truncated, dripping and endless answers.

WSGI hides the connection from an application. So the emulator's own server puts a `Wire` into the
WSGI environment; a view sets its `act`, and the server lets that act send the answer (or not) in
place of the ordinary sending. Another WSGI server has no wire, and then such faults are refused
when they are set rather than ignored when they are due.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event

ENVIRON_KEY = "emulator.wire"

# "Endless" for a client with any limit of its own, yet not for ever when one has none.
ENDLESS_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An answer that is ready to be sent. `stopping` is set when the server shuts down."""

    connection: socket.socket
    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    stopping: Event

    def head(self, length: int | None, *, close: bool) -> bytes:
        """Build the status line and headers, with this `Content-Length` or none."""
        lines = [f"HTTP/1.1 {self.status}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        if close:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def send(self, data: bytes) -> None:
        """Send all of it at once."""
        self.connection.sendall(data)

    def close(self) -> None:
        """End the connection in good order (FIN)."""
        with suppress(OSError):  # the client was faster
            self.connection.shutdown(socket.SHUT_RDWR)


Act = Callable[[Outgoing], None]


@dataclass(slots=True)
class Wire:
    """What a view may ask of the server for the answer to one call."""

    stopping: Event
    act: Act | None = None

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the server."""
        self.stopping.wait(seconds)


def drop(out: Outgoing) -> None:
    """Close the connection; nothing is answered."""
    out.close()


def reset(out: Outgoing) -> None:
    """Reset the connection (RST); nothing is answered."""
    # Lingering for zero seconds makes the close a reset. The descriptor is closed here because the
    # server's own tidy end would send a FIN first.
    out.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(out.connection.detach())


def truncate(out: Outgoing) -> None:
    """Promise the whole body and send half of it. An empty body is promised 20 bytes."""
    out.send(out.head(len(out.body) or 20, close=False) + out.body[: len(out.body) // 2])
    out.close()


def hang(seconds: float) -> Act:
    """Say nothing for a while, then close the connection."""

    def act(out: Outgoing) -> None:
        out.stopping.wait(seconds)
        out.close()

    return act


def drip(seconds_per_byte: float) -> Act:
    """Send the head at once and the body byte by byte, so that no single read takes long."""

    def act(out: Outgoing) -> None:
        out.send(out.head(len(out.body), close=False))
        for n in range(len(out.body)):
            if out.stopping.wait(seconds_per_byte):
                return
            out.send(out.body[n : n + 1])

    return act


def endless(out: Outgoing) -> None:
    """Send the body and go on with blanks, which are JSON as well, until the client hangs up."""
    out.send(out.head(None, close=True) + out.body)
    blanks = b" " * 65_536
    for _ in range(ENDLESS_BYTES // len(blanks)):
        if out.stopping.is_set():
            break
        out.send(blanks)
    out.close()
