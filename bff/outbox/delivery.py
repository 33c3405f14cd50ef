"""Attempts an owed call: sends it, settles its outcome, and tells listeners of settled orders.

The checkout uses it for the first attempt, the worker for the others. The call is made between
two transactions, never inside one; the lease keeps other processes from the row. One transaction
may settle many calls and claim as many rows: see ``bff.outbox.senders``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from bff.cart.order import Order, OrderStatus
from bff.cart.renewal import ABOUT_TO_LAPSE
from bff.config.settings import Settings
from bff.errors import StoreUnavailable
from bff.outbox.expiry import lapsed_by, may_be_lapsed
from bff.outbox.order_status import Listener, notify, read_order, view
from bff.outbox.queue import Outbox, OwedCall, mark_not_sending
from bff.outbox.renewal import Renewal
from bff.outbox.settlement import Settlement
from bff.rokt.calls import Kind
from bff.rokt.client import CartApi
from bff.rokt.outcomes import Cause, NotSent, Outcome, Refused, Unknown
from bff.store.database import Store
from bff.store.orders import find_order
from bff.store.reservations import change, ids_to_renew, rows_by_id

log = logging.getLogger(__name__)

# Rokt has never responded in less.
LEAST_TIME = 0.05
NO_TIME = "there was no time left to send it"
# The part of an attempt's time limit that is kept for settling, and its most in seconds.
SETTLING_SHARE = 0.1
LONGEST_SHARE = 0.25
# The seconds between the end of a call and the end of its lease, for settling.
LEASE_SLACK = 2.0


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that was made, and is not settled yet."""

    owed: OwedCall
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row to attempt. ``renews``: its items may have to be reserved again first."""

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
        outbox: Outbox,
        listener: Listener,
    ) -> None:
        self._settings = settings
        self._store = store
        self._api = api
        self._clock = clock
        self._outbox = outbox
        self._listener = listener
        self._renewal = Renewal(settings, store, api, clock, outbox)
        self._settlement = Settlement(outbox, clock)

    def attempt_all(self, owed: Sequence[OwedCall], *, limit: float) -> None:
        """Attempt these calls within ``limit`` seconds; the worker has those that fail."""
        end = time.monotonic() + limit
        for one in owed:
            self.attempt(one, limit=end - time.monotonic())

    def attempt(self, owed: OwedCall, *, limit: float, renews: bool = True) -> Order | None:
        """Make one attempt at a claimed row, and settle it, within ``limit`` seconds.

        Returns the order, if the call settled it. ``renews``: a confirm's items may have to be
        reserved again first.
        """
        end = time.monotonic() + limit
        share = min(limit * SETTLING_SHARE, LONGEST_SHARE)
        answered = self.make(owed, limit=limit - share, renews=renews)
        if answered is None:
            return None
        return self.settle(answered, wait=max(end - time.monotonic(), LEAST_TIME))

    def make(
        self, owed: OwedCall, *, limit: float | None = None, renews: bool = True
    ) -> Answered | None:
        """Make the call of a claimed row; None when nothing was sent.

        Any other error than ``StoreUnavailable`` is an outcome too. Otherwise the row would come
        back for ever, and never reach its deadline.
        """
        end = time.monotonic() + (self._settings.confirm_timeout if limit is None else limit)
        try:
            return self._make(owed, end, renews)
        except StoreUnavailable:
            raise
        except Exception as error:
            return Answered(owed, NotSent(Cause.OWN_ERROR, _failed(owed, error)))

    def _make(self, owed: OwedCall, end: float, renews: bool) -> Answered | None:
        if renews and owed.call.kind is Kind.CONFIRM:
            answered = self._renew_and_send(owed, end)
        else:
            answered = self._send(owed, end)
        if answered is not None and self._is_lapsed(answered):
            return self._renew_and_send(answered.owed, end)
        return answered

    def _renew_and_send(self, owed: OwedCall, end: float) -> Answered | None:
        """Send a confirm after its renewal; None when there is nothing to send now."""
        left = _time_left(owed, end)
        if left < LEAST_TIME:
            return Answered(owed, NotSent(Cause.NO_TIME, NO_TIME))
        ready = self._renewal.prepare(owed, limit=left)
        if ready.is_news and owed.order_id is not None:
            self.notify(owed.order_id)
        return None if ready.owed is None else self._send(ready.owed, end)

    def _send(self, owed: OwedCall, end: float) -> Answered:
        left = _time_left(owed, end)
        if left < LEAST_TIME:
            # A call that is cut off would be unknown.
            return Answered(owed, NotSent(Cause.NO_TIME, NO_TIME))
        try:
            outcome = self._api.send(
                owed.call, limit=left, number=owed.attempts, session_id=owed.session_id
            )
        except Exception as error:
            outcome = Unknown(Cause.OWN_ERROR, _failed(owed, error))
        return Answered(owed, outcome)

    def _is_lapsed(self, answered: Answered) -> bool:
        """Return whether Rokt refused a confirm as expired, and record that of its items."""
        owed, outcome = answered.owed, answered.outcome
        if not isinstance(outcome, Refused) or not may_be_lapsed(owed, outcome):
            return False
        with self._store.write() as connection:
            # First the order, as everywhere: a cancel may hold it.
            order = find_order(connection, owed.order_id or "", for_update=True)
            if order is None or not mark_not_sending(connection, owed):
                return False
            lapsed = lapsed_by(outcome, rows_by_id(connection, owed.subjects))
            for row in lapsed:
                change(connection, row.id, row.state, expires_at=self._clock())
        return bool(lapsed)

    def settle(self, answered: Answered, *, wait: float | None = None) -> Order | None:
        """Settle one call, and return the order if it settled one.

        An outcome that cannot be written counts as unknown, and the call is retried.
        """
        try:
            return self._settle_one(answered, wait)
        except StoreUnavailable:
            raise
        except Exception as error:
            outcome = Unknown(Cause.OWN_ERROR, _failed(answered.owed, error))
            return self._settle_one(replace(answered, outcome=outcome), wait)

    def _settle_one(self, answered: Answered, wait: float | None) -> Order | None:
        with self._store.write(wait=wait) as connection:
            settled = self._settlement.settle(connection, answered.owed, answered.outcome)
            if settled is None:
                return None
            order = view(connection, settled.order, settled.rows)
        if settled.is_news:
            notify(self._listener, order)
        return order

    def settle_and_claim(
        self, answered: Sequence[Answered], *, claim: int, due_by: datetime | None = None
    ) -> list[Claimed]:
        """Settle calls, and claim up to ``claim`` due rows, in one transaction.

        ``due_by``: see ``Outbox.claim``.
        """
        if not answered and not self._is_due(claim, due_by):
            return []
        news: dict[str, Order] = {}  # an order that two calls settled is notified once
        with self._store.write() as connection:
            # Sorted by orders, so that two workers do not wait for each other.
            for one in sorted(answered, key=lambda one: one.owed.order_id or ""):
                settled = self._settlement.settle(connection, one.owed, one.outcome)
                if settled is None or not settled.is_news:
                    continue
                is_refund = settled.order.status is OrderStatus.REFUND_NEEDED
                if is_refund or self._listener.wants_orders():
                    order = view(connection, settled.order, settled.rows)
                    news[order.order_id] = order
            # Leases begin here, after all that had to be waited for.
            claimed = self._outbox.claim(connection, claim, due_by)
            renewing = self._to_renew(connection, claimed)
        for order in news.values():
            notify(self._listener, order)
        return [Claimed(owed, renews=not renewing.isdisjoint(owed.subjects)) for owed in claimed]

    def _to_renew(self, connection: Connection, claimed: Sequence[OwedCall]) -> frozenset[str]:
        """Return the items that must be reserved again: one query for all, as nearly none must."""
        confirms = [one for one in claimed if one.call.kind is Kind.CONFIRM]
        items = [row_id for one in confirms for row_id in one.subjects]
        return ids_to_renew(connection, items, self._clock() + ABOUT_TO_LAPSE)

    def _is_due(self, claim: int, due_by: datetime | None) -> bool:
        """Look first, without a lock: an idle database is not locked."""
        if claim <= 0:
            return False
        with self._store.read() as connection:
            return self._outbox.is_due(connection, due_by)

    def notify(self, order_id: str) -> None:
        """Tell listeners of an order. Its state is written, so an error is only logged."""
        try:
            with self._store.read() as connection:
                order = read_order(connection, order_id)
        except StoreUnavailable as error:
            log.error("order %r is settled, but listeners were not notified: %s", order_id, error)
            return
        if order is not None:
            notify(self._listener, order)


def _time_left(owed: OwedCall, end: float) -> float:
    """Return the seconds that a call may take: until ``end``, and while its lease holds.

    After that another process may have claimed the row.
    """
    return min(end, owed.until - LEASE_SLACK) - time.monotonic()


def _failed(owed: OwedCall, error: Exception) -> str:
    """Log an error of our own, and return its text for the row.

    The error's message is left out: it may hold personal data.
    """
    what = type(error).__name__
    log.error("a %s of order %r failed on %s", owed.call.kind, owed.order_id, what)
    return f"it failed here, on {what}"
