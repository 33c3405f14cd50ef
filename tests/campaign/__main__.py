"""``python -m tests.campaign [--brief|--long] [--only …]``: the table; 1 on a violation.

Every fault at every call and moment and every kill, on SQLite and PostgreSQL in turns, and each
promise's line of code broken. ``--brief``, the short form that CI runs: of each call, fault and
moment, and of each point that kills, one case instead of all its variants. ``--long``: everything
on both databases, under both answers to a repeated call, and two faults in a row.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Hashable, Sequence

from tests.campaign import cases, points
from tests.campaign.breakages import BREAKAGES
from tests.campaign.cases import DATABASES
from tests.campaign.runner import Broken, Played, run_all, table

# Cases wait more than they compute, a process that starts computes.
LANES = (os.cpu_count() or 1) + 2


def one_of_each(played: Sequence[Played], kinds: Sequence[Hashable]) -> Sequence[Played]:
    """Choose a case of each kind: the first variant, then another's second one, in turns."""
    variants: dict[Hashable, list[Played]] = {}
    for kind, case in zip(kinds, played, strict=True):
        variants.setdefault(kind, []).append(case)
    return [some[n % len(some)] for n, some in enumerate(variants.values())]


def main() -> int:
    """Run the campaign and print its table; 1 when there is a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--long", action="store_true", help="everything on both databases")
    parser.add_argument("--brief", action="store_true", help="one case of each kind")
    parser.add_argument("--only", choices=("grid", "kills", "promises"))
    parser.add_argument("--database", choices=DATABASES, help="only cases on this (default: both)")
    parser.add_argument("--match", default="", help="only cases with this in their name")
    parser.add_argument("--lanes", type=int, default=LANES, help=f"side by side ({LANES})")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)  # refunds are what half of the cases are about
    parts: dict[str, Sequence[Played]] = {
        "grid": cases.long() if given.long else cases.short(),
        "kills": points.long() if given.long else points.short(),
        "promises": [Broken(promise) for promise in BREAKAGES],
    }
    if given.brief:
        grid, kills = cases.short(), points.short()
        parts = {
            "grid": one_of_each(grid, [(case.endpoint, case.fault, case.moment) for case in grid]),
            "kills": one_of_each(kills, [kill.row for kill in kills]),
        }
    chosen = [
        case
        for name, part in parts.items()
        for case in part
        if given.only in (None, name)
        and given.database in (None, case.database)
        and given.match in case.name
    ]
    if not chosen:
        parser.error("there is no such case")
    start = time.monotonic()
    results = run_all(chosen, given.lanes, lambda text: print(text, flush=True))
    text, violations = table(results)
    print(text)
    print(f"{time.monotonic() - start:.0f} s")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
