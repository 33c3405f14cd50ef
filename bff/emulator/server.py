"""The emulator's HTTP server: HTTP/1.1 with kept-alive connections, a thread each.

Two needs rule out the ready-made WSGI servers. The faults need the socket (`wire.py`), and clients
need kept-alive connections, as Rokt has them. Werkzeug's server gives out the socket but closes the
connection after each response.

Responses are sent in one piece with a `Content-Length`. A request needs one too: a chunked body is
a 411, a body over 1 MiB a 413.
"""

from __future__ import annotations

import io
import signal
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socket import SHUT_RDWR, socket
from socketserver import TCPServer, ThreadingMixIn
from types import FrameType, TracebackType
from typing import Any, Self
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication

from werkzeug.test import run_wsgi_app

from bff.emulator.app import create_emulator
from bff.emulator.settings import EmulatorSettings
from bff.emulator.wire import ENVIRON_KEY, Outgoing, Wire

MAX_BODY = 1024 * 1024


class _Handler(BaseHTTPRequestHandler):
    """One connection. Each request on it is one call of the app."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        if self.server.access_log:
            sys.stderr.write(f"{self.client_address[0]} {format % args}\n")

    def serve(self) -> None:
        """Handle one request."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            self.close_connection = True
            return
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit():
            self.send_error(HTTPStatus.BAD_REQUEST)
            self.close_connection = True
            return
        if int(length) > MAX_BODY:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            self.close_connection = True
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):  # the client disconnected in the middle
            self.close_connection = True
            return
        wire = Wire(self.server.stopping)
        chunks, status, found = run_wsgi_app(
            self.server.app, self._environ(body, wire), buffered=True
        )
        response = b"".join(chunks)
        self.log_request(status[:3])
        headers = [
            pair for pair in found if pair[0].lower() not in ("content-length", "connection")
        ]
        headers.append(("Date", self.date_time_string()))
        out = Outgoing(self.connection, status, tuple(headers), response, self.server.stopping)
        if wire.wire_fault is not None:
            self.close_connection = True
            wire.wire_fault(out)
            return
        sent = b"" if self.command == "HEAD" else response
        out.send(out.head(len(response), close=self.close_connection) + sent)

    # the base class calls these names
    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = serve  # noqa: N815

    def _environ(self, body: bytes, wire: Wire) -> dict[str, Any]:
        # The base class removes a doubled slash from `self.path`.
        path, _, query = self.requestline.split()[1].partition("?")
        host, port = self.server.server_address[:2]
        environ: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": self.client_address[0],
            "SERVER_NAME": str(host),
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            ENVIRON_KEY: wire,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            if key == "CONTENT_TYPE":
                environ[key] = value
            elif key != "CONTENT_LENGTH":
                key = f"HTTP_{key}"
                environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ


class _Server(ThreadingMixIn, TCPServer):
    """Accepts connections, with a thread each, and can close the open ones."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], app: WSGIApplication, access_log: bool) -> None:
        self.app = app
        self.access_log = access_log
        self.stopping = threading.Event()
        self._open: set[socket] = set()
        self._changed = threading.Condition()
        super().__init__(address, _Handler)

    def opened(self, connection: socket) -> None:
        """Add an open connection."""
        with self._changed:
            self._open.add(connection)

    def closed(self, connection: socket) -> None:
        """Remove a closed connection."""
        with self._changed:
            self._open.discard(connection)
            self._changed.notify_all()

    def end_connections(self) -> None:
        """Close the open connections, and wait until their threads have ended."""
        self.stopping.set()
        with self._changed:
            for connection in self._open:
                try:
                    connection.shutdown(SHUT_RDWR)
                except OSError:  # closed already
                    continue
            self._changed.wait_for(lambda: not self._open, timeout=5)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Many faults make clients disconnect.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class EmulatorServer:
    """The emulator at an address of its own. Port 0 chooses a free port, which `url` has.

    ```python
    with EmulatorServer(EmulatorSettings(reservation_seconds=2)) as emulator:
        requests.post(emulator.url + "/v1/cart/reserve", …)
    ```

    Args:
        settings: The settings at the start and after a reset.
        host: The address to listen on.
        port: The port to listen on.
        access_log: Whether to write a line for each request to stderr.

    Raises:
        OSError: The port is in use.
    """

    def __init__(
        self,
        settings: EmulatorSettings | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        access_log: bool = False,
    ) -> None:
        self.app = create_emulator(settings)
        self._server = _Server((host, port), self.app, access_log)
        self._thread: threading.Thread | None = None
        self._serving = False
        self.host = host
        self.port: int = self._server.server_address[1]

    @property
    def url(self) -> str:
        """The address, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> Self:
        """Serve in a new thread. Returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self.serve_forever, name=f"emulator-{self.port}", daemon=True
            )
            self._thread.start()
        return self

    def serve_forever(self) -> None:
        """Serve in this thread until another one calls `stop`."""
        self._serving = True
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """Stop serving and close every connection. A second call does nothing."""
        if self._server.stopping.is_set():
            return
        if self._serving or self._thread is not None:
            self._server.shutdown()
        if self._thread is not None:
            self._thread.join()
        self._server.end_connections()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def run(
    host: str = "127.0.0.1",
    port: int = 8081,
    settings: EmulatorSettings | None = None,
    *,
    access_log: bool = False,
    echo: Callable[[str], object] = print,
) -> None:
    """Serve until SIGINT or SIGTERM, for the command line.

    Args:
        host: The address to listen on.
        port: The port to listen on.
        settings: The settings at the start.
        access_log: Whether to write a line for each request to stderr.
        echo: Prints a line.

    Raises:
        OSError: The port is in use.
    """
    settings = settings or EmulatorSettings()
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    with EmulatorServer(settings, host, port, access_log=access_log) as server:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)  # not restored: the process ends
        echo(f"Cart API emulator at {server.url} (controls under {server.url}/_emulator/)")
        echo(f"rokt-api-key: {settings.api_key}   rokt-tag-id: {settings.tag_id}")
        ended.wait()
    echo("Cart API emulator stopped")
