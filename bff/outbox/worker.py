"""The worker: delivers what is owed, sweeps what was left behind, purges what is over.

One loop for the thread inside a server and for ``flask rokt deliver`` beside many. Any number
may run on one database. Sweeping and purging come in bounded steps, and between two of them a
call that is due is delivered: neither waits for the other's end.
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


# How long the loop rests when nothing is due: a shopper who waits for a confirmation on the
# thanks page sees it within a second or two, and an idle database is asked twice a second.
REST = 0.5


# Reservations last minutes; half a minute more or less of one left behind matters little.
SWEEP_EVERY = 30.0


PURGE_EVERY = 3600.0


# Work in bounded steps: each `next` is one of them, and says how many rows it was about.
Steps = Callable[[], Iterator[int]]


@dataclass(slots=True)
class _Chore:
    due: float
    every: float
    begin: Steps
    under_way: Iterator[int] | None = None

    def do_a_step(self, now: float) -> bool:
        """Do one step where there is one to do; False when there is none."""
        if self.under_way is None:
            if now < self.due:
                return False
            self.under_way = self.begin()
            self.due = now + self.every
        steps, self.under_way = self.under_way, None  # what fails is begun anew when it is due
        for _ in steps:
            self.under_way = steps
            return True
        return False


class Worker:
    """Works until it is told to stop; the calls under way are finished first."""

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
        """Work until ``stop`` is set. Nothing that goes wrong with one row ends it."""
        with SenderPool(self._delivery) as draining:
            while not stop.is_set():
                if not self._work(draining):
                    stop.wait(REST)

    def start(self) -> Callable[[], None]:
        """Run in a thread. Returns what stops it: calls under way end, and then it returns."""
        stop = threading.Event()
        thread = threading.Thread(target=self.run, args=[stop], name="rokt-bff worker")
        thread.start()

        def end() -> None:
            stop.set()
            thread.join()

        return end

    def deliver_once(self, stop: threading.Event) -> tuple[int, int]:
        """Give back what was left behind, then attempt once each call that is due.

        Ends early when ``stop`` is set; the calls under way are finished. Returns how many items
        were given back, and how many calls attempted. Raises ``StoreUnavailable``.
        """
        given_back = self._all_of(self._sweep, stop)
        due_by = self._clock()
        with SenderPool(self._delivery) as draining:
            while not stop.is_set() and draining.step(due_by):
                pass
        return given_back, draining.attempts

    def purge_once(self) -> tuple[int, int]:
        """Give back what was left behind, and delete what is over; returns how many of each.

        In this order: what Rokt holds for a session keeps it from being purged. Raises
        ``StoreUnavailable``.
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

    def _work(self, draining: SenderPool) -> bool:
        """Deliver calls that are due, and do one step of each chore; False if there was none."""
        busy = self._guarded(draining.step)
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
            # Whatever is wrong with one row, the others' orders are paid too. Its lease runs
            # out and it comes again. The error's text may hold a shopper's data.
            log.error("an attempt failed on %s; the worker goes on", type(error).__name__)
        return False
