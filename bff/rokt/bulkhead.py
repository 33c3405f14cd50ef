"""A bulkhead: limits how many threads of the server can wait for Rokt.

A request that waits for Rokt occupies a thread. Two limits apply: the calls that run at a time,
and the requests that wait. A request waits for a slot, for another reserve of its session, or for
the seconds that Rokt asked for before a second attempt. A request beyond the second limit goes on
without Rokt at once (reason ``busy``). The other threads stay free for requests that need no call,
such as cart updates.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Bulkhead:
    """Slots for calls, and slots for requests that wait. Safe to use from many threads.

    Args:
        calls: How many calls may run at a time.
        waiting: How many requests may wait at a time.
    """

    def __init__(self, calls: int, waiting: int) -> None:
        self._calls = threading.BoundedSemaphore(calls)
        self._waiting = threading.BoundedSemaphore(waiting)

    @contextmanager
    def slot(self, limit: float) -> Iterator[bool]:
        """Take a slot for one call; it is freed at the end of the block.

        Args:
            limit: The seconds to wait for a slot.

        Yields:
            False if no slot became free in time, or too many requests wait already.
        """
        taken = self._take(limit)
        try:
            yield taken
        finally:
            if taken:
                self._calls.release()

    @contextmanager
    def waiting_slot(self) -> Iterator[bool]:
        """Count the block as waiting. Yields False if too many requests wait already."""
        taken = self._waiting.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._waiting.release()

    def _take(self, limit: float) -> bool:
        if limit <= 0:
            return False
        if self._calls.acquire(blocking=False):
            return True
        with self.waiting_slot() as waits:
            return waits and self._calls.acquire(timeout=limit)
