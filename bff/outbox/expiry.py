"""A confirm that Rokt refuses as expired. Pure.

Clocks differ, and Rokt may cut a reservation short. So such a confirm is treated like one whose
reservation expired by our clock: its items are reserved again, once.
"""

from __future__ import annotations

from collections.abc import Sequence

from bff.cart.reservation import Reservation, State
from bff.outbox.queue import OwedCall
from bff.rokt.calls import Kind
from bff.rokt.outcomes import Outcome, Refused
from bff.rokt.responses import says_expired


def may_be_lapsed(owed: OwedCall, outcome: Outcome) -> bool:
    """Return whether Rokt refused a confirm as expired, and it surely had no effect."""
    return (
        owed.call.kind is Kind.CONFIRM
        and not owed.unknown
        and isinstance(outcome, Refused)
        and says_expired(outcome)
    )


def lapsed_by(refusal: Refused, rows: Sequence[Reservation]) -> list[Reservation]:
    """Return the rows that a refusal as expired names, or all reserved ones if it names none."""
    held = [
        row for row in rows if row.state is State.CONFIRMING and row.item_reservation_id is not None
    ]
    named = [
        row
        for row in held
        if not refusal.named.isdisjoint({row.item.cart_item_id, row.item_reservation_id})
    ]
    return named or held
