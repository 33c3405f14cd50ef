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

from bff.demo.partner.shop import Answer, NotThere, Partner, Shop

_MOST_BYTES = 16 * 1024  # a booking's form has some 500
_IDLE_SECONDS = 20

log = logging.getLogger(__name__)


class PartnerServer:
    """A partner's shop at an address of its own. Port 0 takes a free one.

    Takes the address at once, so that its origin is known before anything else is; ``start``
    says what the shop is made of. Raises ``OSError`` when the address cannot be had.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = _Server((host, port), _Handler)
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="partner"
        )

    def start(self, partner: Partner) -> None:
        """Serve in threads; returns at once."""
        self._server.shop = Shop(partner)
        self._server.policy = partner.policy
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way, then close the address."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.hang_up()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # a payment under way is finished
    shop: Shop
    policy: str

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket] = set()
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Take the address, without asking the network for a name of it, as the base class does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def hang_up(self) -> None:
        """Read nothing more: a browser keeps connections open on which it never asks."""
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(SHUT_RD)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_request: object) -> None:
        """Log what the connection broke; a browser that went away is no news."""
        log.debug("a request was not finished", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _IDLE_SECONDS
    server_version = "Ropewalk"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with a page, a file or a state."""
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        self._answer(lambda shop: shop.get(address.path, query))

    def do_HEAD(self) -> None:
        """Answer as to a GET, without the body."""
        self.do_GET()

    def do_POST(self) -> None:
        """Take a form."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and int(length) <= _MOST_BYTES):
            self.close_connection = True
            self._answer(_too_large)
            return
        text = self.rfile.read(int(length)).decode("utf-8", "replace")
        form = dict(parse_qsl(text, keep_blank_values=True))
        self._answer(lambda shop: shop.post(urlsplit(self.path).path, form))

    def _answer(self, make: Any) -> None:
        shop = self.server.shop
        try:
            answer: Answer = make(shop)
        except NotThere:
            answer = shop.lost(
                HTTPStatus.NOT_FOUND, "There is nothing here", "The address may be wrong."
            )
        except Exception:
            log.exception("the partner's page failed")
            answer = shop.lost(
                HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong", "It is our fault."
            )
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", self.server.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "same-origin")
        # Its own files change with the demo, its pages with every order.
        self.send_header("Cache-Control", "no-store" if answer.is_page else "no-cache")
        if answer.location:
            self.send_header("Location", answer.location)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Print no line a request: the terminal is for the demo's addresses."""


def _too_large(shop: Shop) -> Answer:
    return shop.lost(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That was too much", "A booking is a small form."
    )
