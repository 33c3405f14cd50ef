"""When a reservation is renewed: before the shopper is charged, and before a confirm is sent. Pure.

A shopper's reserve renews what has less than the ``renew_margin`` setting left. A paid order's
item is renewed only when its reservation is gone, or about to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bff.cart.held_cart import Line
from bff.cart.reservation import PASSING, Reservation, State

# A reservation that expires within this time is gone when the call arrives.
ABOUT_TO_LAPSE = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a reserve has to do: rows to keep, lines to reserve, and rows to release.

    ``lapsed`` rows have expired, so they need no call.
    """

    keep: tuple[Reservation, ...]
    ask: tuple[Line, ...]
    release: tuple[Reservation, ...]
    lapsed: tuple[Reservation, ...]


def plan_reserve(
    lines: Sequence[Line], rows: Iterable[Reservation], *, now: datetime, margin: timedelta
) -> Plan:
    """Compare the held lines with the session's open rows that belong to no order.

    A reservation with less than ``margin`` left is renewed, so that it does not expire before the
    charge.
    """
    rows = tuple(rows)
    usable = {
        line.item.cart_item_id: row
        for line in lines
        for row in rows
        if row.is_for(line) and _is_usable(row, now, margin)
    }
    kept = {row.id for row in usable.values()}
    rest = [row for row in rows if row.state is State.RESERVED and row.id not in kept]
    return Plan(
        keep=tuple(usable.values()),
        ask=tuple(line for line in lines if line.item.cart_item_id not in usable),
        release=tuple(row for row in rest if not row.lapsed(now)),
        lapsed=tuple(row for row in rest if row.lapsed(now)),
    )


def _is_usable(row: Reservation, now: datetime, margin: timedelta) -> bool:
    if row.state is State.REJECTED:
        return row.reason not in PASSING
    if row.state is not State.RESERVED or row.lapsed(now):
        return False
    if row.expires_at is None or row.expires_at - now >= margin:
        return True
    # Rokt granted less than the margin. Then it is used to its end, and not renewed in a loop.
    return row.granted_at is not None and row.expires_at - row.granted_at < margin


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
