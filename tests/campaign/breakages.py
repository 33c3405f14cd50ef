"""Breaks one line in a copy of the package, whose test must then fail. Has the promises' lines."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import TOP
from tests.support.processes import clean

PARTS = ("bff", "static", "templates", "tests", "pyproject.toml")
# A test may hang because of the broken line, but must fail within this time.
PATIENCE = 170.0


@dataclass(frozen=True, slots=True)
class Breakage:
    """One line of ``bff/<module>``, which is there once, and its broken form."""

    module: str
    line: str
    instead: str

    def is_there(self) -> bool:
        """Tell whether the line is in the code, once."""
        lines = (TOP / "bff" / self.module).read_text().splitlines()
        return [line.strip() for line in lines].count(self.line) == 1


# By promise of the design.
BREAKAGES: Mapping[int, Breakage] = {
    1: Breakage(
        "outbox/settlement.py",
        "change(connection, row.id, State.CONFIRMING, State.REFUND_NEEDED)",
        "change(connection, row.id, State.CONFIRMING, State.CONFIRMED)",
    ),
    2: Breakage("web/guard.py", "_check_server(request, here.settings)", "pass"),
    3: Breakage(
        "cart/updates.py", "return update.seq <= cart.seen.get(update.page, {}).get(target, 0)",
        "return False",
    ),
    4: Breakage("cart/quote.py", "charged = [row for row in reserved if not row.is_dearer()]",
        "charged = reserved"),
    5: Breakage(
        "cart/renewal.py", "if row.expires_at is None or row.expires_at - now >= margin:",
        "if True:",
    ),
    6: Breakage("checkout/cancel.py", "if row.state is State.CONFIRMING:", "if False:"),
    7: Breakage(
        "rokt/transport.py", "self._timer = threading.Timer(limit, self._end)",
        # Just longer than the limits with their slack, because the test waits for it.
        "self._timer = threading.Timer(limit + 4, self._end)",
    ),
    8: Breakage(
        "rokt/client.py", "return Unknown(error.cause, str(error)), None",
        "return NotSent(error.cause, str(error)), None",
    ),
}  # fmt: skip


def is_noticed(promise: int, folder: Path) -> tuple[bool, str]:
    """Run a promise's test with its line broken. Returns whether it fails, and its output."""
    selection = ["tests/campaign/test_promises.py", "-k", f"test_promise_{promise}_"]
    return fails_with(BREAKAGES[promise], selection, folder)


def fails_with(breakage: Breakage, selection: Sequence[str], folder: Path) -> tuple[bool, str]:
    """Run these tests on a copy in ``folder`` with a line broken.

    Returns:
        Whether a test failed, and the output. A test that cannot be run has not failed.
    """
    ignored = shutil.ignore_patterns("__pycache__", "*.db", ".*_cache")
    for name in PARTS:
        source = TOP / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    path = folder / "bff" / breakage.module
    lines = path.read_text().splitlines(keepends=True)
    (found,) = (n for n, line in enumerate(lines) if line.strip() == breakage.line)
    indent = lines[found][: len(lines[found]) - len(lines[found].lstrip())]
    lines[found] = f"{indent}{breakage.instead}\n"
    path.write_text("".join(lines))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
    # One kind of database is enough: the lines are the same on both.
    command += ["--database", "sqlite", *selection]
    done = subprocess.run(
        command, cwd=folder, env=clean({"PYTHONPATH": str(folder)}), capture_output=True,
        text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    return done.returncode == 1 and "1 failed" in done.stdout, done.stdout + done.stderr
