"""The outbox: calls owed to Rokt, each a row with fixed bytes, claimed by a lease.

A row is written in the transaction of the state that it follows from. Whoever claims it gets a
lease, a token with an end, and only its holder can settle the row. A lease that was left behind
while sending means that somebody died in the middle of a call: that attempt is *unknown*. What an
outcome does to orders and reservations is for ``bff.settling``.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, or_, select
from sqlalchemy.engine import Row

from bff.rokt.calls import PATHS, Call, Kind
from bff.store.clock import shared
from bff.store.database import new_id
from bff.store.tables import outbox

# Longer than the longest call (``confirm_timeout`` is refused above 20 s), so that a holder who
# is alive still has it when the answer comes; short enough that a killed server's calls go on.
LEASE = timedelta(seconds=30)


FIRST_WAIT = 1.0


# A quarter of an hour: an outage of a day then costs a hundred tries, not a hundred thousand.
LONGEST_WAIT = 900.0


class RowState(StrEnum):
    """Where a row stands. All but ``queued`` are final; none is deleted before its purge."""

    QUEUED = "queued"
    DONE = "done"
    REFUSED = "refused"
    GAVE_UP = "gave_up"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class OwedCall:
    """A claimed row: ``token`` proves it. ``subjects`` are ids of our reservation rows.

    ``unknown``: an attempt before this one may have taken effect. ``attempts`` counts this one.
    ``until``: when the lease ends, by this process's monotonic clock, which nobody sets.
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


def backoff(attempts: int, retry_after: float | None, jitter: float) -> float:
    """Return the seconds to wait after so many attempts.

    Doubles from one second to a quarter of an hour; ``jitter`` (0 to 1) takes away up to half,
    so that a thousand rows do not come back in one second. Never less than Rokt asked for.
    """
    wait = min(FIRST_WAIT * 2.0 ** min(attempts - 1, 20), LONGEST_WAIT)
    return max(wait * (1 - jitter / 2), retry_after or 0.0)


def enqueue(
    connection: Connection,
    call: Call,
    *,
    session_id: str,
    order_id: str | None,
    subjects: Iterable[str],
    now: datetime,
    deadline: datetime,
    in_line: bool,
) -> OwedCall:
    """Write a row. ``in_line``: claimed for whoever writes it, who attempts it at once.

    When that attempt is never made, the lease runs out and delivery takes over. Else the row is
    nobody's, and what is returned proves no lease: delivery claims it.
    """
    token, subjects = new_id(), tuple(subjects)
    attempts = 1 if in_line else 0
    row_id: int = connection.execute(
        outbox.insert()
        .values(
            kind=call.kind.name.lower(),
            state=RowState.QUEUED.value,
            session_id=session_id,
            order_id=order_id,
            path=PATHS[call.kind],
            headers=json.dumps(dict(call.headers)),
            body=call.body,
            subjects=json.dumps(subjects),
            attempts=attempts,
            unknown=False,
            sending=in_line,
            created_at=now,
            next_attempt_at=now,
            deadline=deadline,
            lease_token=token if in_line else None,
            lease_until=shared(connection, now) + LEASE if in_line else None,
        )
        .returning(outbox.c.id)
    ).scalar_one()
    return OwedCall(
        id=row_id,
        call=call,
        session_id=session_id,
        order_id=order_id,
        subjects=subjects,
        attempts=attempts,
        unknown=False,
        deadline=deadline,
        token=token,
        until=_lease_end(),
    )


def is_due(connection: Connection, *, now: datetime, due_by: datetime | None = None) -> bool:
    """Tell whether there is a row to claim, without locking anything."""
    due = _due(now, shared(connection, now), due_by)
    return connection.execute(due.limit(1)).scalar() is not None


def claim(connection: Connection, *, now: datetime) -> OwedCall | None:
    """Take the row that is due longest, or None when none is. Nobody else gets it meanwhile."""
    return next(iter(claim_some(connection, now=now, most=1)), None)


def claim_some(
    connection: Connection, *, now: datetime, most: int, due_by: datetime | None = None
) -> list[OwedCall]:
    """Take the rows that are due longest, up to so many. Nobody else gets them meanwhile.

    ``due_by``: only rows that were due then, or were never tried. What was tried since is due
    later, so whoever keeps to one instant gets no row twice. Send them at once: whoever dies with
    them in hand leaves each in the middle of a call.
    """
    if most <= 0:
        return []
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
            # A lease that was left behind in the middle of a call.
            unknown=or_(outbox.c.unknown, outbox.c.sending),
            sending=True,
            lease_token=token,
            lease_until=lease_now + LEASE,
        )
        .returning(*outbox.c)
    ).all()
    owed = {row.id: _owed(row, token) for row in taken}
    return [owed[row_id] for row_id in found if row_id in owed]


def hold_back(connection: Connection, owed: OwedCall) -> bool:
    """Note that the bytes of a claimed row do not go out yet. False when the lease is lost."""
    result = connection.execute(
        outbox.update()
        .where(outbox.c.id == owed.id, outbox.c.lease_token == owed.token)
        .values(sending=False)
    )
    return result.rowcount == 1


def settle(
    connection: Connection, owed: OwedCall, state: RowState, last_error: str | None = None
) -> bool:
    """Close a row for good. False when the lease is not ours any more: then do nothing else."""
    return _write(connection, owed, state=state.value, last_error=last_error, unknown=owed.unknown)


def postpone(
    connection: Connection,
    owed: OwedCall,
    *,
    now: datetime,
    retry_after: float | None,
    unknown: bool,
    last_error: str,
) -> bool:
    """Give a row back for a later attempt. ``unknown``: this one may have taken effect.

    At the deadline there is a last one, however long Rokt asked to wait: then it is given up.
    """
    wait = backoff(owed.attempts, retry_after, random.random())  # noqa: S311 - spreads load only
    return _write(
        connection,
        owed,
        next_attempt_at=min(now + timedelta(seconds=wait), max(owed.deadline, now)),
        unknown=owed.unknown or unknown,
        last_error=last_error,
    )


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
