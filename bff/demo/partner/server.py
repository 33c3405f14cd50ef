"""The partner's HTTP server: ``http.server`` from the standard library, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, SHUT_RD, socket
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bff.demo.partner.shop import NotFound, Partner, Response, Shop

_MAX_BYTES = 16 * 1024  # the form of a booking has about 500
_IDLE_SECONDS = 20

log = logging.getLogger(__name__)


class PartnerServer:
    """A partner's shop at an address of its own. Port 0 chooses a free port.

    The address is bound at once, so its origin is known before ``start`` gets the settings.

    Raises:
        OSError: The address cannot be bound.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = _Server((host, port), _Handler)
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="partner"
        )

    def start(self, partner: Partner) -> None:
        """Serve in new threads. Returns at once."""
        self._server.shop = Shop(partner)
        self._server.policy = partner.policy
        self._thread.start()

    def stop(self) -> None:
        """Finish the requests in progress, then close the address."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.stop_reading()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # a payment in progress is finished
    shop: Shop
    policy: str

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket] = set()
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind the address, without the reverse DNS lookup of the base class."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def stop_reading(self) -> None:
        """Stop reading. Browsers keep connections open without sending a request."""
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(SHUT_RD)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that ends."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_request: object) -> None:
        """Log a broken connection. Browsers may close theirs at any time."""
        log.debug("a request was not finished", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _IDLE_SECONDS
    server_version = "Ropewalk"
    sys_version = ""

    def do_GET(self) -> None:
        """Respond with a page, a file or a state."""
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        self._respond(lambda shop: shop.get(address.path, query))

    def do_HEAD(self) -> None:
        """Respond as to a GET, without the body."""
        self.do_GET()

    def do_POST(self) -> None:
        """Handle the post of a form."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and int(length) <= _MAX_BYTES):
            self.close_connection = True
            self._respond(_too_large)
            return
        text = self.rfile.read(int(length)).decode("utf-8", "replace")
        form = dict(parse_qsl(text, keep_blank_values=True))
        self._respond(lambda shop: shop.post(urlsplit(self.path).path, form))

    def _respond(self, make: Any) -> None:
        shop = self.server.shop
        try:
            response: Response = make(shop)
        except NotFound:
            response = shop.error(
                HTTPStatus.NOT_FOUND, "There is nothing here", "The address may be wrong."
            )
        except Exception:
            log.exception("the partner's page failed")
            response = shop.error(
                HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong", "It is our fault."
            )
        body = response.body.encode() if isinstance(response.body, str) else response.body
        self.send_response(response.status)
        self.send_header("Content-Type", response.kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", self.server.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "same-origin")
        # Files change with the demo, pages with every booking.
        self.send_header("Cache-Control", "no-store" if response.is_page else "no-cache")
        if response.location:
            self.send_header("Location", response.location)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Write no access log: the terminal is for the demo's addresses."""


def _too_large(shop: Shop) -> Response:
    return shop.error(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That was too much", "A booking is a small form."
    )
