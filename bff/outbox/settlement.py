"""Settles an owed call: what its outcome does to the row, the order and the order's items.

Runs in the caller's transaction, and makes no call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from bff.cart.order import CANCEL_FAILED, OrderError, OrderRow, OrderStatus, order_status
from bff.cart.reservation import Reservation, State
from bff.outbox.queue import Outbox, OwedCall, RowState, close
from bff.rokt.calls import Kind, cancel_call
from bff.rokt.outcomes import Done, NotSent, Outcome, Refused, Unknown
from bff.rokt.responses import read_confirm
from bff.store.orders import find_order, set_error, set_order
from bff.store.reservations import change, rows_of_order

log = logging.getLogger(__name__)

# What Rokt says was done before, if a call of this kind is repeated.
DONE_BEFORE = {Kind.CONFIRM: "confirmed", Kind.CANCEL: "cancelled"}

NOTHING_TO_CANCEL = "cancel: Rokt named no reservation that could be cancelled"
EARLIER = "an earlier call may have taken effect"
PARTLY_CONFIRMED = "Rokt confirmed the order without some of its items"


@dataclass(frozen=True, slots=True)
class SettledOrder:
    """An order and its items after one of its calls was settled.

    ``is_news``: its status changed, or another item needs a refund, so listeners are notified.
    """

    order: OrderRow
    rows: tuple[Reservation, ...]
    is_news: bool


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a call ended for good. ``code`` and ``text`` say what went wrong, if anything did."""

    state: RowState
    code: OrderError | None = None
    text: str | None = None


class Settlement:
    """Settles owed calls."""

    def __init__(self, outbox: Outbox, clock: Callable[[], datetime]) -> None:
        self._outbox = outbox
        self._clock = clock

    def settle(
        self, connection: Connection, owed: OwedCall, outcome: Outcome
    ) -> SettledOrder | None:
        """Write what an outcome means, and return the order if it was settled by it."""
        order = None
        if owed.order_id is not None:
            # Locks the order: a cancel that is requested meanwhile waits here, and is not missed.
            order = find_order(connection, owed.order_id, for_update=True)
        if isinstance(outcome, NotSent | Unknown) and self._clock() < owed.deadline:
            self._postpone(connection, owed, outcome, order)
            return None
        ending = _ending(owed, outcome)
        if ending.state is RowState.GAVE_UP:
            # Stored with the row, in case that it is redriven.
            owed = replace(owed, unknown=owed.unknown or isinstance(outcome, Unknown))
        if not close(connection, owed, ending.state, ending.text):
            return None  # the lease's new holder sends the same bytes, and settles
        if order is None or owed.call.kind is Kind.RELEASE:
            return None  # a release changed its rows when it was owed
        if owed.call.kind is Kind.CONFIRM:
            answer = outcome.body if isinstance(outcome, Done) else None
            return self._confirmed(connection, owed, order, answer, ending)
        if ending.state is RowState.GAVE_UP:
            _cancel_given_up(connection, order, ending)
            return None
        return _cancelled(connection, owed, order, ending)

    def _postpone(
        self,
        connection: Connection,
        owed: OwedCall,
        outcome: NotSent | Unknown,
        order: OrderRow | None,
    ) -> None:
        postponed = self._outbox.postpone(
            connection,
            owed,
            retry_after=outcome.retry_after,
            unknown=isinstance(outcome, Unknown),
            last_error=outcome.detail,
        )
        if not postponed or order is None:
            return
        if owed.call.kind is Kind.CONFIRM:
            note_pending(connection, order, OrderError.CONFIRM_PENDING, outcome.detail)
        elif order.error_code not in CANCEL_FAILED:
            text = f"cancel: {outcome.detail}"
            note_pending(connection, order, OrderError.CANCEL_PENDING, text)

    def _confirmed(
        self,
        connection: Connection,
        owed: OwedCall,
        order: OrderRow,
        answer: object,
        ending: _Ending,
    ) -> SettledOrder:
        ids, refused = read_confirm(answer) if ending.code is None else ({}, frozenset())
        code, text = ending.code, ending.text
        lost = False
        rows: list[Reservation] = []
        # The order is locked, so no other transaction changes its items.
        for row in rows_of_order(connection, order.id):
            if row.id not in owed.subjects or row.state is not State.CONFIRMING:
                rows.append(row)
                continue
            item_id = row.item.cart_item_id
            if ending.code is not None or item_id in refused:
                change(connection, row.id, State.CONFIRMING, State.REFUND_NEEDED)
                rows.append(replace(row, state=State.REFUND_NEEDED))
                lost = True
                continue
            reservation_id = row.item_reservation_id or ids.get(item_id)
            cancels = row.cancel_requested and reservation_id is not None
            to = State.CANCELLING if cancels else State.CONFIRMED
            row = replace(row, state=to, item_reservation_id=reservation_id)
            change(connection, row.id, State.CONFIRMING, to, item_reservation_id=reservation_id)
            rows.append(row)
            if cancels:
                self.owe_cancel(connection, order, row)
            elif row.cancel_requested and code is None:
                code, text = OrderError.NOT_CANCELLABLE, NOTHING_TO_CANCEL
        if ending.code is None and refused:
            code, text = OrderError.PARTLY_CONFIRMED, PARTLY_CONFIRMED
        if code is not None and not rows:
            # No money depends on it, and no status shows it.
            log.error("order %r has no upsell, and Rokt was not told of it: %s", order.id, text)
        status = order_status(row.state for row in rows)
        if code is None and status is OrderStatus.REFUND_NEEDED:
            code, text = order.error_code, order.last_error  # why the other items were lost
        is_news = lost or status is not order.status
        order = replace(order, status=status, error_code=code, last_error=text)
        set_order(connection, order)
        return SettledOrder(order, tuple(rows), is_news)

    def owe_cancel(
        self, connection: Connection, order: OrderRow, row: Reservation, *, claimed: bool = False
    ) -> OwedCall:
        """Owe the cancel of a confirmed item, which has a reservation id."""
        call = cancel_call(item_reservation_id=row.item_reservation_id or "")
        return self._outbox.owe(connection, call, [row], order=order, claimed=claimed)


