"""A server of bytes: for what no well-behaved HTTP server would send."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class RawServer:
    """``requests`` has the bytes of each request; ``connections`` counts those accepted."""

    url: str
    stopped: threading.Event
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def read_request(self, connection: socket.socket) -> bool:
        """Read one request whole; False when the client has left."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        while len(body) < length:
            body += connection.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)
        return True


@contextmanager
def raw_server(serve: Callable[[RawServer, socket.socket], None]) -> Iterator[RawServer]:
    """Run ``serve`` in a thread for each connection, which is closed when it returns."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = RawServer(f"http://127.0.0.1:{listener.getsockname()[1]}", threading.Event())
    threads: list[threading.Thread] = []
    accepted: list[socket.socket] = []

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # a client that hangs up is what many tests are for
            serve(server, connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                server.connections += 1
                accepted.append(connection)
                threads.append(threading.Thread(target=one, args=[connection]))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield server
    finally:
        server.stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
        listener.close()
        for connection in accepted:
            with suppress(OSError):  # most are closed already
                # A client that reads no more would keep a thread in its sendall for minutes.
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
