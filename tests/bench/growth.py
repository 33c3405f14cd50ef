"""The cost of one update with few and with many sessions held, measured in turns.

In process, so that nothing else is measured. ``--size``: how many are many.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from statistics import median
from uuid import uuid4

from flask import Flask

from bff import Upsells
from bff.cart.held_cart import CartItem, HeldCart, Line
from bff.cart.updates import Update
from bff.store.database import Store, new_id
from bff.store.documents import dump_cart
from bff.store.handles import hash_handle, new_handle
from bff.store.tables import sessions
from bff.web.runtime import runtime
from tests.bench.places import database, table
from tests.support.processes import settings_for

SIZE = 100_000
FEW = 10
ROUNDS = 10
UPDATES = 100
BATCH = 5_000


def run(folder: Path, kinds: list[str], size: int) -> list[str]:
    """Measure and print; nothing was promised of this in numbers."""
    rows: list[list[object]] = [["database", f"ms with {FEW}", f"ms with {size}", "ratio"]]
    for kind in kinds:
        few, many = measure(folder, kind, size)
        rows.append([kind, f"{few * 1000:.2f}", f"{many * 1000:.2f}", f"{many / few:.2f}"])
    table("growth: one cart update, in process", rows)
    return []


def measure(folder: Path, kind: str, size: int) -> tuple[float, float]:
    """Give the median cost of an update in seconds, with few sessions and with many."""
    with ExitStack() as stack:
        shops = []
        for number in (FEW, size):
            url = stack.enter_context(database(kind, _made(folder / f"{kind}-{number}")))
            shops.append(Held(url, folder, number))
            stack.callback(shops[-1].close)
        times: list[list[float]] = [[], []]
        for _ in range(ROUNDS):
            for shop, spent in zip(shops, times, strict=True):
                spent.append(shop.measure())
        return median(times[0]), median(times[1])


class Held:
    """A database with so many sessions, and one shopper who is at work."""

    def __init__(self, url: str, folder: Path, number: int) -> None:
        app = Flask("bench", instance_path=str(folder))
        app.config.update(settings_for("http://127.0.0.1:9", database_url=url))
        app.secret_key = app.config.pop("ROKT_BFF_SECRET_KEY")
        Upsells(app)
        self._here = runtime(app)
        self._numbers = count()
        self._handles = fill(self._here.store, number)
        self._page = str(uuid4())

    def measure(self) -> float:
        """Give the mean time of an update."""
        start = time.perf_counter()
        for n in range(UPDATES):
            handle = self._handles[n * 7919 % len(self._handles)]
            number = next(self._numbers) + 1
            item = _item("v1:1:parking.standard", number % 4 + 1)
            self._here.checkout.update(handle, Update(item=item, page=self._page, seq=number))
        return (time.perf_counter() - start) / UPDATES

    def close(self) -> None:
        self._here.store.close()


def fill(store: Store, number: int) -> list[str]:
    """Write sessions as they are after some shopping; give some of their handles."""
    now = datetime.now(UTC)
    handles: list[str] = []
    for start in range(0, number, BATCH):
        rows = []
        for _ in range(min(BATCH, number - start)):
            handle = new_handle()
            lines = tuple(Line(_item(f"v1:{n}:x", 1), n + 1) for n in range(3))
            rows.append(
                {
                    "id": new_id(),
                    "handle_hash": hash_handle(handle),
                    "cart": dump_cart(HeldCart(new_id(), version=3, lines=lines)),
                    "version": 3,
                    "rokt_session_id": new_id(),
                    "created_at": now,
                    "expires_at": now + timedelta(days=1),
                }
            )
            handles.append(handle)
        with store.write() as connection:
            connection.execute(sessions.insert(), rows)
    return handles


def _item(cart_item_id: str, quantity: int) -> CartItem:
    return CartItem(cart_item_id, "parking", "Parking", "", quantity, Decimal("12.50"), "USD")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
