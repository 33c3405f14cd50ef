"""Faults on the connection: dropped, reset, truncated, dripping and endless responses.

WSGI hides the connection from an application. So the emulator's server puts a `Wire` into the WSGI
environ. The app sets its `wire_fault`. Then the server calls that function to send the response, or
not, instead of sending it itself. Other WSGI servers have no wire, so these faults are rejected
there when they are set.
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

# More than any client with a limit reads. It ends for a client without one.
ENDLESS_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A response that is ready to be sent. `stopping` is set when the server shuts down."""

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
        """Send all bytes."""
        self.connection.sendall(data)

    def close(self) -> None:
        """Close the connection in order (FIN)."""
        with suppress(OSError):  # the client closed it first
            self.connection.shutdown(socket.SHUT_RDWR)


WireFault = Callable[[Outgoing], None]


@dataclass(slots=True)
class Wire:
    """The server's side of one call, for the app."""

    stopping: Event
    wire_fault: WireFault | None = None

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than the server runs."""
        self.stopping.wait(seconds)


def drop(out: Outgoing) -> None:
    """Close the connection without a response."""
    out.close()


def reset(out: Outgoing) -> None:
    """Reset the connection (RST) without a response."""
    # A linger time of zero makes the close a reset. The descriptor is closed here, because the
    # server's own close would send a FIN first.
    out.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(out.connection.detach())


def truncate(out: Outgoing) -> None:
    """Announce the whole length and send half of the body. For an empty body, announce 20 bytes."""
    out.send(out.head(len(out.body) or 20, close=False) + out.body[: len(out.body) // 2])
    out.close()


def hang(seconds: float) -> WireFault:
    """Wait, then close the connection without a response."""

    def wire_fault(out: Outgoing) -> None:
        out.stopping.wait(seconds)
        out.close()

    return wire_fault


def drip(seconds_per_byte: float) -> WireFault:
    """Send the head at once and the body byte by byte, so that no single read times out."""

    def wire_fault(out: Outgoing) -> None:
        out.send(out.head(len(out.body), close=False))
        for n in range(len(out.body)):
            if out.stopping.wait(seconds_per_byte):
                return
            out.send(out.body[n : n + 1])

    return wire_fault


def endless(out: Outgoing) -> None:
    """Send the body, then spaces, which are valid JSON too, until the client disconnects."""
    out.send(out.head(None, close=True) + out.body)
    spaces = b" " * 65_536
    for _ in range(ENDLESS_BYTES // len(spaces)):
        if out.stopping.is_set():
            break
        out.send(spaces)
    out.close()
