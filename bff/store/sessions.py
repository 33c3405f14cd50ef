"""The database: transactions, the schema, and the sessions with their held carts and quotes.

Every change of a session's cart is a compare-and-set on its ``version``. SQLite takes the write
lock at the start of a transaction (``BEGIN IMMEDIATE``), so that none fails half way; on
PostgreSQL rows are locked, always in one order, so that no two wait for each other: the session,
then the order, then a row of the outbox, then reservations. Whoever changes reservations holds
what they belong to: their order, and before they have one their session. No network call is
ever made inside a transaction.

Whatever the database does wrong comes out as ``StoreUnavailable``.
"""

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


@dataclass(frozen=True, slots=True)
class Session:
    """A shopper's session as stored. ``id`` is ours and no secret; the handle is not here."""

    id: str
    cart: HeldCart
    rokt_session_id: str
    created_at: datetime
    expires_at: datetime
    lease_until: datetime | None


def create_session(
    connection: Connection,
    handle: str,
    *,
    now: datetime,
    expires_at: datetime,
    session_id: str | None = None,
) -> Session:
    """Write a new session with an empty cart, known by ``handle``."""
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
    """Read the session of a handle that lives ``now`` (None: ended or not), or None.

    ``for_update`` locks its row.
    """
    query = select(sessions).where(sessions.c.handle_hash == hash_handle(handle))
    if now is not None:
        query = query.where(sessions.c.expires_at > now)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    return None if row is None else _session(row)


def get_session(
    connection: Connection, session_id: str, *, for_update: bool = True
) -> Session | None:
    """Read a session by its own id, ended or not; its row is locked unless told otherwise."""
    query = select(sessions).where(sessions.c.id == session_id)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    return None if row is None else _session(row)


def sessions_by_id(connection: Connection, ids: Collection[str]) -> dict[str, Session]:
    """Read sessions by their own ids, ended or not, without locking them."""
    rows = connection.execute(select(sessions).where(sessions.c.id.in_(ids)))
    return {row.id: _session(row) for row in rows}


def save_cart(connection: Connection, session: Session, cart: HeldCart, **more: Any) -> bool:
    """Write a cart over the version that was read. False when somebody was faster."""
    result = connection.execute(
        sessions.update()
        .where(sessions.c.id == session.id, sessions.c.version == session.cart.version)
        .values(cart=dump_cart(cart), version=cart.version, **more)
    )
    return result.rowcount == 1


def set_rokt_session(connection: Connection, session: Session, rokt_session_id: str) -> None:
    """Note the Web SDK's own session id; the cart and the session's end stay as they are."""
    connection.execute(
        sessions.update().where(sessions.c.id == session.id).values(rokt_session_id=rokt_session_id)
    )


def take_lease(
    connection: Connection, session: Session, token: str, *, now: datetime, lasts: timedelta
) -> bool:
    """Take the right to call Rokt for this session for so long. False while another has it."""
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
    """Give the lease back. False when it had run out and another has it."""
    result = connection.execute(
        sessions.update()
        .where(sessions.c.id == session_id, sessions.c.lease_token == token)
        .values(lease_token=None, lease_until=None)
    )
    return result.rowcount == 1


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.id,
        cart=load_cart(row.cart),
        rokt_session_id=row.rokt_session_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        lease_until=row.lease_until,
    )
