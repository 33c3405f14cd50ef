"""Delivers owed calls, several at a time, with few transactions.

One thread uses the database, and a pool of senders makes the calls. One transaction settles the
calls that ended meanwhile, and claims as many rows as senders are free. So the faster Rokt
responds, the more calls share a commit. A row is claimed only when it is sent at once, so a crash
leaves leases only of calls that were under way.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Self

from bff.errors import StoreUnavailable
from bff.outbox.delivery import Answered, Delivery

log = logging.getLogger(__name__)

# Calls at a time. Rokt responds within some tenths of a second, so eight senders make some tens of
# calls a second. Many more would not help a Rokt that recovers from an outage.
SENDERS = 8

# The seconds to wait for a response before looking for other rows that are due.
PATIENCE = 0.5


class SenderPool:
    """The senders of one worker, as a context manager. At its end the calls under way finish."""

    def __init__(self, delivery: Delivery, senders: int = SENDERS) -> None:
        self._delivery = delivery
        self._senders = senders
        self._pool = ThreadPoolExecutor(senders, thread_name_prefix="rokt-bff sender")
        self._under_way: set[Future[Answered | None]] = set()
        self._answered: list[Answered] = []
        self.attempts = 0  # so far, with those under way

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._collect(timeout=None)
        try:
            self._settle(claim=False)
        except StoreUnavailable as error:  # their leases expire, and they are attempted again
            log.error("%d outcomes are not written: %s", len(self._answered), error)

    def step(self, due_by: datetime | None = None) -> bool:
        """Settle calls that ended, and send rows that are due. False: there was nothing to do.

        After ``StoreUnavailable`` the outcomes are written by a later step.
        """
        self._settle(claim=True, due_by=due_by)
        if not self._under_way:
            return False
        self._collect(timeout=PATIENCE)
        return True

    def _settle(self, *, claim: bool, due_by: datetime | None = None) -> None:
        free = self._senders - len(self._under_way) if claim else 0
        answered = self._answered
        try:
            claimed = self._delivery.settle_and_claim(answered, claim=free, due_by=due_by)
        except StoreUnavailable:
            raise
        except Exception as error:
            # One bad row must not stop the others: they are settled one by one.
            self._answered = []
            log.error("%d calls are settled one by one: %s", len(answered), type(error).__name__)
            self._one_by_one(answered)
            return
        self._answered = []
        for one in claimed:
            self._under_way.add(self._pool.submit(self._delivery.make, one.owed, renews=one.renews))
        self.attempts += len(claimed)

    def _one_by_one(self, answered: Sequence[Answered]) -> None:
        for one in answered:
            try:
                self._delivery.settle(one)
            except Exception as error:
                _log_failure(error)

    def _collect(self, timeout: float | None) -> None:
        """Wait for one call to end, or for all without a timeout, and take the outcomes."""
        which = ALL_COMPLETED if timeout is None else FIRST_COMPLETED
        done, self._under_way = wait(self._under_way, timeout, which)
        for future in done:
            error = future.exception()
            if error is None:
                answered = future.result()
                if answered is not None:
                    self._answered.append(answered)
            elif isinstance(error, Exception):
                _log_failure(error)
            else:
                raise error


def _log_failure(error: Exception) -> None:
    """Log a row's error. Its lease expires, and the row is attempted again.

    The error's message is left out: it may hold personal data.
    """
    log.error("an attempt failed on %s; the worker goes on", type(error).__name__)
