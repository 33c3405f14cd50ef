"""A gate before the emulator: connections that are refused, and answers that are cut by a reset.

A TCP relay on a port of its own. Shut, it does not listen, so that a connection is refused as
by a server that is not there; told to cut, it passes on the first bytes of each answer and then
resets the connection. Open, it only relays.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

# Within the status line and the headers of every answer of the emulator.
CUT_AFTER = 40
LINGER_ZERO = struct.pack("ii", 1, 0)


class Gate:
    """Relays ``url`` to a server on this machine; a context manager."""

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("http://").rpartition(":")
        self._target = (host, int(port))
        self._lock = threading.Lock()
        self._cuts: int | None = 0
        self._sockets: set[socket.socket] = set()
        self._listening: socket.socket | None = None
        self._port = 0
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Let through, from now on, and cut nothing."""
        with self._lock:
            self._cuts = 0
            if self._listening is not None:
                return
            listening = socket.socket()
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", self._port))
            listening.listen(64)
            self._port = listening.getsockname()[1]
            self._listening = listening
        threading.Thread(target=self._accept, args=[listening], daemon=True).start()

    def shut(self) -> None:
        """Refuse connections, and end those that there are."""
        with self._lock:
            listening, self._listening = self._listening, None
            ending, self._sockets = self._sockets, set()
        if listening is not None:
            # A shutdown wakes the thread that accepts; without it the port stays open.
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
        for one in ending:
            _end(one)

    def cut(self, times: int | None) -> None:
        """Reset the connection within the next answers; None: within all."""
        with self._lock:
            self._cuts = times

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shut()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return  # shut
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                if self._listening is not listening:
                    client.close()
                    server.close()
                    return
                self._sockets |= {client, server}
            threading.Thread(target=self._ask, args=[client, server], daemon=True).start()
            threading.Thread(target=self._answer, args=[server, client], daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while piece := client.recv(65536):
                server.sendall(piece)
        _end(server)  # which ends the other thread too, and that closes both

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while piece := server.recv(65536):
                if self._is_to_cut():
                    client.sendall(piece[:CUT_AFTER])
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
                    # Wakes the thread that reads from it, which else would keep it open.
                    client.shutdown(socket.SHUT_RD)
                    break
                client.sendall(piece)
        with self._lock:
            self._sockets -= {client, server}
        _end(server)
        client.close()  # with no lingering this is a reset, else an end in good order
        server.close()

    def _is_to_cut(self) -> bool:
        with self._lock:
            if self._cuts is None:
                return True
            if self._cuts > 0:
                self._cuts -= 1
                return True
            return False


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
