"""Several servers and several delivery workers on one database, as real processes."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import requests

from tests.support.databases import NewDatabase
from tests.support.emulator_client import Client
from tests.support.interference import at_once
from tests.support.processes import ROKT_BFF, settings_for, started
from tests.support.shop import BRIDGE, SERVER, bearer
from tests.support.waiting import until

SHOPPERS = 8
PARKING = "parking.standard"


class Tab:
    """A page of a shopper whose requests go to the servers in turn."""

    def __init__(self, emulator: Client, urls: list[str], number: int) -> None:
        self.urls = urls
        self.turns = count(number)
        offers = emulator.control("GET", "offers").json()["offers"]
        self.offer = next(one for one in offers if one["catalogItemId"] == PARKING)
        opened = requests.post(f"{urls[0]}/session", json={}, headers=BRIDGE, timeout=60)
        self.handle = opened.json()["handle"]
        self.order_id = f"order-{number}"

    def post(self, path: str, body: object, headers: dict[str, str] | None = None) -> Any:
        url = self.urls[next(self.turns) % len(self.urls)]
        headers = headers or bearer(self.handle)
        answer = requests.post(f"{url}{path}", json=body, headers=headers, timeout=60)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def buy(self) -> None:
        for quantity in (1, 2, 3):
            item = self.offer | {
                "quantity": quantity,
                "totalPrice": self.offer["unitPrice"] * quantity,
            }
            self.post("/cart/updates", {"updatedItem": item, "oldItem": None})
        quotes = at_once([lambda: self.post("/cart/reserve", {})] * 2)
        assert {quote["totals"]["USD"] for quote in quotes} == {"37.50"}
        order = {"handle": self.handle, "orderId": self.order_id}
        # The shop's own retry comes in at the other server at the same time.
        orders = at_once([partial(self.post, "/orders", order, SERVER)] * 2)
        assert {one["orderId"] for one in orders} == {self.order_id}

    def status(self) -> str:
        url = self.urls[0]
        answer = requests.get(f"{url}/orders/{self.order_id}", headers=SERVER, timeout=60)
        found: str = answer.json()["status"]
        return found


def test_two_servers_and_two_workers_sell_each_item_once(
    emulator: Client, new_database: NewDatabase, tmp_path: Path
) -> None:
    stock = emulator.stock(PARKING)
    # Each first attempt is lost; the workers have them all.
    emulator.faults("confirm", {"kind": "drop", "when": "after", "times": SHOPPERS})
    environ = settings_for(
        emulator.url,
        database_url=new_database(),
        deliver="false",
        reserve_timeout="20",  # a busy machine is no slow Rokt
    )
    with ExitStack() as stack:
        run = partial(started, ROKT_BFF, folder=tmp_path, environ=environ)
        servers = [stack.enter_context(run("serve", "--port", "0")) for _ in range(2)]
        urls = [server.wait_for(r"rokt-bff at (http://\S+)") for server in servers]
        tabs = [Tab(emulator, urls, number) for number in range(SHOPPERS)]
        at_once([tab.buy for tab in tabs])
        workers = [stack.enter_context(run("deliver")) for _ in range(2)]
        until(lambda: all(tab.status() == "confirmed" for tab in tabs), seconds=60)
        for process in (*servers, *workers):
            assert process.stop() == 0, process.printed
            assert "Traceback" not in process.printed
    assert emulator.stock(PARKING) == stock - 3 * SHOPPERS
    orders = emulator.state()["orders"]
    assert len(orders) == SHOPPERS
    bodies: dict[str, set[str]] = {}
    for call in emulator.journal():
        if call["endpoint"] == "confirm":
            bodies.setdefault(call["body"]["orderId"], set()).add(repr(call["body"]))
    assert {len(sent) for sent in bodies.values()} == {1}  # the same each time
