"""``python -m tests.campaign [--long] [--only grid|kills] [--match …]``: the table, exit code 1."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time

from tests.breaking import BREAKAGES
from tests.campaign import cases, points
from tests.campaign.runner import Broken, Played, run_all, table

# Cases wait more than they compute, a process that starts computes.
LANES = (os.cpu_count() or 1) + 2


def main() -> int:
    """Run the campaign and print its table; 1 when there is a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument(
        "--long", action="store_true", help="with combinations, PostgreSQL and broken code"
    )
    parser.add_argument("--only", choices=("grid", "kills"))
    parser.add_argument("--match", default="", help="only cases with this in their name")
    parser.add_argument("--lanes", type=int, default=LANES, help=f"side by side ({LANES})")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)  # refunds are what half of the cases are about
    grid = cases.long() if given.long else cases.short()
    killed = points.long() if given.long else points.short()
    chosen: list[Played] = []
    if given.only != "kills":
        chosen += grid
    if given.only != "grid":
        chosen += killed
    if given.long and given.only is None:
        chosen += [Broken(promise) for promise in BREAKAGES]
    chosen = [case for case in chosen if given.match in case.name]
    start = time.monotonic()
    results = run_all(chosen, given.lanes, lambda text: print(text, flush=True))
    text, violations = table(results)
    print(text)
    print(f"{time.monotonic() - start:.0f} s")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
