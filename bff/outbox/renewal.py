"""Before a confirm: items whose reservation is gone are reserved again, never dearer.

What was quoted is what is confirmed. So an item of a paid order whose reservation lapsed, or
was given back since, is reserved anew at the locked price or less; where that cannot be had, it
is confirmed by quantity if the shop allows that, and else needs a refund. Done only while no
attempt at the confirm is unknown: its bytes change with the new reservation. A reserve without an
answer is unknown too: what Rokt denies afterwards it may hold for us, so that is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bff.cart.order import OrderRow, OrderStatus
from bff.cart.reservation import Reservation, ReserveOptions, State
from bff.config.settings import Settings
from bff.outbox import expiry as lapsing
from bff.outbox import queue as outbox
from bff.outbox import renewal as ghosts
from bff.outbox.queue import OwedCall, RowState
from bff.rokt.calls import confirm_call, release_call
from bff.rokt.client import CartApi
from bff.rokt.outcomes import Done, Outcome, Unknown
from bff.rokt.reserve import ReserveCalls, ReserveResult
from bff.store import orders as order_book
from bff.store import reservations as ledger
from bff.store.database import Store
from bff.store.quotes import find_quote
from bff.store.reservations import find, forget, note

# Even with no time left: what was granted would be lost, and a lock is held for milliseconds.
LEAST_WAIT = 0.25


NOT_YET = "the items could not be reserved again yet"


NOT_TO_BE_HAD = "an item could not be reserved again at its price"


@dataclass(frozen=True, slots=True)
class Ready:
    """``owed``: what to send now, if anything. ``changed``: the order is to be told of."""

    owed: OwedCall | None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class _Asking:
    """What is reserved again. ``doubted``: what Rokt may hold of it by an earlier call."""

    order: OrderRow
    gone: Sequence[Reservation]
    doubted: frozenset[str]
    notes: Mapping[str, Reservation]


class Renewal:
    """Gets a confirm ready to be sent."""

    def __init__(
        self, settings: Settings, database: Store, api: CartApi, clock: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._store = database
        self._calls = ReserveCalls(api)
        self._clock = clock

    def prepare(self, owed: OwedCall, *, limit: float) -> Ready:
        """Return the confirm to send: this one, or another with new reservations in it.

        Nothing to send when Rokt did not answer (the row is postponed) or when no item is left
        to confirm (the row is closed).
        """
        with self._store.read() as connection:
            order = order_book.find_order(connection, owed.order_id or "")
            rows = ledger.rows_by_id(connection, owed.subjects)
        gone = lapsing.gone(rows, self._clock())
        if order is None or not gone:
            return Ready(owed)
        if owed.unknown and all(row.item_reservation_id is not None for row in gone):
            # The bytes stay as they are, lapsed or not. But those that lack a reservation never
            # went out, whoever died with the row in hand: they would buy by quantity.
            return Ready(owed)
        end = time.monotonic() + limit
        with self._store.write(wait=limit) as connection:
            # From here on a crash leaves nothing unknown: the confirm itself is not sent.
            if not outbox.hold_back(connection, owed):
                return Ready(None)
            wish = _wish_of(connection, order)
            now = self._clock()
            doubted = find(connection, order.session_id, now)
            asking = _Asking(order, gone, doubted, note(connection, gone, now))
        asked = [replace(row, item=replace(row.item, quantity=row.quantity)) for row in gone]
        most = time.monotonic() + self._settings.reserve_timeout
        # The outbox repeats it, so one attempt will do.
        result = self._calls.ask(asked, wish, end=min(end, most), number=owed.attempts, retry=False)
        left = max(end - time.monotonic(), LEAST_WAIT)
        with self._store.write(wait=left) as connection:
            return self._settle(connection, owed, asking, result)

    def _settle(
        self, connection: Connection, owed: OwedCall, asking: _Asking, result: ReserveResult
    ) -> Ready:
        now = self._clock()
        # First the order: a cancel that is asked for meanwhile holds it, and wants its items.
        order = order_book.find_order(connection, asking.order.id, for_update=True) or asking.order
        outcome = result.outcome
        found = {row.id: row for row in result.apply(now)[0]}
        # The deadline is final: what was not reserved by then is not to be had.
        waits = now < owed.deadline and any(
            row.id not in found or ghosts.may_hold(asking.doubted, row, found[row.id])
            for row in asking.gone
        )
        if not (
            self._later(connection, owed, order, outcome, now)
            if waits
            else outbox.settle(connection, owed, RowState.REPLACED)
        ):
            return Ready(None)  # whoever has the lease now must take what was granted for a ghost
        known = found if isinstance(outcome, Done | Unknown) else asking.notes
        forget(connection, [note for row_id, note in asking.notes.items() if row_id in known])
        useless: list[Reservation] = []
        for row in asking.gone:
            grant = found.get(row.id)
            if grant is not None and _as_good(grant, row):
                ledger.change(
                    connection,
                    row.id,
                    State.CONFIRMING,
                    item_reservation_id=grant.item_reservation_id,
                    unit_price=grant.unit_price,
                    total_price=grant.total_price,
                    granted_at=now,
                    expires_at=grant.expires_at,
                )
                continue
            if not waits:
                self._without(connection, row)
            if grant is not None and grant.item_reservation_id is not None:
                useless.append(grant)
        if useless:
            self._give_back(connection, owed, asking.order, useless, now)
        return Ready(None) if waits else self._again(connection, owed, asking.order, now)

    @staticmethod
    def _later(
        connection: Connection, owed: OwedCall, order: OrderRow, outcome: Outcome, now: datetime
    ) -> bool:
        # The confirm itself was not sent, so this attempt cannot have taken effect.
        postponed = outbox.postpone(
            connection,
            owed,
            now=now,
            retry_after=getattr(outcome, "retry_after", None),
            unknown=False,
            last_error=NOT_YET,
        )
        # An item that needs a refund keeps its reason, whatever the others wait for.
        if postponed and order.status is not OrderStatus.REFUND_NEEDED:
            order_book.set_error(connection, order.id, NOT_YET)
        return postponed

    def _without(self, connection: Connection, row: Reservation) -> None:
        if self._settings.confirm_unreserved:
            ledger.change(
                connection, row.id, State.CONFIRMING, item_reservation_id=None, by_quantity=True
            )
        else:
            ledger.change(connection, row.id, State.CONFIRMING, State.REFUND_NEEDED)

    def _give_back(
        self,
        connection: Connection,
        owed: OwedCall,
        order: OrderRow,
        rows: Sequence[Reservation],
        now: datetime,
    ) -> None:
        call = release_call(
            cart_id=order.cart_id,
            rows=rows,
            rokt_session_id=rows[0].rokt_session_id,
            accept_language=order.accept_language,
        )
        outbox.enqueue(
            connection,
            call,
            session_id=owed.session_id,
            order_id=None,
            subjects=[row.id for row in rows],
            now=now,
            deadline=now + timedelta(seconds=self._settings.confirm_deadline),
            in_line=False,
        )

    def _again(
        self, connection: Connection, owed: OwedCall, order: OrderRow, now: datetime
    ) -> Ready:
        """Open the row with the new bytes; none when no item is left to confirm."""
        subjects = ledger.rows_by_id(connection, owed.subjects)
        rows = [row for row in subjects if row.state is State.CONFIRMING]
        lost = len(rows) < len(subjects)
        if lost:
            order_book.set_error(connection, order.id, NOT_TO_BE_HAD)
        # Each item that is lost is told, also when the order needed a refund before.
        changed = order_book.sum_up(connection, order.id) or lost
        if not rows and not self._settings.confirm_every_order:
            return Ready(None, changed)
        again = outbox.enqueue(
            connection,
            confirm_call(order, rows),
            session_id=owed.session_id,
            order_id=order.id,
            subjects=[row.id for row in rows],
            now=now,
            deadline=owed.deadline,
            in_line=True,
        )
        return Ready(again, changed)


def _wish_of(connection: Connection, order: OrderRow) -> ReserveOptions:
    """Return what the items were asked for with: by the reserve whose quote was paid.

    The order's own attributes are for its confirm.
    """
    told = ReserveOptions(accept_language=order.accept_language)
    if order.quote_id is None:
        return told
    quote = find_quote(connection, order.session_id, order.quote_id)
    return quote.wish.over(told) if quote is not None else told


def _as_good(grant: Reservation, row: Reservation) -> bool:
    """Tell whether a new grant gives all that was paid for, at no more than was paid."""
    return (
        grant.state is State.RESERVED
        and grant.quantity >= row.quantity
        and grant.unit_price <= row.unit_price
        and grant.total_price <= row.total_price
    )


def may_hold(doubted: frozenset[str], row: Reservation, answer: Reservation) -> bool:
    """Tell whether what ``answer`` denies of a row may be what a ghost holds. Pure."""
    if row.item.cart_item_id not in doubted:
        return False
    if answer.state is State.REJECTED:
        return answer.item_reservation_id is None
    return answer.quantity < row.quantity
