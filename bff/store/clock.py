"""One clock for leases: the database's, where several machines share one.

A lease that one server wrote by a clock that is late would look over to all others while its
call is under way. So PostgreSQL's time counts, whatever a server's own clock says. SQLite's file
is on one machine, which has one clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

# Less is the way to the database and back, and matters to no lease.
NOTICEABLE = timedelta(seconds=1)


def system_time() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now(UTC)


def shared(connection: Connection, now: datetime) -> datetime:
    """Return ``now``, a time by this machine's clock, as the database's clock has it."""
    return now - ahead(connection)


def ahead(connection: Connection) -> timedelta:
    """Tell how far this machine's clock is ahead of the database's; zero if not noticeably."""
    if connection.dialect.name != "postgresql":
        return timedelta()
    theirs: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    difference = system_time() - theirs
    return difference if abs(difference) >= NOTICEABLE else timedelta()
