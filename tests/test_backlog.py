"""A backlog of confirms and two workers: each order is confirmed by one call, in flat memory.

The benchmark ``drain`` does the same with ten thousand and with processes, and has the rate.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from bff.draining import Draining
from bff.store import Store
from tests.bench.drain import judge, owe
from tests.bench.places import emulator, start_over
from tests.databases import NewDatabase
from tests.emulator_client import Client
from tests.interfering import at_once
from tests.shopping import Shop

FEW, MANY = 20, 160
# The peak may be that of other rows, but not of eight times as many.
SLACK = 1.5


def drain(shop: Shop) -> None:
    """Work off what is due, as the worker does."""
    with Draining(shop.parts.checkout.delivery) as draining:
        while draining.step():
            pass


def test_many_rows_are_sent_once_each_and_need_no_more_memory_than_few(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    # In a process of its own, for its journal grows.
    with emulator(tmp_path) as (client, _):
        run = partial(drained, client, new_database, tmp_path)
        run(FEW)  # what is loaded once is no part of it
        few, many = run(FEW), run(MANY)
        client.http.close()
    assert many < few * SLACK, f"{few} bytes for {FEW} rows, {many} for {MANY}"


def drained(client: Client, new_database: NewDatabase, folder: Path, size: int) -> int:
    """Let two workers drain so many rows, and judge; returns the peak of memory meanwhile."""
    start_over(client)
    url = new_database()
    shops = [Shop(client, folder, {"ROKT_BFF_DATABASE_URL": url}) for _ in range(2)]
    for shop in shops:
        del shop.heard  # which keeps all that it hears
    with closing(Store(url)) as store:
        owe(store, client, size)
        works: list[Callable[[], None]] = [partial(drain, shop) for shop in shops]
        tracemalloc.start()
        at_once(works)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        for shop in shops:
            shop.close()
        _, calls, twice = judge(client, store, size)
    assert (calls, twice) == (size, 0)
    return peak
