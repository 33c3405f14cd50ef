"""Handles: the secret names of sessions. New ones, rotated ones, and whose payment a handle is.

The database holds only their hashes. A login rotates the handle. For a while the old one still
pays for what was quoted before, and a request with it must retry.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from bff.errors import SessionMoved
from bff.store.tables import quotes, sessions


def new_handle() -> str:
    """Return a new handle: 256 random bits, in characters that fit a header and a URL."""
    return secrets.token_urlsafe(32)


def hash_handle(handle: str) -> str:
    """Return the hash of a handle as the database has it: SHA-256, in hexadecimal."""
    return hashlib.sha256(handle.encode()).hexdigest()


def change_handle(connection: Connection, old: str, new: str, *, now: datetime) -> bool:
    """Give a live session a new handle. False: the old handle has no live session.

    The old handle opens nothing from then on; ``find_payer`` says what it still pays for.
    """
    result = connection.execute(
        sessions.update()
        .where(sessions.c.handle_hash == hash_handle(old), sessions.c.expires_at > now)
        .values(handle_hash=hash_handle(new), previous_hash=hash_handle(old), rotated_at=now)
    )
    return result.rowcount == 1


# No browser waits longer for a response. A request with the old handle that comes later was sent
# after the login, whose response was lost. The shopper then gets a new session.
RETRY_AFTER_LOGIN = timedelta(minutes=5)


def refuse_moved(connection: Connection, handle: str, now: datetime) -> None:
    """Raise ``SessionMoved`` for the handle that a live session had until a recent login."""
    moved = select(sessions.c.id).where(
        sessions.c.previous_hash == hash_handle(handle),
        sessions.c.rotated_at > now - RETRY_AFTER_LOGIN,
        sessions.c.expires_at > now,
    )
    if connection.execute(moved).first() is not None:
        raise SessionMoved("The shopper logged in meanwhile: send the request again.")


# A shopper who logged in while paying has paid within this time: reservations last for less.
PAYS_BY_OLD_HANDLE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose payment it is. ``quote_id`` None: the session's last quote is paid for."""

    session_id: str
    quote_id: str | None


def find_payer(
    connection: Connection, handle: str | None, quote_id: str | None, *, now: datetime
) -> Payer | None:
    """Return whose payment it is, or None. The session may have expired.

    The session is found by its handle, else by the quote: quote ids are ours, and cannot be
    guessed. The handle from before a login pays for quotes from before the login, and only for a
    while: an attacker may have planted it, and must not buy what the shopper chose since.
    """
    if handle is not None:
        hashed = hash_handle(handle)
        by_handle = select(sessions.c.id).where(sessions.c.handle_hash == hashed)
        found = connection.execute(by_handle).scalar()
        if found is not None:
            return Payer(found, quote_id)
        before = (
            select(quotes.c.session_id, quotes.c.id)
            .join(sessions, sessions.c.id == quotes.c.session_id)
            .where(
                sessions.c.previous_hash == hashed,
                sessions.c.rotated_at > now - PAYS_BY_OLD_HANDLE,
                quotes.c.created_at < sessions.c.rotated_at,
            )
            .order_by(quotes.c.number.desc())
        )
        if quote_id is not None:
            before = before.where(quotes.c.id == quote_id)
        quote = connection.execute(before).first()
        if quote is not None:
            return Payer(*quote)
    if quote_id is None:
        return None
    by_quote = select(quotes.c.session_id).where(quotes.c.id == quote_id)
    found = connection.execute(by_quote).scalar()
    return None if found is None else Payer(found, quote_id)
