"""The outbox: calls owed to Rokt, each a row with fixed bytes, claimed by a lease.

A row is written in the transaction of the state that it follows from. A lease is a token with an
end; only its holder settles the row. A lease that expired while the bytes may have been sent
means that the process died: that attempt is *unknown*. ``bff.outbox.settlement`` decides what an
outcome means for orders and reservations.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, or_, select
from sqlalchemy.engine import Row

from bff.cart.order import OrderRow
from bff.cart.reservation import Reservation
from bff.config.settings import Settings
from bff.outbox.backoff import backoff
from bff.rokt.calls import PATHS, Call, Kind
from bff.store.clock import shared
from bff.store.database import new_id
from bff.store.tables import outbox

# Longer than the longest call (``confirm_timeout`` is at most 20 s), so that a live process still
# holds it when the response comes. Short enough that a killed server's calls go on soon.
LEASE = timedelta(seconds=30)


class RowState(StrEnum):
    """The state of a row. All but ``queued`` are final; a row is deleted by the purge only."""

    QUEUED = "queued"
    DONE = "done"
    REFUSED = "refused"
    GAVE_UP = "gave_up"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class OwedCall:
    """A row of the outbox, mostly a claimed one.

    Attributes:
        subjects: The ids of the reservation rows that it is about.
        attempts: How often it was attempted, with the attempt under way.
        unknown: An earlier attempt may have taken effect.
        deadline: When it is given up.
        token: Proves the lease.
        until: When the lease ends, by this process's monotonic clock.
    """

    id: int
    call: Call
    session_id: str
    order_id: str | None
    subjects: tuple[str, ...]
    attempts: int
    unknown: bool
    deadline: datetime
    token: str = field(repr=False)
    until: float = math.inf


class Outbox:
    """The rows of the outbox. Every method runs in the caller's transaction."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._lasts = timedelta(seconds=settings.confirm_deadline)
        self._clock = clock

    def owe(
        self,
        connection: Connection,
        call: Call,
        rows: Sequence[Reservation],
        *,
        order: OrderRow | None = None,
        deadline: datetime | None = None,
        claimed: bool = False,
    ) -> OwedCall:
        """Insert a row about these reservation rows, or about an order.

        ``deadline`` None: after the setting ``confirm_deadline``. ``claimed``: the caller holds the
        lease, and attempts the call at once. If it never does, the worker claims the row.
        """
        now = self._clock()
        token = new_id()
        session_id = rows[0].session_id if order is None else order.session_id
        owed = OwedCall(
            id=0,
            call=call,
            session_id=session_id,
            order_id=None if order is None else order.id,
            subjects=tuple(row.id for row in rows),
            attempts=1 if claimed else 0,
            unknown=False,
            deadline=deadline or now + self._lasts,
            token=token,
            until=_lease_end(),
        )
        row_id: int = connection.execute(
            outbox.insert()
            .values(
                kind=call.kind.name.lower(),
                state=RowState.QUEUED.value,
                session_id=owed.session_id,
                order_id=owed.order_id,
                path=PATHS[call.kind],
                headers=json.dumps(dict(call.headers)),
                body=call.body,
                subjects=json.dumps(owed.subjects),
                attempts=owed.attempts,
                unknown=False,
                sending=claimed,
                created_at=now,
                next_attempt_at=now,
                deadline=owed.deadline,
                lease_token=token if claimed else None,
                lease_until=shared(connection, now) + LEASE if claimed else None,
            )
            .returning(outbox.c.id)
        ).scalar_one()
        return replace(owed, id=row_id)

    def owe_again(self, connection: Connection, row_id: int) -> None:
        """Owe a closed row again, with the same bytes and a new deadline."""
        now = self._clock()
        connection.execute(
            outbox.update()
            .where(outbox.c.id == row_id)
            .values(state=RowState.QUEUED.value, next_attempt_at=now, deadline=now + self._lasts)
        )

    def is_due(self, connection: Connection, due_by: datetime | None = None) -> bool:
        """Return whether there is a row to claim, without a lock."""
        now = self._clock()
        due = _due(now, shared(connection, now), due_by)
        return connection.execute(due.limit(1)).scalar() is not None

    def claim(
        self, connection: Connection, most: int, due_by: datetime | None = None
    ) -> list[OwedCall]:
        """Claim the rows that are due longest. Attempt them at once.

        ``due_by``: only rows that were due then, or never attempted. A row that was attempted since
        is due later, so a caller who keeps to one time gets no row twice.
        """
        if most <= 0:
            return []
        now = self._clock()
        lease_now = shared(connection, now)
        due = _due(now, lease_now, due_by).limit(most).with_for_update(skip_locked=True)
        found = connection.execute(due).scalars().all()
        if not found:
            return []
        token = new_id()
        taken = connection.execute(
            outbox.update()
            .where(
                outbox.c.id.in_(found),
                outbox.c.state == RowState.QUEUED.value,
                or_(outbox.c.lease_until.is_(None), outbox.c.lease_until <= lease_now),
            )
            .values(
                attempts=outbox.c.attempts + 1,
                # The lease expired while the bytes may have been sent.
                unknown=or_(outbox.c.unknown, outbox.c.sending),
                sending=True,
                lease_token=token,
                lease_until=lease_now + LEASE,
            )
            .returning(*outbox.c)
        ).all()
        owed = {row.id: _owed(row, token) for row in taken}
        return [owed[row_id] for row_id in found if row_id in owed]

    def postpone(
        self,
        connection: Connection,
        owed: OwedCall,
        *,
        retry_after: float | None,
        unknown: bool,
        last_error: str,
    ) -> bool:
        """Give a row back for a later attempt. False: the lease is lost.

        The last attempt is at the deadline, however long Rokt asked to wait. ``unknown``: this
        attempt may have taken effect.
        """
        now = self._clock()
        wait = backoff(owed.attempts, retry_after, random.random())  # noqa: S311 - spreads load
        return _write(
            connection,
            owed,
            next_attempt_at=min(now + timedelta(seconds=wait), max(owed.deadline, now)),
            unknown=owed.unknown or unknown,
            last_error=last_error,
        )


