"""What the outcome of an owed call does: to its row, its order, and the order's items.

In the caller's transaction, and without any call. Where an item is lost its order is told of:
see ``bff.delivery``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bff.cart.order import OrderRow, OrderStatus, order_status
from bff.cart.reservation import Reservation, State
from bff.config.settings import Settings
from bff.outbox import queue as outbox
from bff.outbox.queue import OwedCall, RowState
from bff.rokt.calls import Kind, cancel_call
from bff.rokt.outcomes import Done, NotSent, Outcome, Refused, Unknown
from bff.rokt.responses import read_confirm
from bff.store import orders as order_book
from bff.store import reservations as ledger

log = logging.getLogger(__name__)


DONE_BEFORE = {Kind.CONFIRM: "confirmed", Kind.CANCEL: "cancelled"}


CANCEL = "cancel: "


NOTHING_TO_CANCEL = f"{CANCEL}Rokt named no reservation that could be cancelled"


EARLIER = "an earlier call may have taken effect"


WITHOUT_SOME = "Rokt confirmed the order without some of its items"


class Settlement:
    """Settles owed calls."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock

    def settle(self, connection: Connection, owed: OwedCall, outcome: Outcome) -> bool:
        """Write what the outcome means; True when the order's status is another one now."""
        order = None
        if owed.order_id is not None:
            # A cancel that is asked for meanwhile waits here, so that it is not overlooked.
            order = order_book.find_order(connection, owed.order_id, for_update=True)
        now = self._clock()
        if isinstance(outcome, NotSent | Unknown) and now < owed.deadline:
            _postpone(connection, owed, outcome, order, now)
            return False
        state, error = _verdict(owed, outcome)
        if state is RowState.GAVE_UP:
            # Kept with the row, for the case that it is redriven.
            owed = replace(owed, unknown=owed.unknown or isinstance(outcome, Unknown))
        if not outbox.settle(connection, owed, state, error):
            return False  # the lease was lost; its new holder sends the same bytes and settles
        if owed.call.kind is Kind.CONFIRM:
            # A refusal's errors name the items too: those of an "already" are confirmed.
            answer = outcome.body if isinstance(outcome, Done) else None
            return order is not None and self._confirmed(
                connection, owed, order, answer, error, now
            )
        if owed.call.kind is Kind.CANCEL:
            if state is RowState.GAVE_UP:
                return _cancel_given_up(connection, owed, order, error)
            return _cancelled(connection, owed, error)
        return False  # a release: our row said so from the moment it was owed

    def _confirmed(
        self,
        connection: Connection,
        owed: OwedCall,
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
            error = WITHOUT_SOME
        if error is not None and not states:
            # Nobody's money depends on it, and no status tells of it.
            log.error("order %r has no upsell, and Rokt was not told of it: %s", order.id, error)
        status = order_status(states)
        told = error or note
        if told is None and status is OrderStatus.REFUND_NEEDED:
            told = order.last_error  # it keeps its reason, however well the others went
        order_book.conclude(connection, order.id, status, told)
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
    ) -> OwedCall:
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


def _was_ours(owed: OwedCall, outcome: Refused) -> bool:
    # Rokt does not say what a second confirm or cancel is answered. After an attempt of which
    # nobody knows, "already confirmed" can only mean ours.
    before = DONE_BEFORE.get(owed.call.kind)
    return owed.unknown and before is not None and outcome.already == before


def _verdict(owed: OwedCall, outcome: Outcome) -> tuple[RowState, str | None]:
    """Tell how a row ends that is not tried again, and what went wrong. Pure."""
    if isinstance(outcome, Done) or (isinstance(outcome, Refused) and _was_ours(owed, outcome)):
        return RowState.DONE, None
    if isinstance(outcome, Refused):
        state, error, unknown = RowState.REFUSED, outcome.detail, owed.unknown
    else:
        state, error = RowState.GAVE_UP, f"given up: {outcome.detail}"
        unknown = owed.unknown or isinstance(outcome, Unknown)
    return state, f"{error}; {EARLIER}" if unknown else error


def _postpone(
    connection: Connection,
    owed: OwedCall,
    outcome: NotSent | Unknown,
    order: OrderRow | None,
    now: datetime,
) -> None:
    postponed = outbox.postpone(
        connection,
        owed,
        now=now,
        retry_after=outcome.retry_after,
        unknown=isinstance(outcome, Unknown),
        last_error=outcome.detail,
    )
    # An item that needs a refund keeps its reason, whatever the others wait for.
    if postponed and order and order.status is not OrderStatus.REFUND_NEEDED:
        order_book.set_error(connection, order.id, outcome.detail)


def _cancel_given_up(
    connection: Connection, owed: OwedCall, order: OrderRow | None, error: str | None
) -> bool:
    """Nobody knows whether Rokt cancelled: the item stays so, for ``doctor`` and ``redrive``.

    The shopper may have been promised their money, so it must not look confirmed again.
    """
    log.error("a cancel of order %r is %s", owed.order_id, error)
    if order is not None and order.status is not OrderStatus.REFUND_NEEDED:
        order_book.set_error(connection, order.id, f"{CANCEL}{error}")
    return False


def _cancelled(connection: Connection, owed: OwedCall, error: str | None) -> bool:
    for row_id in owed.subjects:
        to = State.CANCELLED if error is None else State.CONFIRMED
        ledger.change(connection, row_id, State.CANCELLING, to)
    if owed.order_id is None:
        return False
    changed = order_book.sum_up(connection, owed.order_id)
    order = order_book.find_order(connection, owed.order_id)
    if order is not None and order.status is not OrderStatus.REFUND_NEEDED:
        told = error and f"{CANCEL}{error}"
        # That another item of the order was refused stays told, until all is cancelled.
        refused = (order.last_error or "").startswith(CANCEL)
        if told or not refused or order.status is OrderStatus.CANCELLED:
            order_book.set_error(connection, order.id, told)
    return changed
