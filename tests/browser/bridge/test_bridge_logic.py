"""The bridge's logic, tested in JavaScript: runs Node's own test runner on tests/browser/bridge."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import TOP

HERE = Path(__file__).parent
BRIDGE = TOP / "static" / "bridge" / "bridge.js"
LARGEST_BYTES = 4096  # gzipped as served, comments and all: a page pays it before the shopper pays
SECONDS = 120

# The first Node that takes a .js file with import and export for a module without being told.
OLDEST_NODE = (20, 19)


def node() -> str | None:
    """Return a Node that can run the tests, or None."""
    path = shutil.which("node")
    if path is None:
        return None
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    numbers = re.findall(r"\d+", version.stdout)
    return path if tuple(map(int, numbers[:2])) >= OLDEST_NODE else None


NODE = node()


@pytest.mark.skipif(
    NODE is None and os.environ.get("CI") != "true",
    reason="the bridge's logic needs Node 20.19 or later on the PATH",
)
@pytest.mark.parametrize("path", sorted((HERE).glob("*.test.js")), ids=lambda path: path.name)
def test_logic(path: Path) -> None:
    assert NODE is not None, "CI has no Node 20.19 or later, so the bridge is untested"
    command = [NODE, "--test", "--test-reporter=tap", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    ran = re.search(r"^# tests (\d+)$", done.stdout, re.MULTILINE)
    assert ran is not None
    assert int(ran[1]) > 1, done.stdout


def test_is_small_enough_to_ship_unminified() -> None:
    assert len(gzip.compress(BRIDGE.read_bytes(), compresslevel=9)) <= LARGEST_BYTES
