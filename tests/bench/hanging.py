"""Cart updates of a real server: nobody else there, Rokt well, and Rokt hanging, in turns.

What is compared is the same load with another Rokt: some shoppers update their carts as fast as
they are answered, and others reserve, each every few seconds whatever became of the last time.
When Rokt hangs six of these have a place at it, six wait for one, and the rest are told ``busy``.
``--size``: shoppers who reserve.

Nine tenths of the updates must be left, of what they were with Rokt well, and of what they were
with nobody else there too, although those who reserve are work of their own.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from tests.bench.load import ORIGIN, Crowd, Page
from tests.bench.places import database, emulator, table
from tests.support.processes import ROKT_BFF, settings_for, started

SIZE = 32
UPDATERS = 4
ROUNDS = 5
SECONDS = 5.0
# Before each measurement: until those who reserve are where they would be in the long run.
SETTLING = 3.0
# Longer than a reserve may take, so that as many come when Rokt hangs as when it is well.
EVERY = 8.0
HANG = {"kind": "hang", "seconds": 60, "times": None}
LEAST = 0.9
NAMES = ("database", "alone", "Rokt well", "Rokt hangs", "hangs / alone", "hangs / well", "lowest")


def run(folder: Path, kinds: list[str], size: int) -> list[str]:
    """Measure and print; returns which ratios are too low."""
    rows: list[list[object]] = [list(NAMES)]
    low: list[str] = []
    for kind in kinds:
        rounds = measure(folder, kind, size)
        ratios = {
            "hangs / alone": [hangs / alone for alone, _, hangs in rounds],
            "hangs / well": [hangs / well for _, well, hangs in rounds],
        }
        rates = [f"{median(one[n] for one in rounds):.0f}" for n in range(3)]
        medians = {name: median(found) for name, found in ratios.items()}
        lowest = min(min(found) for found in ratios.values())
        rows.append([kind, *rates, *(f"{x:.2f}" for x in medians.values()), f"{lowest:.2f}"])
        low += [
            f"{kind}: {name} is {found:.2f}, less than {LEAST}"
            for name, found in medians.items()
            if found < LEAST
        ]
    title = f"hanging: updates a second of {UPDATERS} shoppers, while {size} others reserve"
    table(f"{title} every {EVERY:.0f} s; medians of {ROUNDS} rounds", rows)
    return low


def measure(folder: Path, kind: str, size: int) -> list[tuple[float, float, float]]:
    """Measure on one database; gives the three rates of each round."""
    with ExitStack() as stack:
        client, _ = stack.enter_context(emulator(folder))
        url = stack.enter_context(database(kind, folder))
        # What one shopper may send is no part of the question.
        environ = settings_for(
            client.url, database_url=url, origins=ORIGIN, updates_per_second="1000000"
        )
        command = [ROKT_BFF, "serve", "--port", "0"]
        server = stack.enter_context(started(*command, folder=folder, environ=environ))
        base = server.wait_for(r"rokt-bff at (\S+)")
        pages = [Page(base, number) for number in range(UPDATERS)]
        buyers = [Page(base, number) for number in range(100, 100 + size)]
        updates = Crowd([page.update for page in pages])
        rounds: list[tuple[float, float, float]] = []
        for _ in range(ROUNDS):
            updates.rate(SETTLING)
            alone = updates.rate(SECONDS)
            reserving = Crowd([partial(try_to_buy, one) for one in buyers], every=EVERY)
            updates.rate(EVERY + SETTLING)
            well = updates.rate(SECONDS)
            client.faults("reserve", HANG)
            updates.rate(EVERY + SETTLING)
            hangs = updates.rate(SECONDS)
            client.put("faults", {})
            reserving.end()
            rounds.append((alone, well, hangs))
        updates.end()
        return rounds


def try_to_buy(page: Page) -> None:
    """Change something, so that there is something to ask Rokt for, and reserve."""
    page.update()
    page.reserve()
