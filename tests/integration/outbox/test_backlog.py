"""A backlog of confirms and two workers: each order is confirmed by one call, in flat memory.

The benchmark ``drain`` does the same with ten thousand and with processes, and has the rate.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Barrier

from sqlalchemy import func, select

from bff.outbox.senders import SENDERS, SenderPool
from bff.store.database import Store
from bff.store.tables import outbox
from tests.bench.drain import judge, owe
from tests.bench.places import emulator
from tests.support.databases import NewDatabase
from tests.support.interference import at_once
from tests.support.shop import Shop
from tests.support.waiting import PATIENCE

# Enough for each sender to have its thread and its connections; and what must add nothing to it.
FEW, MANY = 40, 160
# One that was kept, with its call and its answer, would be nearly five thousand.
MOST_BYTES_A_ROW = 2000


def drain(shop: Shop, turns: Barrier) -> int:
    """Work off two backlogs, as the worker does; returns how many rows were in hand at most."""
    held = select(func.count()).where(outbox.c.lease_token.is_not(None))
    most = 0
    with SenderPool(shop.parts.delivery) as draining:
        for _ in range(2):
            turns.wait(PATIENCE)
            while draining.step():
                with shop.parts.store.read() as connection:
                    most = max(most, connection.execute(held).scalar_one())
            turns.wait(PATIENCE)
    return most


def test_two_workers_send_a_backlog_once_and_keep_nothing_of_it(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    url = new_database()
    memory: list[int] = []

    def measure() -> None:
        gc.collect()
        memory.append(tracemalloc.get_traced_memory()[0])

    # In a process of its own, for its journal grows.
    with emulator(tmp_path) as (client, _), closing(Store(url)) as store:
        shops = [Shop(client, tmp_path, {"ROKT_BFF_DATABASE_URL": url}) for _ in range(2)]
        for shop in shops:
            del shop.heard  # which keeps all that it hears
        between: list[Callable[[], None]] = [
            partial(owe, store, client, FEW), measure,
            partial(owe, store, client, MANY, after=FEW), measure,
        ]  # fmt: skip
        turns = Barrier(2, action=lambda: between.pop(0)())
        tracemalloc.start()
        in_hand = at_once([partial(drain, shop, turns) for shop in shops])
        tracemalloc.stop()
        _, calls, twice = judge(client, store, FEW + MANY)
        for shop in shops:
            shop.close()
        client.http.close()
    assert (calls, twice) == (FEW + MANY, 0)
    assert max(in_hand) <= 2 * SENDERS
    kept = memory[1] - memory[0]
    assert kept < MANY * MOST_BYTES_A_ROW, f"{kept} bytes of {MANY} rows"
