"""``python -m tests.campaign [--brief|--long] [--only …]``: prints a table.

By default it runs every fault at every call and moment, every kill, and each promise with a line
of its code broken. The cases alternate between SQLite and PostgreSQL.

``--brief``, which CI runs, has one case of each call, fault and moment, and of each kind of kill.
``--long`` has everything on both databases, under both responses to a repeated call, and two faults
in a row.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterator

from tests.campaign import cases, points
from tests.campaign.breakages import BREAKAGES
from tests.campaign.cases import DATABASES
from tests.campaign.runner import Broken, Campaign, Played, run_all, table

# Cases wait more than they compute, a process that starts computes.
LANES = (os.cpu_count() or 1) + 2


def choose(given: argparse.Namespace, campaign: Campaign) -> Iterator[Played]:
    """Choose the cases of this form, and of the parts that are asked for."""
    if given.only in (None, "grid"):
        grid = cases.long() if given.long else cases.short()
        kinds = [(case.endpoint, case.fault, case.moment) for case in grid]
        yield from points.one_of_each(grid, kinds) if given.brief else grid
    if given.only in (None, "kills"):
        operations = campaign.dry_runs(points.VERBS)
        kills = points.long(operations) if given.long else points.short(operations)
        yield from (
            points.one_of_each(kills, [kill.kind for kill in kills]) if given.brief else kills
        )
    if given.only in (None, "promises") and not given.brief:
        yield from map(Broken, BREAKAGES)


def main() -> int:
    """Run the campaign and print its table; 1 when there is a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--long", action="store_true", help="everything on both databases")
    form.add_argument("--brief", action="store_true", help="one case of each kind")
    parser.add_argument("--only", choices=("grid", "kills", "promises"))
    parser.add_argument("--database", choices=DATABASES, help="only cases on this (default: both)")
    parser.add_argument("--match", default="", help="only cases with this in their name")
    parser.add_argument("--lanes", type=int, default=LANES, help=f"side by side ({LANES})")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)  # refunds are what half of the cases are about
    start = time.monotonic()
    with Campaign(given.lanes) as campaign:
        chosen = [
            case
            for case in choose(given, campaign)
            if given.database in (None, case.database) and given.match in case.name
        ]
        if not chosen:
            parser.error("there is no such case")
        results = run_all(campaign, chosen, lambda text: print(text, flush=True))
    text, violations = table(results)
    print(text)
    print(f"{time.monotonic() - start:.0f} s")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
