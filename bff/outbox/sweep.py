"""The sweep: gives back what shoppers left reserved, and notes what lapsed.

A reservation is left behind when its session ended, or when its line changed after it was made
and no reserve followed. It is given back only a grace time later: a declined card is often
tried again, and another tab may be paying with the quote that it stands behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, select

from bff.cart.reservation import Reservation, State
from bff.config.settings import Settings
from bff.outbox import queue as outbox
from bff.rokt.calls import release_call
from bff.store import clock as clocks
from bff.store import reservations as ledger
from bff.store.database import Store
from bff.store.sessions import Session, get_session, sessions_by_id
from bff.store.tables import reservations

# Rows a transaction: the write lock must not be held for seconds.
BATCH = 200


class Sweep:
    """Sweeps one database. Any number may do so at once: a row is taken from its state once."""

    def __init__(self, settings: Settings, database: Store, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._store = database
        self._clock = clock

    def run_once(self) -> int:
        """Sweep once through all that is reserved; returns how many items were given back."""
        return sum(self.batches())

    def batches(self) -> Iterator[int]:
        """Sweep in bounded steps; each yields how many items it gave back."""
        after = ""
        while True:
            with self._store.read() as connection:
                rows = self._batch(connection, after)
                # Most are neither lapsed nor left behind: looking first spares the write lock.
                found = sessions_by_id(connection, {row.session_id for row in rows})
            if not rows:
                return
            after = rows[-1].id
            over: dict[str, list[Reservation]] = {}
            now = self._clock()
            for row in rows:
                if self._is_over(row, found.get(row.session_id), now):
                    over.setdefault(row.session_id, []).append(row)
            yield sum(self._sweep(session_id, mine) for session_id, mine in over.items())

    def _batch(self, connection: Connection, after: str) -> tuple[Reservation, ...]:
        now = self._clock()
        grace = timedelta(seconds=self._settings.release_grace)
        ids = connection.execute(
            select(reservations.c.id)
            .where(
                reservations.c.state == State.RESERVED.value,
                reservations.c.order_id.is_(None),
                or_(reservations.c.granted_at <= now - grace, reservations.c.expires_at <= now),
                reservations.c.id > after,
            )
            .order_by(reservations.c.id)
            .limit(BATCH)
        ).scalars()
        rows = ledger.rows_by_id(connection, ids)
        return tuple(sorted(rows, key=lambda row: row.id))

    def _is_over(self, row: Reservation, session: Session | None, now: datetime) -> bool:
        return row.lapsed(now) or is_left_behind(
            row,
            session,
            now,
            grace=timedelta(seconds=self._settings.release_grace),
            idle=timedelta(seconds=self._settings.session_seconds),
        )

    def _sweep(self, session_id: str, rows: Iterable[Reservation]) -> int:
        given_back: dict[str, list[Reservation]] = {}
        with self._store.write() as connection:
            now = self._clock()
            session = get_session(connection, session_id)
            if session is not None and _is_leased(connection, session, now):
                return 0
            for row in rows:
                if not self._is_over(row, session, now):
                    continue  # the shopper came back meanwhile
                to = State.EXPIRED if row.lapsed(now) else State.RELEASED
                taken = ledger.change(connection, row.id, State.RESERVED, to)
                if taken and to is State.RELEASED:
                    given_back.setdefault(row.rokt_session_id, []).append(row)
            for rokt_session_id, group in given_back.items():
                self._owe(connection, group, rokt_session_id, now)
        return sum(len(group) for group in given_back.values())

    def _owe(
        self,
        connection: Connection,
        rows: list[Reservation],
        rokt_session_id: str,
        now: datetime,
    ) -> None:
        longest = now + timedelta(seconds=self._settings.confirm_deadline)
        outbox.enqueue(
            connection,
            release_call(cart_id=rows[0].cart_id, rows=rows, rokt_session_id=rokt_session_id),
            session_id=rows[0].session_id,
            order_id=None,
            subjects=[row.id for row in rows],
            now=now,
            # Then Rokt has taken them back by itself.
            deadline=max(row.expires_at or longest for row in rows),
            in_line=False,
        )


def _is_leased(connection: Connection, session: Session, now: datetime) -> bool:
    """Tell whether somebody is reserving for it, by the clock that leases go by."""
    return session.lease_until is not None and session.lease_until > clocks.shared(connection, now)


def is_left_behind(
    row: Reservation, session: Session | None, now: datetime, *, grace: timedelta, idle: timedelta
) -> bool:
    """Tell whether nobody is going to pay for this reservation any more. Pure.

    ``grace`` counts from the end of the session (which ends ``idle`` after its last change), or
    from the last change of the cart.
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
