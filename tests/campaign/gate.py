"""A gate before the emulator, for faults of the network: a TCP relay on a port of its own.

- Open, it only relays.
- Shut, it does not listen, so connections are refused.
- As a black hole, it does not accept connections, and does not refuse them.
- To cut, it relays the first bytes of a response's head or body, and resets the connection.
- To stall, it sends nothing for a time in the middle of a response's head.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

# Within the status line and the headers of every response of the emulator.
CUT_AFTER = 40
# Within the body of every response that has one.
CUT_IN_BODY = 5
HEAD_ENDS = b"\r\n\r\n"
NO_BODY = b"content-length: 0\r\n"
# The system completes some connections before the server accepts them. These fill its queue.
CALLERS = 4
LINGER_ZERO = struct.pack("ii", 1, 0)


class Gate:
    """Relays ``url`` to a server on this machine; a context manager."""

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("http://").rpartition(":")
        self._target = (host, int(port))
        self._lock = threading.Lock()
        self._cuts: int | None = 0
        self._trouble: Callable[[bytes, socket.socket, socket.socket], bool] = self._reset_in_head
        self._silence = 0.0
        self._over = threading.Event()
        self._callers: list[socket.socket] = []
        self.met = False  # a response was cut or stalled
        self._sockets: set[socket.socket] = set()
        self._listening: socket.socket | None = None
        self._port = 0
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Relay everything from now on."""
        with self._lock:
            self._cuts = 0
            if self._listening is not None and not self._callers:
                return
        self.shut()
        listening = self._listen(64)
        threading.Thread(target=self._accept, args=[listening], daemon=True).start()

    def shut(self) -> None:
        """Refuse new connections, and end the present ones."""
        with self._lock:
            listening, self._listening = self._listening, None
            ending, self._sockets = self._sockets, set()
            callers, self._callers = self._callers, []
        if listening is not None:
            # A shutdown wakes the accepting thread. Without it the port stays open.
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
        for one in ending:
            _end(one)
        for one in callers:
            one.close()

    def swallow(self) -> None:
        """Neither accept nor refuse new connections, and end the present ones."""
        self.shut()
        self._listen(0)
        # The system completes the first few connections. Once its queue is full, it does not.
        for _ in range(CALLERS):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", self._port))
            self._callers.append(caller)

    def cut(self, times: int | None, *, body: bool = False) -> None:
        """Reset the connection in the head or body of the next responses (None: of all)."""
        with self._lock:
            self._cuts = times
            self._trouble = self._reset_in_body if body else self._reset_in_head

    def stall(self, times: int | None, seconds: float) -> None:
        """Send nothing for so many seconds in the head of the next responses (None: of all)."""
        with self._lock:
            self._cuts, self._silence = times, seconds
            self._trouble = self._be_silent

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self.shut()

    def _listen(self, backlog: int) -> socket.socket:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self._port))
        listening.listen(backlog)
        with self._lock:
            self._port = listening.getsockname()[1]
            self._listening = listening
        return listening

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
        _end(server)  # which ends the other thread, and that one closes both

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        is_reset = False
        with suppress(OSError):
            while not is_reset and (piece := server.recv(65536)):
                if self._is_to_cut():
                    is_reset = self._trouble(piece, server, client)
                else:
                    client.sendall(piece)
        with self._lock:
            self._sockets -= {client, server}
        if not is_reset:
            _end(client)  # wakes the thread that reads from it and would keep it open
        _end(server)
        client.close()  # with no lingering this is a reset, else an end in good order
        server.close()

    def _reset_in_head(self, piece: bytes, _: socket.socket, client: socket.socket) -> bool:
        _reset(client, piece[:CUT_AFTER])
        return True

    def _reset_in_body(self, piece: bytes, server: socket.socket, client: socket.socket) -> bool:
        while len(piece.partition(HEAD_ENDS)[2]) < CUT_IN_BODY:
            if NO_BODY in piece.lower() or not (more := server.recv(65536)):
                client.sendall(piece)
                return False
            piece += more
        head, between, body = piece.partition(HEAD_ENDS)
        _reset(client, head + between + body[:CUT_IN_BODY])
        return True

    def _be_silent(self, piece: bytes, _: socket.socket, client: socket.socket) -> bool:
        client.sendall(piece[:CUT_AFTER])
        self._over.wait(self._silence)
        client.sendall(piece[CUT_AFTER:])
        return False

    def _is_to_cut(self) -> bool:
        with self._lock:
            cuts = self._cuts is None or self._cuts > 0
            if self._cuts:
                self._cuts -= 1
            self.met |= cuts
            return cuts


def _reset(client: socket.socket, first: bytes) -> None:
    """Send the first bytes, and let the close of the socket be a reset."""
    client.sendall(first)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    # Wakes the thread that reads from it and would keep it open.
    client.shutdown(socket.SHUT_RD)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
