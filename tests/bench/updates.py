"""Cart updates of a real server: how many a second, on each database. ``--size``: seconds."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests.bench.load import ORIGIN, Crowd, Page
from tests.bench.places import database, emulator, table
from tests.support.processes import ROKT_BFF, settings_for, started

SIZE = 8
CROWDS = (1, 4, 16)


def run(folder: Path, kinds: list[str], size: int) -> list[str]:
    """Measure and print; nothing was promised of this in numbers."""
    rows: list[list[object]] = [["database", *(f"{n} shoppers" for n in CROWDS)]]
    for kind in kinds:
        rows.append([kind, *(f"{rate:.0f}" for rate in measure(folder, kind, size))])
    table("updates: cart updates a second of one server", rows)
    return []


def measure(folder: Path, kind: str, size: int) -> list[float]:
    """Measure crowds of several sizes on one database."""
    with ExitStack() as stack:
        client, _ = stack.enter_context(emulator(folder))
        url = stack.enter_context(database(kind, folder))
        # One shopper may be faster than they are allowed to be.
        environ = settings_for(
            client.url, database_url=url, origins=ORIGIN, updates_per_second="1000000"
        )
        command = [ROKT_BFF, "serve", "--port", "0"]
        server = stack.enter_context(started(*command, folder=folder, environ=environ))
        base = server.wait_for(r"rokt-bff at (\S+)")
        rates = []
        for size_of_crowd in CROWDS:
            pages = [Page(base, number) for number in range(size_of_crowd)]
            crowd = Crowd([page.update for page in pages])
            crowd.rate(1.0)
            rates.append(crowd.rate(size))
            crowd.end()
        return rates
