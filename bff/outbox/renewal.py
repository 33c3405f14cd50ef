"""Reserves a paid order's items again, never dearer, when their reservations are gone.

What was quoted is what is confirmed. So before its confirm an item is reserved again at the
locked price or less. If that fails, the item is confirmed by quantity where the shop allows it,
and otherwise it needs a refund. This happens only while no attempt at the confirm is unknown:
its bytes change with the new reservation. If a reserve had no response, Rokt may hold the items,
and refuse them now because of that. Then the confirm waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from bff.cart.order import OrderError, OrderRow
from bff.cart.renewal import gone
from bff.cart.reservation import Reservation, ReserveOptions, State, unanswered_items
from bff.config.settings import Settings
from bff.outbox.queue import Outbox, OwedCall, RowState, close, mark_not_sending
from bff.outbox.releases import Releases
from bff.outbox.settlement import note_pending, sum_up
from bff.rokt.calls import confirm_call
from bff.rokt.client import CartApi
from bff.rokt.outcomes import Done, Outcome, Unknown
from bff.rokt.reserve import ReserveCalls, ReserveResult
from bff.store.database import Store, new_id
from bff.store.orders import find_order, set_error
from bff.store.quotes import find_quote
from bff.store.reservations import (
    add_reservations,
    change,
    delete_asked,
    rows_by_id,
    rows_of_order,
    rows_of_session,
)

# The least time to wait for a lock: what Rokt granted would be lost, and locks last milliseconds.
LEAST_WAIT = 0.25

NOT_YET = "the items could not be reserved again yet"
NOT_RESERVED = "an item could not be reserved again at its price"


@dataclass(frozen=True, slots=True)
class Ready:
    """A confirm after its renewal. ``owed``: the call to send now, if any.

    ``is_news``: the order's status changed, or an item was lost, so listeners are notified.
    """

    owed: OwedCall | None
    is_news: bool = False


@dataclass(frozen=True, slots=True)
class _Renewed:
    """What is reserved again.

    Attributes:
        doubted: The cart item ids that Rokt may hold by a reserve without a response.
        notes: Row id → the row in the state *asked* that records this reserve.
    """

    order: OrderRow
    gone: Sequence[Reservation]
    doubted: frozenset[str]
    notes: Mapping[str, Reservation]


class Renewal:
    """Makes a confirm ready to be sent."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        api: CartApi,
        clock: Callable[[], datetime],
        outbox: Outbox,
    ) -> None:
        self._settings = settings
        self._store = store
        self._reserve_calls = ReserveCalls(api)
        self._clock = clock
        self._outbox = outbox
        self._releases = Releases(outbox)

    def prepare(self, owed: OwedCall, *, limit: float) -> Ready:
        """Return the confirm to send: this one, or another with new reservations.

        Nothing is to be sent when Rokt gave no response (the row is postponed), or when no item is
        left to confirm (the row is closed).
        """
        with self._store.read() as connection:
            order = find_order(connection, owed.order_id or "")
            rows = rows_by_id(connection, owed.subjects)
        expired = gone(rows, self._clock())
        if order is None or not expired:
            return Ready(owed)
        if owed.unknown and all(row.item_reservation_id is not None for row in expired):
            # The bytes must stay the same. But a row without a reservation was never sent, even if
            # its process died with the lease: it would buy by quantity.
            return Ready(owed)
        end = time.monotonic() + limit
        with self._store.write(wait=limit) as connection:
            # A crash from here on leaves nothing unknown: the confirm itself is not sent.
            if not mark_not_sending(connection, owed):
                return Ready(None)
            renewed = self._begin(connection, order, expired)
            options = _options_of(connection, order)
        asked = [replace(row, item=replace(row.item, quantity=row.quantity)) for row in expired]
        longest = time.monotonic() + self._settings.reserve_timeout
        # One attempt is enough: the outbox repeats it.
        result = self._reserve_calls.ask(
            asked, options, end=min(end, longest), number=owed.attempts, retry=False
        )
        with self._store.write(wait=max(end - time.monotonic(), LEAST_WAIT)) as connection:
            return self._settle(connection, owed, renewed, result)

    def _begin(
        self, connection: Connection, order: OrderRow, expired: Sequence[Reservation]
    ) -> _Renewed:
        """Record that these items are about to be asked for."""
        now = self._clock()
        asked_before = rows_of_session(connection, order.session_id, [State.ASKED])
        notes = {
            row.id: replace(
                row,
                id=new_id(),
                state=State.ASKED,
                order_id=None,
                created_at=now,
                item_reservation_id=None,
                granted_at=None,
                expires_at=None,
            )
            for row in expired
        }
        add_reservations(connection, notes.values())
        return _Renewed(order, expired, unanswered_items(asked_before, now), notes)

    def _settle(
        self, connection: Connection, owed: OwedCall, renewed: _Renewed, result: ReserveResult
    ) -> Ready:
        now = self._clock()
        # Locks the order: a cancel that is requested meanwhile holds it.
        order = find_order(connection, renewed.order.id, for_update=True) or renewed.order
        outcome = result.outcome
        found = {row.id: row for row in result.apply(now)[0]}
        # The deadline is final: an item that is not reserved by then is lost.
        waits = now < owed.deadline and any(
            row.id not in found or may_hold(renewed.doubted, row, found[row.id])
            for row in renewed.gone
        )
        if not (
            self._postpone(connection, owed, order, outcome)
            if waits
            else close(connection, owed, RowState.REPLACED)
        ):
            return Ready(None)  # the lease's new holder must assume that Rokt may hold the items
        known = found if isinstance(outcome, Done | Unknown) else renewed.notes
        delete_asked(
            connection, [note.id for row_id, note in renewed.notes.items() if row_id in known]
        )
        useless: list[Reservation] = []
        for row in renewed.gone:
            grant = found.get(row.id)
            if grant is not None and is_as_good(grant, row):
                change(
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
        self._releases.owe(
            connection, useless, accept_language=order.accept_language, claimed=False
        )
        return Ready(None) if waits else self._replace(connection, owed, order)

    def _postpone(
        self, connection: Connection, owed: OwedCall, order: OrderRow, outcome: Outcome
    ) -> bool:
        # The confirm itself was not sent, so this attempt cannot have taken effect.
        postponed = self._outbox.postpone(
            connection,
            owed,
            retry_after=getattr(outcome, "retry_after", None),
            unknown=False,
            last_error=NOT_YET,
        )
        if postponed:
            note_pending(connection, order, OrderError.RESERVE_PENDING, NOT_YET)
        return postponed

    def _without(self, connection: Connection, row: Reservation) -> None:
        if self._settings.confirm_unreserved:
            change(connection, row.id, State.CONFIRMING, item_reservation_id=None, by_quantity=True)
        else:
            change(connection, row.id, State.CONFIRMING, State.REFUND_NEEDED)

    def _replace(self, connection: Connection, owed: OwedCall, order: OrderRow) -> Ready:
        """Owe the confirm with its new bytes, unless no item is left to confirm."""
        rows = rows_of_order(connection, order.id)
        left = [row for row in rows if row.id in owed.subjects and row.state is State.CONFIRMING]
        lost = len(left) < len(owed.subjects)
        if lost:
            order = replace(order, error_code=OrderError.NOT_RESERVED, last_error=NOT_RESERVED)
            set_error(connection, order.id, order.error_code, order.last_error)
        is_news = sum_up(connection, order, rows) or lost
        if not left and not self._settings.confirm_every_order:
            return Ready(None, is_news)
        again = self._outbox.owe(
            connection,
            confirm_call(order, left),
            left,
            order=order,
            deadline=owed.deadline,
            claimed=True,
        )
        return Ready(again, is_news)


def _options_of(connection: Connection, order: OrderRow) -> ReserveOptions:
    """Return the options of the reserve whose quote was paid.

    The order's own attributes are for its confirm.
    """
    own = ReserveOptions(accept_language=order.accept_language)
    if order.quote_id is None:
        return own
    quote = find_quote(connection, order.session_id, order.quote_id)
    return quote.options.over(own) if quote is not None else own


def is_as_good(grant: Reservation, row: Reservation) -> bool:
    """Return whether a grant gives all that was paid for, for no more than was paid. Pure."""
    return (
        grant.state is State.RESERVED
        and grant.quantity >= row.quantity
        and grant.unit_price <= row.unit_price
        and grant.total_price <= row.total_price
    )


def may_hold(doubted: frozenset[str], row: Reservation, answer: Reservation) -> bool:
    """Return whether Rokt may refuse an item because an unanswered reserve holds it. Pure.

    ``answer``: the same row as Rokt's response to this reserve says.
    """
    if row.item.cart_item_id not in doubted:
        return False
    if answer.state is State.REJECTED:
        return answer.item_reservation_id is None
    return answer.quantity < row.quantity
