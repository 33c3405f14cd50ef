"""Requests that a login overtook: they carry the handle that the session had until just now.

That handle is worthless, for an attacker may have planted it. But a request that the shopper's own
browser sent before the login's answer came has it too, and a new session for it would take the
place of the cookie that the login gave, and with it the cart. So it is asked to come again, with
the cookie that the browser has by then.

Only the last handle before is known: a request that is overtaken by two logins starts a session of
its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from bff.errors import SessionMoved
from bff.store import hash_handle
from bff.tables import sessions

# No browser waits longer for an answer, so whoever has the old handle later did not send it before
# the login: the login's answer was lost, say, and they are to go on with a new session.
OVERTAKEN = timedelta(minutes=5)


def refuse_moved(connection: Connection, handle: str, now: datetime) -> None:
    """Raise ``SessionMoved`` for the handle that a live session had until a login just now."""
    moved = select(sessions.c.id).where(
        sessions.c.previous_hash == hash_handle(handle),
        sessions.c.rotated_at > now - OVERTAKEN,
        sessions.c.expires_at > now,
    )
    if connection.execute(moved).first() is not None:
        raise SessionMoved("The shopper logged in meanwhile: ask again.")
