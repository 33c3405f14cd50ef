"""Slots for calls to Rokt: who waits, who is told ``busy``, and whose threads stay free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import requests

from bff.rokt.bulkhead import Bulkhead
from tests.support.databases import NewDatabase
from tests.support.emulator_client import Client
from tests.support.processes import ROKT_BFF, settings_for, started
from tests.support.shop import Shop, Shopper
from tests.support.waiting import PATIENCE, until

MakeShop = Callable[..., Shop]
# Far longer than any of these tests: what hangs is ended by its time limit alone.
FOR_EVER = {"kind": "hang", "seconds": 60, "times": None}
LIMIT = 8.0


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[Thread]:
    """Do something in another thread while the block runs."""
    thread = Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()


def is_full(bulkhead: Bulkhead) -> bool:
    with bulkhead.waiting_slot() as free:
        return not free


def reasons(quote: Any) -> set[str]:
    return {one["reason"] for one in quote["rejected"]}


def test_beyond_the_waiting_room_a_shopper_is_told_busy_at_once(
    make_shop: MakeShop, emulator: Client
) -> None:
    shop = make_shop(max_calls=1, max_waiting=1, reserve_timeout=LIMIT)
    hangs, waits, third = shop.shopper(), shop.shopper(), shop.shopper()
    for shopper in (hangs, waits, third):
        shopper.add()
    emulator.faults("reserve", FOR_EVER)
    with beside(hangs.reserve) as first:
        until(lambda: shop.calls("reserve"))
        with beside(waits.reserve) as second:
            until(lambda: is_full(shop.parts.api.bulkhead))
            assert reasons(third.reserve()) == {"busy"}
            assert third.add(quantity=3)["items"][0]["quantity"] == 3
            assert first.is_alive()
            assert second.is_alive()
    emulator.put("faults", {})
    assert third.reserve()["items"][0]["quantity"] == 3


def test_who_waits_for_their_own_other_tab_is_counted_too(
    make_shop: MakeShop, emulator: Client
) -> None:
    shop = make_shop(max_calls=3, max_waiting=1, reserve_timeout=LIMIT)
    shopper = shop.shopper()
    shopper.add()
    other, third = twin(shopper), twin(shopper)
    emulator.faults("reserve", FOR_EVER)
    with beside(shopper.reserve) as first:
        until(lambda: shop.calls("reserve"))
        with beside(other.reserve) as second:
            until(lambda: is_full(shop.parts.api.bulkhead))
            assert reasons(third.reserve()) == {"busy"}
            assert first.is_alive()
            assert second.is_alive()
    assert len(shop.calls("reserve")) <= 2


def test_who_was_sent_away_for_a_while_is_counted_too(
    make_shop: MakeShop, emulator: Client
) -> None:
    shop = make_shop(max_calls=3, max_waiting=1, reserve_timeout=LIMIT)
    first, second = shop.shopper(), shop.shopper()
    for shopper in (first, second):
        shopper.add()
    away = {"kind": "status", "status": 429, "retryAfter": int(LIMIT / 2), "times": None}
    emulator.faults("reserve", away)
    with beside(first.reserve) as waiting:
        until(lambda: is_full(shop.parts.api.bulkhead))
        assert reasons(second.reserve()) == {"unreachable"}
        assert waiting.is_alive()


def twin(shopper: Shopper) -> Shopper:
    """Return the same shopper in another tab: another client with the same cookie."""
    other = Shopper(shopper.shop)
    cookie = shopper.client.get_cookie("rokt_bff")
    assert cookie is not None
    other.client.set_cookie("rokt_bff", cookie.value)
    return other


def test_owed_calls_are_delivered_while_shoppers_have_all_places(
    make_shop: MakeShop, emulator: Client
) -> None:
    shop = make_shop(max_calls=1, max_waiting=1, reserve_timeout=LIMIT)
    paid, hangs = shop.shopper(), shop.shopper()
    for shopper in (paid, hangs):
        shopper.add()
    paid.reserve()
    emulator.faults("confirm", {"kind": "status", "status": 503})
    assert paid.pay()["status"] == "confirming"
    emulator.faults("reserve", FOR_EVER)
    shop.clock.move(5)
    with beside(hangs.reserve) as hanging:
        until(lambda: len(shop.calls("reserve")) == 2)
        assert shop.deliver() == 1
        assert hanging.is_alive()
    assert len(shop.calls("confirm")) == 2


def test_a_server_takes_updates_while_a_flood_of_reserves_meets_a_hanging_rokt(
    emulator: Client, new_database: NewDatabase, tmp_path: Path
) -> None:
    environ = settings_for(
        emulator.url,
        database_url=new_database(empty=True),
        origins="https://shop.example",
        reserve_timeout="20",  # forty pages and an update come within it, on a busy machine too
    )
    with started(ROKT_BFF, "serve", "--port", "0", folder=tmp_path, environ=environ) as server:
        base = server.wait_for(r"rokt-bff at (\S+)")
        pages = [Page(base, number) for number in range(40)]
        for page in pages:
            page.update()
        emulator.faults("reserve", FOR_EVER)
        for page in pages:
            page.start()
        until(lambda: sum(page.done.is_set() for page in pages) == 40 - 12)
        buyer = Page(base, 41)
        buyer.update()
        # Nobody's time limit was over: those with a place, or waiting for one, still hang.
        assert sum(page.done.is_set() for page in pages) == 40 - 12
        for page in pages:
            page.thread.join()
        reasons_told = sorted(page.reason for page in pages)
        assert reasons_told.count("busy") >= 40 - 12
        assert set(reasons_told) == {"busy", "unreachable"}


class Page:
    """A page elsewhere, with its handle."""

    def __init__(self, base: str, number: int) -> None:
        self.base = base
        self.number = number
        self.done = Event()
        self.reason = ""
        self.headers = {"Rokt-Bff": "1", "Origin": "https://shop.example"}
        answer = self.post("/session", {})
        self.headers["Authorization"] = f"Bearer {answer['handle']}"

    def post(self, path: str, body: object) -> Any:
        answer = requests.post(self.base + path, json=body, headers=self.headers, timeout=PATIENCE)
        assert answer.ok, answer.text
        return answer.json()

    def update(self) -> None:
        item = {
            "cartItemId": f"v1:{self.number}:parking.standard",
            "catalogItemId": "parking.standard",
            "name": "Parking",
            "description": "",
            "quantity": 1,
            "unitPrice": 12.5,
            "totalPrice": 12.5,
            "currency": "USD",
        }
        assert len(self.post("/cart/updates", {"updatedItem": item, "oldItem": None})["items"]) == 1

    def start(self) -> None:
        self.thread = Thread(target=self._reserve)
        self.thread.start()

    def _reserve(self) -> None:
        quote = self.post("/cart/reserve", {})
        self.reason = quote["rejected"][0]["reason"]
        self.done.set()
