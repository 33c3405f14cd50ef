"""Session rows: the held cart by compare-and-set, the expiry, and the lease on calling Rokt."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select
from sqlalchemy.engine import Row

from bff.cart.held_cart import HeldCart
from bff.store.clock import shared
from bff.store.database import new_id
from bff.store.documents import dump_cart, load_cart
from bff.store.handles import hash_handle
from bff.store.tables import sessions

# A session in use ends too, so a leaked handle does not work for ever.
LONGEST_SESSION = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Session:
    """A shopper's session as stored. ``id`` is not a secret.

    ``lease_until``: until when a request calls Rokt for it, if one does.
    """

    id: str
    cart: HeldCart
    rokt_session_id: str
    created_at: datetime
    expires_at: datetime
    lease_until: datetime | None


def session_expiry(created_at: datetime, now: datetime, idle: timedelta) -> datetime:
    """Return when a session that changes now expires: after ``idle``, or ``LONGEST_SESSION``."""
    return min(now + idle, created_at + LONGEST_SESSION)


def create_session(
    connection: Connection,
    handle: str,
    *,
    now: datetime,
    expires_at: datetime,
    session_id: str | None = None,
) -> Session:
    """Insert a session with an empty cart, and return it."""
    session = Session(
        id=session_id or new_id(),
        cart=HeldCart(cart_id=new_id()),
        rokt_session_id=new_id(),
        created_at=now,
        expires_at=expires_at,
        lease_until=None,
    )
    connection.execute(
        sessions.insert().values(
            id=session.id,
            handle_hash=hash_handle(handle),
            cart=dump_cart(session.cart),
            version=session.cart.version,
            rokt_session_id=session.rokt_session_id,
            created_at=now,
            expires_at=expires_at,
        )
    )
    return session


def find_session(
    connection: Connection, handle: str, *, now: datetime | None, for_update: bool = False
) -> Session | None:
    """Return the session of a handle that is live ``now``, or None.

    With ``now`` None an expired session is returned too. ``for_update`` locks the row.
    """
    query = select(sessions).where(sessions.c.handle_hash == hash_handle(handle))
    if now is not None:
        query = query.where(sessions.c.expires_at > now)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    return None if row is None else _session(row)


def get_session(
    connection: Connection, session_id: str, *, for_update: bool = True
) -> Session | None:
    """Return a session by our id, expired or not. Its row is locked by default."""
    query = select(sessions).where(sessions.c.id == session_id)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    return None if row is None else _session(row)


def sessions_by_id(connection: Connection, ids: Collection[str]) -> dict[str, Session]:
    """Return sessions by our ids, expired or not, without a lock."""
    rows = connection.execute(select(sessions).where(sessions.c.id.in_(ids)))
    return {row.id: _session(row) for row in rows}


def save_cart(connection: Connection, session: Session, cart: HeldCart, **more: Any) -> bool:
    """Write a cart over the version that was read. False: another request wrote one since."""
    result = connection.execute(
        sessions.update()
        .where(sessions.c.id == session.id, sessions.c.version == session.cart.version)
        .values(cart=dump_cart(cart), version=cart.version, **more)
    )
    return result.rowcount == 1


def set_rokt_session(connection: Connection, session: Session, rokt_session_id: str) -> None:
    """Write the Web SDK's session id; the cart and the expiry stay as they are."""
    connection.execute(
        sessions.update().where(sessions.c.id == session.id).values(rokt_session_id=rokt_session_id)
    )


def take_lease(
    connection: Connection, session: Session, token: str, *, now: datetime, lasts: timedelta
) -> bool:
    """Take the lease on calling Rokt for this session. False: another request holds it."""
    now = shared(connection, now)
    result = connection.execute(
        sessions.update()
        .where(
            sessions.c.id == session.id,
            or_(sessions.c.lease_until.is_(None), sessions.c.lease_until <= now),
        )
        .values(lease_token=token, lease_until=now + lasts)
    )
    return result.rowcount == 1


def end_lease(connection: Connection, session_id: str, token: str) -> bool:
    """Give the lease back. False: it had expired, and another request holds it."""
    result = connection.execute(
        sessions.update()
        .where(sessions.c.id == session_id, sessions.c.lease_token == token)
        .values(lease_token=None, lease_until=None)
    )
    return result.rowcount == 1


def open_derived_session(
    connection: Connection, session_id: str, handle: str, *, now: datetime, expires_at: datetime
) -> None:
    """Create a session with a known id, once, with this handle.

    An instant purchase derives both from the shopper's session. After a login the shopper has
    another handle, so an existing session gets the new one.
    """
    if get_session(connection, session_id) is None:
        create_session(connection, handle, now=now, expires_at=expires_at, session_id=session_id)
        return
    hashed = hash_handle(handle)
    connection.execute(
        sessions.update()
        .where(sessions.c.id == session_id, sessions.c.handle_hash != hashed)
        .values(handle_hash=hashed, previous_hash=sessions.c.handle_hash, rotated_at=now)
    )


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.id,
        cart=load_cart(row.cart),
        rokt_session_id=row.rokt_session_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        lease_until=row.lease_until,
    )
