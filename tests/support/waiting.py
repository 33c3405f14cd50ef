"""Waits for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

# A busy machine may take this long. A test that waits longer has failed.
PATIENCE = 60.0
# What a busy machine may add to a time limit.
SLACK = 30.0
# Far longer than any limit and that slack: only the limit can have ended it.
FOR_EVER = 120.0


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until a condition holds. Fails when it does not hold in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"the condition did not hold within {seconds:g} s"
        time.sleep(0.01)
