"""Gives back what shoppers left reserved, and marks reservations that expired.

A reservation is abandoned when its session ended, or when its line changed and no reserve
followed. It is given back only after a grace time: a shopper often retries a declined card, and
another tab may be paying with the quote that the reservation stands behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bff.cart.reservation import Reservation, State
from bff.config.settings import Settings
from bff.outbox.releases import Releases
from bff.store.clock import shared
from bff.store.database import Store
from bff.store.reservations import change, rows_to_sweep
from bff.store.sessions import Session, get_session, sessions_by_id

# Rows of a transaction: the write lock must not be held for seconds.
BATCH = 200


class Sweep:
    """Sweeps one database. Any number may run at once: a row leaves its state only once."""

    def __init__(
        self, settings: Settings, store: Store, clock: Callable[[], datetime], releases: Releases
    ) -> None:
        self._grace = timedelta(seconds=settings.release_grace)
        self._idle = timedelta(seconds=settings.session_seconds)
        self._store = store
        self._clock = clock
        self._releases = releases

    def batches(self) -> Iterator[int]:
        """Sweep in bounded steps; each yields how many items it gave back."""
        after = ""
        while True:
            now = self._clock()
            with self._store.read() as connection:
                rows = rows_to_sweep(
                    connection, after=after, granted_before=now - self._grace, now=now, most=BATCH
                )
                # Most rows are neither expired nor abandoned: this saves the write lock.
                sessions = sessions_by_id(connection, {row.session_id for row in rows})
            if not rows:
                return
            after = rows[-1].id
            over: dict[str, list[Reservation]] = {}
            for row in rows:
                if self._is_over(row, sessions.get(row.session_id), now):
                    over.setdefault(row.session_id, []).append(row)
            yield sum(self._sweep(session_id, mine) for session_id, mine in over.items())

    def _is_over(self, row: Reservation, session: Session | None, now: datetime) -> bool:
        return row.lapsed(now) or is_abandoned(
            row, session, now, grace=self._grace, idle=self._idle
        )

    def _sweep(self, session_id: str, rows: Iterable[Reservation]) -> int:
        with self._store.write() as connection:
            now = self._clock()
            session = get_session(connection, session_id)
            if session is not None and _is_leased(connection, session, now):
                return 0
            # The shopper may have come back meanwhile.
            over = [row for row in rows if self._is_over(row, session, now)]
            for row in over:
                if row.lapsed(now):
                    change(connection, row.id, State.RESERVED, State.EXPIRED)
            live = [row for row in over if not row.lapsed(now)]
            owed = self._releases.owe(connection, live, claimed=False)
        return sum(len(one.subjects) for one in owed)


def _is_leased(connection: Connection, session: Session, now: datetime) -> bool:
    """Return whether a request is reserving for the session, by the clock that leases go by."""
    return session.lease_until is not None and session.lease_until > shared(connection, now)


def is_abandoned(
    row: Reservation, session: Session | None, now: datetime, *, grace: timedelta, idle: timedelta
) -> bool:
    """Return whether a reservation will not be paid for any more. Pure.

    ``session`` None: it was purged. ``idle``: how long after its last change a session ends.
    ``grace``: how long a reservation is kept after that, or after the cart's last change.
    """
    if session is None:
        return True
    if session.expires_at <= now:
        since = session.expires_at
    elif session.cart.cart_id != row.cart_id or not any(
        row.is_for(line) for line in session.cart.lines
    ):
        since = session.expires_at - idle
    else:
        return False
    return max(since, row.granted_at or row.created_at) + grace <= now
