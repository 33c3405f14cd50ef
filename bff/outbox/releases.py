"""Owes a release: the call that gives reserved items back to Rokt's stock early.

From the moment that the call is owed, a row is *released*: no order can confirm it any more. A
reservation also expires by itself, so the call is worth attempting only until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from bff.cart.reservation import Reservation, State
from bff.outbox.queue import Outbox, OwedCall
from bff.rokt.calls import release_call
from bff.store.reservations import change


class Releases:
    """Owes releases."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def owe(
        self,
        connection: Connection,
        rows: Iterable[Reservation],
        *,
        attributes: Mapping[str, str] | None = None,
        accept_language: str | None = None,
        claimed: bool = True,
    ) -> list[OwedCall]:
        """Release these rows, and owe one call for each cart and Rokt session.

        A shopper's reserved row becomes *released*; one that is not reserved any more is left
        alone. Other rows keep their state: a rejected one that Rokt holds something for, and an
        order's. ``claimed``: the caller attempts the calls at once.
        """
        groups: dict[tuple[str, str], list[Reservation]] = {}
        for row in rows:
            is_shoppers = row.order_id is None and row.state is State.RESERVED
            if is_shoppers and not change(connection, row.id, State.RESERVED, State.RELEASED):
                continue
            groups.setdefault((row.cart_id, row.rokt_session_id), []).append(row)
        return [
            self._outbox.owe(
                connection,
                release_call(
                    cart_id=cart_id,
                    rows=group,
                    rokt_session_id=rokt_session_id,
                    accept_language=accept_language,
                    attributes=attributes,
                ),
                group,
                deadline=_expiry(group),
                claimed=claimed,
            )
            for (cart_id, rokt_session_id), group in groups.items()
        ]


def _expiry(rows: Iterable[Reservation]) -> datetime | None:
    """Return when the last of the reservations expires; None where one has no known end."""
    ends = [row.expires_at for row in rows]
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None
