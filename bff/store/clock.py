"""The clock that leases go by: PostgreSQL's, or this machine's for SQLite.

Several machines may share a PostgreSQL. A lease written by a late clock would look expired to the
others while its call is under way. A SQLite file is on one machine, which has one clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

# A smaller difference is the round trip to the database, and matters to no lease.
NOTICEABLE = timedelta(seconds=1)


def system_time() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now(UTC)


def shared(connection: Connection, now: datetime) -> datetime:
    """Return a time of this machine's clock as a time of the database's clock."""
    return now - ahead(connection)


def ahead(connection: Connection) -> timedelta:
    """Return how far this machine's clock is ahead of the database's, if noticeably."""
    if connection.dialect.name != "postgresql":
        return timedelta()
    theirs: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    difference = system_time() - theirs
    return difference if abs(difference) >= NOTICEABLE else timedelta()
