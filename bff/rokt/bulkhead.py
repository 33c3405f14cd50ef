"""Places for calls to Rokt, and a waiting room before them: how many threads Rokt can hold up.

A request that waits for Rokt keeps a thread of the server. So not only the calls under way are
counted but also who waits for one: for a place, for another request of the same session, for
the time that Rokt asked for before a second attempt. Whoever finds the waiting room full is told
so at once, and goes on without Rokt (reason ``busy``). The threads beyond ``calls + waiting``
stay with those who do not need Rokt: a cart's updates go on however long Rokt hangs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Places:
    """``calls`` at a time, and ``waiting`` who wait for one. Safe to use from many threads."""

    def __init__(self, calls: int, waiting: int) -> None:
        self._calls = threading.BoundedSemaphore(calls)
        self._waiting = threading.BoundedSemaphore(waiting)

    @contextmanager
    def place(self, limit: float) -> Iterator[bool]:
        """Take a place for the length of the block, within ``limit`` seconds.

        Yields False when there was none in time, or too many wait already.
        """
        if not self._take(limit):
            yield False
            return
        try:
            yield True
        finally:
            self._calls.release()

    @contextmanager
    def room(self) -> Iterator[bool]:
        """Be in the waiting room for the length of the block; yields False when it is full."""
        if not self._waiting.acquire(blocking=False):
            yield False
            return
        try:
            yield True
        finally:
            self._waiting.release()

    def _take(self, limit: float) -> bool:
        if limit <= 0:
            return False
        if self._calls.acquire(blocking=False):
            return True
        with self.room() as waits:
            return waits and self._calls.acquire(timeout=limit)
