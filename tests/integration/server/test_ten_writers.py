"""Ten writers on one session, a hundred updates each, through the real server: none is lost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from tests.support.databases import NewDatabase
from tests.support.emulator_client import Client
from tests.support.processes import ROKT_BFF, settings_for, started
from tests.support.shop import BRIDGE, bearer

WRITERS = 10
UPDATES = 100


def item(writer: int, line: str, quantity: int) -> dict[str, Any]:
    return {
        "cartItemId": f"v1:{writer}:{line}",
        "catalogItemId": f"offer-{writer}-{line}",
        "name": f"Offer {writer} {line}",
        "description": "",
        "quantity": quantity,
        "unitPrice": 12.5,
        "totalPrice": 12.5 * quantity,
        "currency": "USD",
    }


class Writer:
    """One tab: its own page load, a line that changes and lines that come and go."""

    def __init__(self, number: int, url: str, handle: str, start: threading.Barrier) -> None:
        self.number = number
        self.url = url
        self.handle = handle
        self.start = start
        self.page = str(uuid4())
        self.expected: dict[str, int] = {}
        self.versions: list[int] = []

    def run(self) -> None:
        self.start.wait(timeout=60)
        with requests.Session() as http:
            http.headers.update(bearer(self.handle))
            for seq in range(1, UPDATES + 1):
                self.send(http, seq)

    def send(self, http: requests.Session, seq: int) -> None:
        """Set one's own line three times of four; else a line of its own comes or goes."""
        updated: dict[str, Any] | None
        old: dict[str, Any] | None = None
        if seq % 4:
            updated = item(self.number, "kept", 1 + (seq * 7) % 20)
        elif seq % 8:
            updated = item(self.number, f"guest-{seq}", 2)
        else:
            updated, old = None, item(self.number, f"guest-{seq - 4}", 2)
        for changed in (updated, old):
            if changed:
                self.expected[changed["cartItemId"]] = changed["quantity"]
        if old:
            del self.expected[old["cartItemId"]]
        body = {"updatedItem": updated, "oldItem": old, "page": self.page, "seq": seq}
        answer = http.post(f"{self.url}/cart/updates", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        cart = answer.json()
        self.versions.append(cart["version"])
        mine = {x["cartItemId"]: x["quantity"] for x in cart["items"]}
        own = {k: v for k, v in mine.items() if k.startswith(f"v1:{self.number}:")}
        assert own == self.expected


def test_ten_writers_with_a_hundred_updates_each_lose_none(
    emulator: Client, new_database: NewDatabase, tmp_path: Path
) -> None:
    environ = settings_for(emulator.url, database_url=new_database(), updates_per_second="100000")
    with started(ROKT_BFF, "serve", "--port", "0", folder=tmp_path, environ=environ) as server:
        url = server.wait_for(r"rokt-bff at (http://\S+)")
        opened = requests.post(f"{url}/session", json={}, headers=BRIDGE, timeout=60)
        handle = opened.json()["handle"]
        start = threading.Barrier(WRITERS)
        writers = [Writer(number, url, handle, start) for number in range(WRITERS)]
        with ThreadPoolExecutor(WRITERS) as pool:
            for done in [pool.submit(writer.run) for writer in writers]:
                done.result()
        cart = requests.get(f"{url}/cart", headers=bearer(handle), timeout=60).json()
        assert server.stop() == 0, server.printed
    held = {x["cartItemId"]: x["quantity"] for x in cart["items"]}
    assert held == {k: v for writer in writers for k, v in writer.expected.items()}
    assert sorted(v for writer in writers for v in writer.versions) == list(range(1, 1001))
    assert cart["version"] == WRITERS * UPDATES
