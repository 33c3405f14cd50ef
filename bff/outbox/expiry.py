"""Reservations that are gone when their confirm is to be sent, by our clock or by Rokt's word.

Clocks differ, and Rokt may cut a grant short. So a confirm that Rokt refuses because a
reservation expired is taken like one whose reservation lapsed here: what it is about is reserved
again, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, select

from bff.cart.reservation import Reservation, State
from bff.outbox import queue as outbox
from bff.outbox.queue import OwedCall
from bff.rokt.calls import Kind
from bff.rokt.outcomes import Outcome, Refused
from bff.rokt.responses import says_expired
from bff.store import orders as order_book
from bff.store import reservations as ledger
from bff.store.tables import reservations

# A reservation that ends within this is as good as gone when the call arrives.
ABOUT_TO_LAPSE = timedelta(seconds=2)


def gone(rows: Sequence[Reservation], now: datetime) -> list[Reservation]:
    """Return those of an order's rows that must be reserved before they are confirmed."""
    soon = now + ABOUT_TO_LAPSE
    return [
        row
        for row in rows
        if row.state is State.CONFIRMING
        and not row.by_quantity
        and (row.item_reservation_id is None or row.lapsed(soon))
    ]


def to_look_at(connection: Connection, owed: Sequence[OwedCall], now: datetime) -> frozenset[int]:
    """Return the ids of the owed calls that have such rows.

    One query for many calls: nearly all of them go out as they are.
    """
    subjects = {
        subject: one.id for one in owed if one.call.kind is Kind.CONFIRM for subject in one.subjects
    }
    if not subjects:
        return frozenset()
    rows = reservations.c
    found = connection.execute(
        select(rows.id).where(
            rows.id.in_(subjects),
            rows.state == State.CONFIRMING.value,
            rows.by_quantity.is_(False),
            or_(rows.item_reservation_id.is_(None), rows.expires_at <= now + ABOUT_TO_LAPSE),
        )
    ).scalars()
    return frozenset(subjects[subject] for subject in found)


def may_be_lapsed(owed: OwedCall, outcome: Outcome) -> bool:
    """Tell whether Rokt refused a confirm, which surely had no effect, as expired. Pure."""
    return (
        owed.call.kind is Kind.CONFIRM
        and not owed.unknown
        and isinstance(outcome, Refused)
        and says_expired(outcome)
    )


def take_for_lapsed(
    connection: Connection, owed: OwedCall, outcome: Refused, now: datetime
) -> bool:
    """Note that the reservations of a confirm, or those that a refusal names, are gone.

    False where there are none, and where the lease on the confirm is lost.
    """
    # First the order, as everywhere: a cancel may be holding it.
    order = order_book.find_order(connection, owed.order_id or "", for_update=True)
    if order is None or not outbox.hold_back(connection, owed):
        return False
    held = [
        row
        for row in ledger.rows_by_id(connection, owed.subjects)
        if row.state is State.CONFIRMING and row.item_reservation_id is not None
    ]
    named = [
        row
        for row in held
        if not outcome.named.isdisjoint({row.item.cart_item_id, row.item_reservation_id})
    ]
    lapsed = named or held
    for row in lapsed:
        ledger.change(connection, row.id, State.CONFIRMING, expires_at=now)
    return bool(lapsed)