def mark_not_sending(connection: Connection, owed: OwedCall) -> bool:
    """Record that a claimed row's bytes are not sent yet. False: the lease is lost."""
    result = connection.execute(
        outbox.update()
        .where(outbox.c.id == owed.id, outbox.c.lease_token == owed.token)
        .values(sending=False)
    )
    return result.rowcount == 1


def close(
    connection: Connection, owed: OwedCall, state: RowState, last_error: str | None = None
) -> bool:
    """Close a row for good. False: the lease is lost, and the caller must change nothing."""
    return _write(connection, owed, state=state.value, last_error=last_error, unknown=owed.unknown)


def _due(now: datetime, lease_now: datetime, due_by: datetime | None) -> Select[tuple[int]]:
    query = select(outbox.c.id).where(
        outbox.c.state == RowState.QUEUED.value,
        outbox.c.next_attempt_at <= now,
        or_(outbox.c.lease_until.is_(None), outbox.c.lease_until <= lease_now),
    )
    if due_by is not None:
        query = query.where(or_(outbox.c.next_attempt_at <= due_by, outbox.c.attempts == 0))
    return query.order_by(outbox.c.next_attempt_at, outbox.c.id)


def _write(connection: Connection, owed: OwedCall, **values: Any) -> bool:
    result = connection.execute(
        outbox.update()
        .where(
            outbox.c.id == owed.id,
            outbox.c.state == RowState.QUEUED.value,
            outbox.c.lease_token == owed.token,
        )
        .values(lease_token=None, lease_until=None, sending=False, **values)
    )
    return result.rowcount == 1


def _owed(row: Row[Any], token: str) -> OwedCall:
    return OwedCall(
        id=row.id,
        call=Call(Kind[row.kind.upper()], bytes(row.body), json.loads(row.headers)),
        session_id=row.session_id,
        order_id=row.order_id,
        subjects=tuple(json.loads(row.subjects)),
        attempts=row.attempts,
        unknown=row.unknown,
        deadline=row.deadline,
        token=token,
        until=_lease_end(),
    )


def _lease_end() -> float:
    return time.monotonic() + LEASE.total_seconds()
