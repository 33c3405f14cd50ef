"""``python -m tests.bench hanging|drain|updates|growth``: one benchmark, as a small table.

hanging  cart updates of a real server: alone, while Rokt answers, and while many reserves hang
drain    a backlog of confirms and two ``rokt-bff deliver``, on SQLite and on PostgreSQL
updates  cart updates a second of a real server, on both databases
growth   the cost of one update with few and with many sessions held

The machine is noisy, so what is compared is measured in turns within one run; none of this is
a test. Where less comes out than was promised (``hanging``, ``drain``) it says so and the exit
code is 1. ``--size`` makes a run smaller or larger.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import drain, growth, hanging, updates

KINDS = {"hanging": hanging, "drain": drain, "updates": updates, "growth": growth}


def main() -> int:
    """Run what the command line names; 1 when less comes out than was promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--size", type=int, help="shoppers, rows, seconds or sessions; see there")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    given = parser.parse_args()
    kinds = ["sqlite", "postgresql"] if given.database == "both" else [given.database]
    bench = KINDS[given.kind]
    with tempfile.TemporaryDirectory() as folder:
        short = bench.run(Path(folder), kinds, given.size or bench.SIZE)
    for one in short:
        print(one)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
