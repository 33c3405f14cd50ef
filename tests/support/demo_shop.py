"""The demo shop under test: real shop, real emulator, and a shopper without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from bff.demo.run import DemoServer
from bff.web.runtime import runtime
from tests.support.emulator_client import Client
from tests.support.shop import AMPLE

GOOD_CARD = {
    "email": "ada@example.com",
    "number": "4242 4242 4242 4242",
    "expiry": "04 / 49",
    "cvc": "123",
    "name": "Ada Marsh",
}
DECLINED_CARD = {**GOOD_CARD, "number": "4000 0000 0000 0002"}
PARKING = "parking.quay"
PROTECTION = "insurance.ticket"


class Demo:
    """A running demo: its address and its emulator."""

    def __init__(self, server: DemoServer) -> None:
        assert server.emulator is not None
        self.server = server
        self.url = server.url
        self.partner = server.partner.url if server.partner else ""
        self.rokt = Client(server.emulator.url)

    def shopper(self) -> Shopper:
        return Shopper(self)

    def calls(self, endpoint: str = "") -> list[dict[str, Any]]:
        """Give the emulator's journal of one endpoint, or all of it."""
        entries: list[dict[str, Any]] = self.rokt.journal(f"?endpoint={endpoint}")
        return entries


@contextmanager
def running_demo(folder: Path, *, partner: bool = False, **config: Any) -> Iterator[Demo]:
    """Run shop, emulator and, if wished, partner on free ports, until the test ends."""
    # On a busy machine an answer may take longer than a shopper would wait.
    settings = AMPLE | {f"ROKT_BFF_{name.upper()}": value for name, value in config.items()}
    server = DemoServer(
        folder,
        port=0,
        emulator_port=0,
        config={"TESTING": True, **settings},
        partner=("127.0.0.2", 0) if partner else None,
    )
    server.start()
    demo = Demo(server)
    try:
        yield demo
    finally:
        demo.rokt.http.close()
        server.stop()
        runtime(server.app).store.close()  # else its connections outlive a PostgreSQL database


class _Forms(HTMLParser):
    """Reads what a form would post: its hidden fields, by the form's action."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self._is_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((found["action"], {}))
            self._is_open = True
        elif tag == "input" and self._is_open and found.get("type") == "hidden":
            self.forms[-1][1][found["name"]] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_open = False


class Shown:
    """A page as the shopper sees it."""

    def __init__(self, answer: requests.Response) -> None:
        self.status = answer.status_code
        self.path = answer.url.split("/", 3)[3]
        self.html = answer.text
        # The panel behind the scenes is no part of what the shop says.
        shop = answer.text.split('<aside class="backstage', 1)[0]
        text = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", shop)))
        # as it is typed, not as it is set
        self.text = text.replace("\N{MULTIPLICATION SIGN}", "x").replace("\N{MINUS SIGN}", "-")
        reader = _Forms()
        reader.feed(shop)
        self.forms = reader.forms

    def form(self, action: str, number: int = 0) -> dict[str, str]:
        found = [fields for target, fields in self.forms if target == action]
        assert found, f"no form posts to {action}: {[target for target, _ in self.forms]}"
        return dict(found[number])


class Shopper:
    """A browser without JavaScript: it follows links, posts forms and keeps cookies."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.http = requests.Session()
        self.page = self.get("/")

    def get(self, path: str) -> Shown:
        self.page = Shown(self.http.get(self.demo.url + path, timeout=60))
        return self.page

    def post(self, action: str, fields: Mapping[str, str] | None = None, number: int = 0) -> Shown:
        """Send the form of the page in view that posts to ``action``."""
        body = {**self.page.form(action, number), **(fields or {})}
        self.page = Shown(self.http.post(self.demo.url + action, data=body, timeout=60))
        return self.page

    def choose_tickets(self, **quantities: str) -> Shown:
        self.get("/")
        chosen = quantities or {"stalls": "2"}
        return self.post("/cart", {f"ticket-{name}": n for name, n in chosen.items()})

    def check_out(self, **quantities: str) -> Shown:
        self.choose_tickets(**quantities)
        return self.post("/checkout")

    def add_extra(self, catalog_item_id: str = PARKING, quantity: int = 1) -> str:
        """Do what the page's bridge does when the shopper adds an offer; give its id."""
        offers = requests.get(f"{self.demo.rokt.url}/_emulator/offers", timeout=60).json()["offers"]
        offer = next(one for one in offers if one["catalogItemId"] == catalog_item_id)
        item = {
            **{k: offer[k] for k in ("cartItemId", "catalogItemId", "name", "unitPrice")},
            "description": offer["description"],
            "currency": offer["currency"],
            "quantity": quantity,
            "totalPrice": offer["unitPrice"] * quantity,
        }
        for name in ("linkedProductId", "quantityMustBeSynchronized"):
            if name in offer:
                item[name] = offer[name]
        answer = self.http.post(
            f"{self.demo.url}/rokt/cart/updates",
            json={"updatedItem": item, "oldItem": None, "page": str(uuid4()), "seq": 1},
            headers={"Rokt-Bff": "1", "Sec-Fetch-Site": "same-origin"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        found: str = offer["cartItemId"]
        return found

    def pay(self, card: Mapping[str, str] = GOOD_CARD) -> Shown:
        return self.post("/pay", card)

    def close(self) -> None:
        self.http.close()


def bought(shopper: Shopper) -> Shown:
    shopper.check_out()
    shopper.add_extra()
    shopper.get("/payment")
    return shopper.pay()
