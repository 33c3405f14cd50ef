"""Sends what is owed to Rokt, has it settled, and tells of the orders that are settled by it.

Used in line, for the first attempt, and by the worker for the rest. The call is made
between two transactions, never inside one; a lease on the row keeps everybody else away. One
transaction may write down many answers and claim as many rows: see ``bff.draining``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from bff.cart.order import Order, OrderStatus
from bff.config.settings import Settings
from bff.errors import StoreUnavailable
from bff.outbox import expiry as lapsing
from bff.outbox import queue as outbox
from bff.outbox.order_status import Listener, read_order
from bff.outbox.queue import OwedCall
from bff.outbox.renewal import Renewal
from bff.outbox.settlement import Settlement
from bff.rokt.calls import Kind
from bff.rokt.client import CartApi
from bff.rokt.outcomes import Cause, NotSent, Outcome, Refused, Unknown
from bff.store import orders as order_book
from bff.store.database import Store

log = logging.getLogger(__name__)


# No call to Rokt has ever been answered in less.
LEAST_TIME = 0.05


NO_TIME = "there was no time left to send it"


# Of the time limit of an attempt, what is kept for writing the answer down.
WRITING_SHARE = 0.1


LONGEST_SHARE = 0.25


# Between a call's end and its lease's, for writing the answer down.
LEASE_SLACK = 2.0


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that was made and not written down yet."""

    owed: OwedCall
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row to attempt. ``renews``: its items may have to be reserved again before."""

    owed: OwedCall
    renews: bool


class Delivery:
    """Attempts owed calls."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        api: CartApi,
        clock: Callable[[], datetime],
        watcher: Listener,
    ) -> None:
        self._settings = settings
        self._store = store
        self._api = api
        self._clock = clock
        self._watcher = watcher
        self._renewing = Renewal(settings, store, api, clock)
        self.settling = Settlement(settings, clock)

    def attempt(self, owed: OwedCall, *, limit: float, renews: bool = True) -> None:
        """Make one attempt at a claimed row, and write it down, within ``limit`` seconds.

        Raises ``StoreUnavailable``.
        """
        end = time.monotonic() + limit
        share = min(limit * WRITING_SHARE, LONGEST_SHARE)
        answered = self.make(owed, limit=limit - share, renews=renews)
        if answered is not None:
            self.write(answered, wait=max(end - time.monotonic(), LEAST_TIME))

    def make(
        self, owed: OwedCall, *, limit: float | None = None, renews: bool = True
    ) -> Answered | None:
        """Make one attempt at a claimed row, within ``limit`` seconds (by default confirm's).

        Returns what is to be written down by ``write`` or ``turn``, None when nothing was sent.
        Raises ``StoreUnavailable``. What else goes wrong is an outcome too: else the row would
        come again for ever, and never reach its deadline.
        """
        end = time.monotonic() + (self._settings.confirm_timeout if limit is None else limit)
        try:
            return self._make(owed, end, renews)
        except StoreUnavailable:
            raise
        except Exception as error:
            return Answered(owed, NotSent(Cause.OWN_ERROR, _failed(owed, error)))

    def _make(self, owed: OwedCall, end: float, renews: bool) -> Answered | None:
        if not (renews and owed.call.kind is Kind.CONFIRM):
            answered: Answered | None = self._send(owed, end)
        else:
            answered = self._renew_and_send(owed, end)
        if answered is not None and self._is_lapsed(answered):
            return self._renew_and_send(answered.owed, end)
        return answered

    def _renew_and_send(self, owed: OwedCall, end: float) -> Answered | None:
        """Send a confirm, made ready before; None when there is nothing to send now."""
        left = _time_left(owed, end)
        if left < LEAST_TIME:
            return Answered(owed, NotSent(Cause.NO_TIME, NO_TIME))
        prepared = self._renewing.prepare(owed, limit=left)
        if prepared.changed and owed.order_id is not None:
            self.tell(owed.order_id)
        return None if prepared.owed is None else self._send(prepared.owed, end)

    def _send(self, owed: OwedCall, end: float) -> Answered:
        left = _time_left(owed, end)
        if left < LEAST_TIME:
            # Rather than a call that would be cut off, and that nobody knew anything of.
            return Answered(owed, NotSent(Cause.NO_TIME, NO_TIME))
        try:
            outcome = self._api.send(
                owed.call, limit=left, number=owed.attempts, session_id=owed.session_id
            )
        except Exception as error:
            outcome = Unknown(Cause.OWN_ERROR, _failed(owed, error))
        return Answered(owed, outcome)

    def _is_lapsed(self, answered: Answered) -> bool:
        """Tell whether Rokt says, and is to be believed, that what is confirmed has expired."""
        owed, outcome = answered.owed, answered.outcome
        if not isinstance(outcome, Refused) or not lapsing.may_be_lapsed(owed, outcome):
            return False
        with self._store.write() as connection:
            return lapsing.take_for_lapsed(connection, owed, outcome, self._clock())

    def write(self, answered: Answered, *, wait: float | None = None) -> None:
        """Write one answer down. One that cannot be written is as good as none: tried again.

        ``wait``: see ``Store.write``. Raises ``StoreUnavailable``.
        """
        try:
            self.turn([answered], claim=0, wait=wait)
        except StoreUnavailable:
            raise
        except Exception as error:
            outcome = Unknown(Cause.OWN_ERROR, _failed(answered.owed, error))
            self.turn([replace(answered, outcome=outcome)], claim=0, wait=wait)

    def turn(
        self,
        answered: Sequence[Answered],
        *,
        claim: int,
        due_by: datetime | None = None,
        wait: float | None = None,
    ) -> list[Claimed]:
        """Write down answers, and claim up to so many rows that are due, in one transaction.

        ``due_by``: see ``outbox.claim_some``.
        """
        if not answered and not self._is_due(claim, due_by):
            return []
        with self._store.write(wait=wait) as connection:
            changed = [
                one.owed.order_id
                # By orders, in one order: no two workers wait for each other.
                for one in sorted(answered, key=lambda one: one.owed.order_id or "")
                if self.settling.settle(connection, one.owed, one.outcome)
            ]
            # Not before: leases begin when all that had to be waited for is over.
            now = self._clock()
            claimed = outbox.claim_some(connection, now=now, most=claim, due_by=due_by)
            to_renew = lapsing.to_look_at(connection, claimed, now)
        self._tell_of([one for one in dict.fromkeys(changed) if one is not None])
        return [Claimed(owed, renews=owed.id in to_renew) for owed in claimed]

    def run_once(self) -> int:
        """Attempt everything that is due now, one after another; returns how many rows that was.

        Raises ``StoreUnavailable``.
        """
        count, due_by = 0, self._clock()
        while claimed := self.turn([], claim=1, due_by=due_by):
            for one in claimed:
                self.attempt(one.owed, limit=self._settings.confirm_timeout, renews=one.renews)
                count += 1
        return count

    def _is_due(self, claim: int, due_by: datetime | None) -> bool:
        """Look first, which spares an idle database the write lock."""
        if claim <= 0:
            return False
        with self._store.read() as connection:
            return outbox.is_due(connection, now=self._clock(), due_by=due_by)

    def tell(self, order_id: str) -> None:
        """Tell those who watch where an order stands, unless it is still being confirmed."""
        with self._store.read() as connection:
            order = self._read_to_tell(connection, order_id)
        if order is not None:
            self._tell(order)

    def _tell_of(self, order_ids: Sequence[str]) -> None:
        """Tell of orders that are written down, which is what matters: it raises nothing."""
        if not order_ids:
            return
        found: list[Order | None] = []
        try:
            with self._store.read() as connection:
                found = [self._read_to_tell(connection, order_id) for order_id in order_ids]
        except StoreUnavailable as error:
            log.error("%d orders are settled, and nobody is told: %s", len(order_ids), error)
        for order in found:
            if order is not None:
                self._tell(order)

    def _read_to_tell(self, connection: Connection, order_id: str) -> Order | None:
        row = order_book.find_order(connection, order_id)
        if row is None or row.status is OrderStatus.CONFIRMING:
            return None
        if row.status is not OrderStatus.REFUND_NEEDED and not self._watcher.hears_of_orders():
            return None
        return read_order(connection, order_id)

    def _tell(self, order: Order) -> None:
        if order.status is OrderStatus.REFUND_NEEDED:
            log.error("order %r needs a refund: %s", order.order_id, order.last_error)
        self._watcher.order_settled(order)


def _time_left(owed: OwedCall, end: float) -> float:
    """Return the seconds that a call may take: until ``end``, and while the lease holds.

    Who has waited longer than that before sending must not: somebody else has the row by now.
    """
    return min(end, owed.until - LEASE_SLACK) - time.monotonic()


def _failed(owed: OwedCall, error: Exception) -> str:
    """Say, and log, what kept an attempt from ending as it should: a fault of ours.

    Without the error's text, which may hold a shopper's data.
    """
    what = type(error).__name__
    log.error("a %s of order %r failed on %s", owed.call.kind, owed.order_id, what)
    return f"it failed here, on {what}"
