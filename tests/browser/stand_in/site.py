"""A small web site for the tests of the stand-in: pages on one origin, offers on another.

The catalogue is the invented one of the recording; cart item ids take the form they have there.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests import TOP

ROOTS = {"static": TOP / "static" / "rokt-stand-in", "page": Path(__file__).parent}
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
}

CATALOGUE: list[dict[str, Any]] = [
    {
        "catalogItemId": "parking-standard",
        "name": "Standard parking",
        "description": "Lot A, 5 min walk",
        "unitPrice": 12.5,
        "currency": "USD",
        "providerData": '{"lot":"A"}',
        "maxItemCount": 4,
    },
    {
        "catalogItemId": "parking-linked",
        "name": "VIP parking",
        "description": "Lot V, linked to a ticket",
        "unitPrice": 20,
        "currency": "USD",
        "linkedProductId": "TICKET-SKU-1",
    },
    {
        "catalogItemId": "insurance-sync",
        "name": "Ticket insurance",
        "description": "One per ticket",
        "unitPrice": 7.25,
        "currency": "USD",
        "quantityMustBeSynchronized": True,
        "maxItemCount": 10,
    },
    {
        "catalogItemId": "poster-nocurrency",
        "name": "Poster",
        "description": "No currency in the catalog",
        "unitPrice": 9.99,
    },
    {
        "catalogItemId": "sticker-float",
        "name": "Sticker",
        "description": "A price of 0.1",
        "unitPrice": 0.1,
        "currency": "USD",
    },
]


@dataclass
class Site:
    """What the site hands out; a test changes it before it opens the page."""

    catalogue: list[dict[str, Any]] = field(
        default_factory=lambda: [dict(item) for item in CATALOGUE]
    )
    max_total: int | None = None
    impressions: int = 0
    offers_status: int = 200
    offers_body: bytes | None = None
    launcher_attributes: dict[str, str] = field(default_factory=dict)
    origin: str = ""
    offers_origin: str = ""

    def item(self, catalog_item_id: str) -> dict[str, Any]:
        """The catalogue item of that id, to be changed in place."""
        return next(item for item in self.catalogue if item["catalogItemId"] == catalog_item_id)

    def impression(self) -> dict[str, Any]:
        """A fresh impression: every call gives every item a new cartItemId."""
        self.impressions += 1
        offers = [
            {
                **item,
                "cartItemId": f"v1:8ef7a1b2-{place:04}-4a00-9000-"
                f"{place + self.impressions - 1:012}:{item['catalogItemId']}",
            }
            for place, item in enumerate(self.catalogue, start=1)
        ]
        return {
            "sessionId": f"5e55-{self.impressions}",
            "pageInstanceGuid": f"9a6e-{self.impressions}",
            "offers": offers,
            "maxTotal": self.max_total,
        }

    def html(self) -> bytes:
        """The page, with the launcher's data attributes filled in."""
        attributes = {"data-offers": f"{self.offers_origin}/offers", **self.launcher_attributes}
        written = " ".join(f'{name}="{value}"' for name, value in attributes.items())
        text = (ROOTS["page"] / "page.html").read_text(encoding="utf-8")
        return text.replace("{launcher}", written).encode()

    def policy(self) -> str:
        """A policy as strict as a checkout's: no inline, no eval, no HTML from strings."""
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            f"connect-src {self.offers_origin}; base-uri 'none'; form-action 'self'; "
            "require-trusted-types-for 'script'; trusted-types 'none'"
        )


class Handler(BaseHTTPRequestHandler):
    """Serves the page, the repository's static files and offers."""

    def __init__(self, site: Site, *arguments: Any) -> None:
        self.site = site
        super().__init__(*arguments)

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/":
            self.answer(200, TYPES[".html"], self.site.html(), csp=self.site.policy())
        elif path == "/offers":
            body = self.site.offers_body
            if body is None:
                body = json.dumps(self.site.impression()).encode()
            self.answer(self.site.offers_status, "application/json", body)
        else:
            _, root, name = path.split("/", 2)
            found = ROOTS[root] / name
            self.answer(200, TYPES[found.suffix], found.read_bytes())

    def answer(self, status: int, media_type: str, body: bytes, csp: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Cache-Control", "no-store")
        if csp:
            self.send_header("Content-Security-Policy", csp)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing: pytest shows what failed."""


@contextmanager
def serve() -> Iterator[Site]:
    """Run the site on two ports of 127.0.0.1, pages on one, offers on the other."""
    site = Site()
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, site)) for _ in range(2)]
    site.origin, site.offers_origin = (
        f"http://127.0.0.1:{server.server_address[1]}" for server in servers
    )
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield site
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
