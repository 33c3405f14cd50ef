"""Cart updates of a real server, alone and while Rokt hangs under many reserves, in turns.

``--size``: shoppers who reserve, again and again, a second apart. Six have a place at Rokt and
six wait for one; the others are told ``busy`` at once.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from tests.bench.load import ORIGIN, Crowd, Page
from tests.bench.places import database, emulator, table
from tests.processes import ROKT_BFF, settings_for, started

SIZE = 24
UPDATERS = 4
ROUNDS = 5
SECONDS = 4.0
# Between two reserves of one shopper: somebody who tries again as soon as they are told.
PAUSE = 1.0
HANG = {"kind": "hang", "seconds": 60, "times": None}


def run(folder: Path, kinds: list[str], size: int) -> None:
    """Measure and print."""
    rows: list[list[object]] = [
        ["database", "alone", "Rokt well", "Rokt hangs", "hangs / alone", "hangs / well"]
    ]
    for kind in kinds:
        rows.append(measure(folder, kind, size))
    title = f"hanging: updates a second of {UPDATERS} shoppers, while {size} others reserve"
    table(title, rows)


def measure(folder: Path, kind: str, size: int) -> list[object]:
    """Measure on one database; give the medians of the rounds, and of their ratios."""
    with ExitStack() as stack:
        client, _ = stack.enter_context(emulator(folder))
        url = stack.enter_context(database(kind, folder))
        environ = settings_for(client.url, database_url=url, origins=ORIGIN)
        command = [ROKT_BFF, "serve", "--port", "0"]
        server = stack.enter_context(started(*command, folder=folder, environ=environ))
        base = server.wait_for(r"rokt-bff at (\S+)")
        pages = [Page(base, number) for number in range(UPDATERS)]
        buyers = [Page(base, number) for number in range(100, 100 + size)]
        updates = Crowd([page.update for page in pages])
        updates.rate(1.0)
        rounds: list[tuple[float, float, float]] = []
        for _ in range(ROUNDS):
            alone = updates.rate(SECONDS)
            reserving = Crowd([partial(try_to_buy, one) for one in buyers], PAUSE)
            updates.rate(1.0)
            well = updates.rate(SECONDS)
            client.faults("reserve", HANG)
            updates.rate(1.0)
            hangs = updates.rate(SECONDS)
            client.put("faults", {})
            reserving.end()
            rounds.append((alone, well, hangs))
        updates.end()
        return [
            kind,
            *(f"{median(one[n] for one in rounds):.0f}" for n in range(3)),
            f"{median(hangs / alone for alone, _, hangs in rounds):.2f}",
            f"{median(hangs / well for _, well, hangs in rounds):.2f}",
        ]


def try_to_buy(page: Page) -> None:
    """Change something, so that there is something to ask Rokt for, and reserve."""
    page.update()
    page.reserve()
