"""Works off owed calls, several at a time, with few transactions.

One thread speaks to the database and a few make the calls. In one transaction it writes down
what was answered meanwhile and claims as many rows as senders are free: the faster Rokt answers,
the more of them share a commit. Nothing is claimed that is not sent at once, so the leases that
a crash leaves behind are those of calls that were under way.
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


# Calls at a time. Rokt answers in some tenths of a second, so eight are some tens a second for
# each worker; many more would be no help to a Rokt that comes back after an outage.
SENDERS = 8


# How long to wait for an answer before looking for other work that is due.
PATIENCE = 0.5


class SenderPool:
    """One worker's senders. Use as a context manager: at the end the calls under way finish."""

    def __init__(self, delivery: Delivery, senders: int = SENDERS) -> None:
        self._delivery = delivery
        self._senders = senders
        self._pool = ThreadPoolExecutor(senders, thread_name_prefix="rokt-bff sender")
        self._under_way: set[Future[Answered | None]] = set()
        self._answered: list[Answered] = []
        self.attempts = 0  # so far, those under way among them

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._collect(timeout=None)
        try:
            self._write(claim=False)
        except StoreUnavailable as error:  # the rows' leases run out, and they come again
            log.error("%d answers are not written down: %s", len(self._answered), error)

    def step(self, due_by: datetime | None = None) -> bool:
        """Write down what was answered, send what is due; False when there was nothing to do.

        ``due_by``: see ``outbox.claim_some``. Raises ``StoreUnavailable``; what was answered is
        then written down by a later step.
        """
        self._write(claim=True, due_by=due_by)
        if not self._under_way:
            return False
        self._collect(timeout=PATIENCE)
        return True

    def _write(self, *, claim: bool, due_by: datetime | None = None) -> None:
        free = self._senders - len(self._under_way) if claim else 0
        answered = self._answered
        try:
            claimed = self._delivery.turn(answered, claim=free, due_by=due_by)
        except StoreUnavailable:
            raise
        except Exception as error:
            # Whatever is wrong with one of them, the others' orders are paid too.
            self._answered = []
            log.error("%d answers are written one by one: %s", len(answered), type(error).__name__)
            self._one_by_one(answered)
            return
        self._answered = []
        for one in claimed:
            self._under_way.add(self._pool.submit(self._delivery.make, one.owed, renews=one.renews))
        self.attempts += len(claimed)

    def _one_by_one(self, answered: Sequence[Answered]) -> None:
        for one in answered:
            try:
                self._delivery.write(one)
            except Exception as error:
                # Its lease runs out and it comes again. The text may hold a shopper's data.
                log.error("an attempt failed on %s; the worker goes on", type(error).__name__)

    def _collect(self, timeout: float | None) -> None:
        """Take the answers that have come; waits for one, or for all without a time limit."""
        which = ALL_COMPLETED if timeout is None else FIRST_COMPLETED
        done, self._under_way = wait(self._under_way, timeout, which)
        for future in done:
            error = future.exception()
            if error is None:
                answer = future.result()
                if answer is not None:
                    self._answered.append(answer)
            elif isinstance(error, Exception):
                log.error("an attempt failed on %s; the worker goes on", type(error).__name__)
            else:
                raise error
