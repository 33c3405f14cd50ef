"""Sends what is owed to Rokt and settles it: what each outcome does to orders and reservations.

Used in line, for the first attempt, and by the worker for the rest. The call is made
between two transactions, never inside one; a lease on the row keeps everybody else away. One
transaction may write down many answers and claim as many rows: see ``bff.draining``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bff import ledger, outbox
from bff.answers import read_confirm
from bff.calls import Kind, cancel_call
from bff.cart_api import CartApi
from bff.config import Settings
from bff.errors import StoreUnavailable
from bff.faultpoints import reach
from bff.ledger import OrderRow
from bff.outbox import Owed, RowState
from bff.outcomes import Done, NotSent, Outcome, Refused, Unknown
from bff.renewing import Renewing
from bff.reservation import Reservation, State
from bff.shapes import Order, OrderStatus, order_status
from bff.store import Store
from bff.watching import Watcher

log = logging.getLogger("bff.delivery")

DONE_BEFORE = {Kind.CONFIRM: "confirmed", Kind.CANCEL: "cancelled"}

CANCEL = "cancel: "
NOTHING_TO_CANCEL = f"{CANCEL}Rokt named no reservation that could be cancelled"
EARLIER = "an earlier call may have taken effect"


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that was made and not written down yet."""

    owed: Owed
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row to attempt. ``renews``: its items may have to be reserved again before."""

    owed: Owed
    renews: bool


class Delivery:
    """Attempts owed calls."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        api: CartApi,
        clock: Callable[[], datetime],
        watcher: Watcher,
    ) -> None:
        self._settings = settings
        self._store = store
        self._api = api
        self._clock = clock
        self._watcher = watcher
        self._renewing = Renewing(settings, store, api, clock)

    def attempt(self, owed: Owed, *, limit: float, renews: bool = True) -> None:
        """Make one attempt at a claimed row, within ``limit`` seconds, and write it down."""
        answered = self.make(owed, limit=limit, renews=renews)
        if answered is not None:
            self.turn([answered], claim=0)

    def make(
        self, owed: Owed, *, limit: float | None = None, renews: bool = True
    ) -> Answered | None:
        """Make one attempt at a claimed row, within ``limit`` seconds (by default confirm's).

        Returns what is to be written down by ``turn``, None when nothing was sent.
        """
        start = time.monotonic()
        limit = self._settings.confirm_timeout if limit is None else limit
        if renews and owed.call.kind is Kind.CONFIRM:
            prepared = self._renewing.prepare(owed, limit=limit)
            if prepared.changed and owed.order_id is not None:
                self.tell(owed.order_id)
            if prepared.owed is None:
                return None
            owed = prepared.owed
        left = limit - (time.monotonic() - start)
        outcome = self._api.send(
            owed.call, limit=left, number=owed.attempts, session_id=owed.session_id
        )
        reach("delivery.answered")
        return Answered(owed, outcome)

    def turn(self, answered: Sequence[Answered], *, claim: int) -> list[Claimed]:
        """Write down answers, and claim up to so many rows that are due, in one transaction."""
        now = self._clock()
        if not answered and not self._is_due(claim, now):
            return []
        with self._store.write() as connection:
            changed = [
                one.owed.order_id
                # By orders, in one order: no two workers wait for each other.
                for one in sorted(answered, key=lambda one: one.owed.order_id or "")
                if self._settle(connection, one.owed, one.outcome)
            ]
            claimed = outbox.claim_some(connection, now=now, most=claim) if claim else []
            to_renew = self._renewing.lapsing(connection, claimed)
            if answered:
                reach("delivery.settling")
        if answered:
            reach("delivery.settled")
        if claimed:
            reach("delivery.claimed")
        self._tell_of([one for one in dict.fromkeys(changed) if one is not None])
        return [Claimed(owed, renews=owed.id in to_renew) for owed in claimed]

    def run_once(self) -> int:
        """Attempt everything that is due now, and return how many rows that was."""
        count = 0
        while self.deliver_one():
            count += 1
        return count

    def deliver_one(self) -> bool:
        """Claim the row that is due longest and attempt it; False when none is due."""
        claimed = self.turn([], claim=1)
        for one in claimed:
            self.attempt(one.owed, limit=self._settings.confirm_timeout, renews=one.renews)
        return bool(claimed)

    def _is_due(self, claim: int, now: datetime) -> bool:
        """Look first, which spares an idle database the write lock."""
        if claim <= 0:
            return False
        with self._store.read() as connection:
            return outbox.is_due(connection, now=now)

    def _settle(self, connection: Connection, owed: Owed, outcome: Outcome) -> bool:
        """Write what the outcome means; True when the order's status is another one now."""
        now = self._clock()
        order = None
        if owed.order_id is not None:
            # A cancel that is asked for meanwhile waits here, so that it is not overlooked.
            order = ledger.find_order(connection, owed.order_id, for_update=True)
        done = isinstance(outcome, Done) or (
            # Rokt does not say what a second confirm or cancel is answered. After an attempt
            # of which nobody knows, "already confirmed" can only mean ours.
            isinstance(outcome, Refused)
            and owed.unknown
            and outcome.already == DONE_BEFORE.get(owed.call.kind)
            and outcome.already is not None
        )
        if done:
            state, error = RowState.DONE, None
        elif isinstance(outcome, Refused):
            state = RowState.REFUSED
            error = f"{outcome.detail}; {EARLIER}" if owed.unknown else outcome.detail
        else:
            error = outcome.detail if isinstance(outcome, NotSent | Unknown) else "no answer"
            if now < owed.deadline:
                postponed = outbox.postpone(
                    connection,
                    owed,
                    now=now,
                    retry_after=getattr(outcome, "retry_after", None),
                    unknown=isinstance(outcome, Unknown),
                    last_error=error,
                )
                # An item that needs a refund keeps its reason, whatever the others wait for.
                if postponed and order and order.status is not OrderStatus.REFUND_NEEDED:
                    ledger.set_error(connection, order.id, error)
                return False
            state = RowState.GAVE_UP
            # Kept with the row, for the case that it is redriven.
            owed = replace(owed, unknown=owed.unknown or isinstance(outcome, Unknown))
            error = f"given up: {error}; {EARLIER}" if owed.unknown else f"given up: {error}"
        if not outbox.settle(connection, owed, state, error):
            return False  # the lease was lost; its new holder sends the same bytes and settles
        if owed.call.kind is Kind.CONFIRM:
            # A refusal's errors name the items too: those of an "already" are confirmed.
            answer = outcome.answer if isinstance(outcome, Done) else None
            return order is not None and self._confirmed(
                connection, owed, order, answer, error, now
            )
        if owed.call.kind is Kind.CANCEL:
            if state is RowState.GAVE_UP:
                return self._cancel_given_up(connection, owed, order, error)
            return self._cancelled(connection, owed, error)
        return False  # a release: our row said so from the moment it was owed

    def _confirmed(
        self,
        connection: Connection,
        owed: Owed,
        order: OrderRow,
        answer: object,
        error: str | None,
        now: datetime,
    ) -> bool:
        ids, refused = read_confirm(answer) if error is None else ({}, frozenset())
        note: str | None = None
        alarm = False
        states: list[State] = []
        # The order is held, so nobody else changes its items meanwhile.
        for row in ledger.rows_of_order(connection, order.id):
            if row.id not in owed.subjects or row.state is not State.CONFIRMING:
                states.append(row.state)
                continue
            item_id = row.item.cart_item_id
            if error is not None or item_id in refused:
                ledger.change(connection, row.id, State.CONFIRMING, State.REFUND_NEEDED)
                states.append(State.REFUND_NEEDED)
                alarm = True
                continue
            reservation_id = row.item_reservation_id or ids.get(item_id)
            wanted = row.cancel_requested and reservation_id is not None
            to = State.CANCELLING if wanted else State.CONFIRMED
            ledger.change(
                connection, row.id, State.CONFIRMING, to, item_reservation_id=reservation_id
            )
            states.append(to)
            if wanted:
                self.owe_cancel(connection, row, reservation_id or "", now)
            elif row.cancel_requested:
                note = NOTHING_TO_CANCEL
        if error is None and refused:
            error = "Rokt confirmed the order without some of its items"
        status = order_status(states)
        told = error or note
        if told is None and status is OrderStatus.REFUND_NEEDED:
            told = order.last_error  # it keeps its reason, however well the others went
        ledger.conclude(connection, order.id, status, told)
        # Each item that is lost is told, also when the order needed a refund before.
        return alarm or status is not order.status

    def owe_cancel(
        self,
        connection: Connection,
        row: Reservation,
        reservation_id: str,
        now: datetime,
        *,
        in_line: bool = False,
    ) -> Owed:
        """Write the row of a cancel for an item that is confirmed."""
        return outbox.enqueue(
            connection,
            cancel_call(item_reservation_id=reservation_id),
            session_id=row.session_id,
            order_id=row.order_id,
            subjects=[row.id],
            now=now,
            deadline=now + timedelta(seconds=self._settings.confirm_deadline),
            in_line=in_line,
        )

    @staticmethod
    def _cancel_given_up(
        connection: Connection, owed: Owed, order: OrderRow | None, error: str | None
    ) -> bool:
        """Nobody knows whether Rokt cancelled: the item stays so, for ``doctor`` and ``redrive``.

        The shopper may have been promised their money, so it must not look confirmed again.
        """
        log.error("a cancel of order %r is %s", owed.order_id, error)
        if order is not None and order.status is not OrderStatus.REFUND_NEEDED:
            ledger.set_error(connection, order.id, f"{CANCEL}{error}")
        return False

    def _cancelled(self, connection: Connection, owed: Owed, error: str | None) -> bool:
        for row_id in owed.subjects:
            to = State.CANCELLED if error is None else State.CONFIRMED
            ledger.change(connection, row_id, State.CANCELLING, to)
        if owed.order_id is None:
            return False
        changed = ledger.sum_up(connection, owed.order_id)
        order = ledger.find_order(connection, owed.order_id)
        if order is not None and order.status is not OrderStatus.REFUND_NEEDED:
            told = error and f"{CANCEL}{error}"
            # That another item of the order was refused stays told, until all is cancelled.
            refused = (order.last_error or "").startswith(CANCEL)
            if told or not refused or order.status is OrderStatus.CANCELLED:
                ledger.set_error(connection, order.id, told)
        return changed

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
        row = ledger.find_order(connection, order_id)
        if row is None or row.status is OrderStatus.CONFIRMING:
            return None
        if row.status is not OrderStatus.REFUND_NEEDED and not self._watcher.hears_of_orders():
            return None
        return read_order(connection, order_id)

    def _tell(self, order: Order) -> None:
        if order.status is OrderStatus.REFUND_NEEDED:
            log.error("order %r needs a refund: %s", order.order_id, order.last_error)
        self._watcher.order_settled(order)


def read_order(connection: Connection, order_id: str) -> Order | None:
    """Read an order with its items and how its confirm is going, or None."""
    order = ledger.find_order(connection, order_id)
    if order is None:
        return None
    attempts, next_attempt_at = outbox.confirm_progress(connection, order_id)
    return ledger.view_order(
        order,
        ledger.rows_of_order(connection, order_id),
        attempts=attempts,
        next_attempt_at=next_attempt_at,
    )
