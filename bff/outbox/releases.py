"""Release: gives reserved items back to Rokt's stock, early.

A row is *released* from the moment that the call is owed: nobody can confirm it any more, and
whoever confirmed it first leaves nothing to release. An unconfirmed reservation lapses by
itself too, so the call is worth trying only until then.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bff.cart.reservation import Reservation, State
from bff.config.settings import Settings
from bff.outbox import queue as outbox
from bff.outbox.delivery import Delivery
from bff.outbox.queue import OwedCall
from bff.rokt.calls import release_call
from bff.store import reservations as ledger


class Releases:
    """Owes releases and attempts them in line."""

    def __init__(self, settings: Settings, delivery: Delivery) -> None:
        self._settings = settings
        self._delivery = delivery

    def owe(
        self,
        connection: Connection,
        rows: Iterable[Reservation],
        now: datetime,
        *,
        attributes: Mapping[str, str] | None = None,
        accept_language: str | None = None,
    ) -> list[OwedCall]:
        """Let go of these rows and write the calls that tell Rokt, one a cart and Rokt session.

        Rows in the state reserved become released; those that are no longer so are left alone.
        A rejected row that Rokt holds something for keeps its state.
        """
        groups: dict[tuple[str, str], list[Reservation]] = {}
        for row in rows:
            if row.state is State.RESERVED and not ledger.change(
                connection, row.id, State.RESERVED, State.RELEASED
            ):
                continue
            groups.setdefault((row.cart_id, row.rokt_session_id), []).append(row)
        return [
            outbox.enqueue(
                connection,
                release_call(
                    cart_id=cart_id,
                    rows=group,
                    rokt_session_id=rokt_session_id,
                    accept_language=accept_language,
                    attributes=attributes,
                ),
                session_id=group[0].session_id,
                order_id=None,
                subjects=[row.id for row in group],
                now=now,
                deadline=self._deadline(group, now),
                in_line=True,
            )
            for (cart_id, rokt_session_id), group in groups.items()
        ]

    def send(self, owed: Sequence[OwedCall], *, limit: float) -> None:
        """Attempt these calls within ``limit`` seconds; what fails is delivery's."""
        end = time.monotonic() + limit
        for one in owed:
            self._delivery.attempt(one, limit=end - time.monotonic())

    def _deadline(self, rows: Sequence[Reservation], now: datetime) -> datetime:
        ends = [row.expires_at for row in rows]
        known = [end for end in ends if end is not None]
        if len(known) < len(ends):
            return now + timedelta(seconds=self._settings.confirm_deadline)
        return max(known)