def note_pending(connection: Connection, order: OrderRow, code: OrderError, text: str) -> None:
    """Write why an order's call waits. An order that needs a refund keeps the reason for that."""
    if order.status is not OrderStatus.REFUND_NEEDED:
        set_error(connection, order.id, code, text)


def _ending(owed: OwedCall, outcome: Outcome) -> _Ending:
    """Return how a call ends that is not retried. Pure."""
    if isinstance(outcome, Done) or (isinstance(outcome, Refused) and _was_ours(owed, outcome)):
        return _Ending(RowState.DONE)
    cancels = owed.call.kind is Kind.CANCEL
    if isinstance(outcome, Refused):
        code = OrderError.CANCEL_FAILED if cancels else OrderError.CONFIRM_REFUSED
        state, text, unknown = RowState.REFUSED, outcome.detail, owed.unknown
    else:
        code = OrderError.CANCEL_FAILED if cancels else OrderError.CONFIRM_GIVEN_UP
        state, text = RowState.GAVE_UP, f"given up: {outcome.detail}"
        unknown = owed.unknown or isinstance(outcome, Unknown)
    return _Ending(state, code, f"{text}; {EARLIER}" if unknown else text)


def _was_ours(owed: OwedCall, outcome: Refused) -> bool:
    # Rokt does not document its response to a second confirm or cancel. After an unknown attempt,
    # "already confirmed" can only mean ours.
    before = DONE_BEFORE.get(owed.call.kind)
    return owed.unknown and before is not None and outcome.already == before


def _cancel_given_up(connection: Connection, order: OrderRow, ending: _Ending) -> None:
    """Leave the items *cancelling*, for ``doctor`` and ``redrive``: Rokt may have cancelled them.

    The shopper may have been promised their money, so they must not look confirmed again.
    """
    log.error("a cancel of order %r is %s", order.id, ending.text)
    note_pending(connection, order, OrderError.CANCEL_FAILED, f"cancel: {ending.text}")


def _cancelled(
    connection: Connection, owed: OwedCall, order: OrderRow, ending: _Ending
) -> SettledOrder:
    to = State.CANCELLED if ending.code is None else State.CONFIRMED
    for row_id in owed.subjects:
        change(connection, row_id, State.CANCELLING, to)
    rows = rows_of_order(connection, order.id)
    after = replace(order, status=order_status(row.state for row in rows))
    if after.status is not OrderStatus.REFUND_NEEDED:
        after = _with_cancel_error(after, ending)
    set_order(connection, after)
    return SettledOrder(after, rows, after.status is not order.status)


def _with_cancel_error(order: OrderRow, ending: _Ending) -> OrderRow:
    """Return an order with the error of a cancel; an earlier one stays until all is cancelled."""
    if ending.code is not None:
        return replace(order, error_code=ending.code, last_error=f"cancel: {ending.text}")
    if order.error_code in CANCEL_FAILED and order.status is not OrderStatus.CANCELLED:
        return order
    return replace(order, error_code=None, last_error=None)


def sum_up(connection: Connection, order: OrderRow, rows: Sequence[Reservation]) -> bool:
    """Set an order's status to what its items say. True: it is another one now."""
    status = order_status(row.state for row in rows)
    if status is order.status:
        return False
    set_order(connection, replace(order, status=status))
    return True
