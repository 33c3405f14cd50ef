"""The worker: delivers owed calls, sweeps abandoned reservations, purges old rows.

A server runs it in a thread, and ``flask rokt deliver`` runs it by itself. Any number may run on
one database. The sweep and the purge run in bounded steps. Due calls are delivered between two
steps, so neither waits for the other to end.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from bff.errors import StoreUnavailable
from bff.outbox.delivery import Delivery
from bff.outbox.senders import SenderPool

log = logging.getLogger(__name__)

# How many seconds the loop rests when nothing is due. A shopper who waits on the thanks page sees
# the confirmation within a second or two, and an idle database has two queries a second.
REST = 0.5

# Reservations last minutes, so half a minute more for an abandoned one matters little.
SWEEP_EVERY = 30.0

PURGE_EVERY = 3600.0

# Work in bounded steps: each ``next`` does one, and returns how many rows it changed.
Steps = Callable[[], Iterator[int]]


@dataclass(slots=True)
class _Chore:
    due: float
    every: float
    begin: Steps
    under_way: Iterator[int] | None = None

    def do_a_step(self, now: float) -> bool:
        """Do one step. False: there was none to do."""
        if self.under_way is None:
            if now < self.due:
                return False
            self.under_way = self.begin()
            self.due = now + self.every
        steps, self.under_way = (
            self.under_way,
            None,
        )  # after an error it starts again when it is due
        for _ in steps:
            self.under_way = steps
            return True
        return False


class Worker:
    """Works until it is stopped, and finishes the calls under way."""

    def __init__(
        self,
        delivery: Delivery,
        sweep: Steps,
        purge: Steps,
        clock: Callable[[], datetime],
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._delivery = delivery
        self._sweep = sweep
        self._purge = purge
        self._clock = clock
        self._tick = tick
        self._chores = (_Chore(tick(), SWEEP_EVERY, sweep), _Chore(tick(), PURGE_EVERY, purge))

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set. An error with one row does not end it."""
        with SenderPool(self._delivery) as pool:
            while not stop.is_set():
                if not self._work(pool):
                    stop.wait(REST)

    def start(self) -> Callable[[], None]:
        """Run in a thread. The result stops it, and returns when the calls under way have ended."""
        stop = threading.Event()
        thread = threading.Thread(target=self.run, args=[stop], name="rokt-bff worker")
        thread.start()

        def end() -> None:
            stop.set()
            thread.join()

        return end

    def deliver_once(self, stop: threading.Event) -> tuple[int, int]:
        """Sweep, then attempt once each call that is due; return how many items and calls.

        ``stop`` ends it early, after the calls under way.
        """
        given_back = self._all_of(self._sweep, stop)
        due_by = self._clock()
        with SenderPool(self._delivery) as pool:
            while not stop.is_set() and pool.step(due_by):
                pass
        return given_back, pool.attempts

    def purge_once(self) -> tuple[int, int]:
        """Sweep, then purge; return how many items were given back, and rows deleted.

        A session is not purged while Rokt holds an item for it.
        """
        never = threading.Event()
        return self._all_of(self._sweep, never), self._all_of(self._purge, never)

    @staticmethod
    def _all_of(work: Steps, stop: threading.Event) -> int:
        count = 0
        for number in work():
            count += number
            if stop.is_set():
                break
        return count

    def _work(self, pool: SenderPool) -> bool:
        """Deliver due calls, and do one step of each chore. False: there was nothing to do."""
        busy = self._guarded(pool.step)
        for chore in self._chores:
            busy |= self._guarded(partial(chore.do_a_step, self._tick()))
        return busy

    @staticmethod
    def _guarded(work: Callable[[], bool]) -> bool:
        try:
            return work()
        except StoreUnavailable as error:
            log.error("the worker waits for the database: %s", error)
        except Exception as error:
            # One bad row must not stop the others. Its lease expires, and it is attempted again.
            # The error's message is left out: it may hold personal data.
            log.error("an attempt failed on %s; the worker goes on", type(error).__name__)
        return False
