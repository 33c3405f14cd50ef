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

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from bff.errors import SessionMoved
from bff.store.tables import quotes, sessions


def new_handle() -> str:
    """Make an opaque handle of 256 random bits, in letters that fit a header and a URL."""
    return secrets.token_urlsafe(32)


def hash_handle(handle: str) -> str:
    """Return what the database knows of a handle: its SHA-256, in hexadecimal."""
    return hashlib.sha256(handle.encode()).hexdigest()


def change_handle(connection: Connection, old: str, new: str, *, now: datetime) -> bool:
    """Let a session be known by a new handle. False when the old one has no live session.

    The old one is worthless from then on, but to a payment under way: see ``bff.payers``.
    """
    result = connection.execute(
        sessions.update()
        .where(sessions.c.handle_hash == hash_handle(old), sessions.c.expires_at > now)
        .values(handle_hash=hash_handle(new), previous_hash=hash_handle(old), rotated_at=now)
    )
    return result.rowcount == 1


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


# Who was on the way to pay when they logged in has paid within this time: reservations last
# for less.
PAYS_BY_OLD_HANDLE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose payment it is: a session, and the quote that it is for (None: the last one)."""

    session_id: str
    quote_id: str | None


def find_payer(
    connection: Connection, handle: str | None, quote_id: str | None, *, now: datetime
) -> Payer | None:
    """Return whom a payment is for, their session ended or not, or None.

    By the session's handle, else by the quote that was paid: quote ids are ours and cannot be
    guessed. The handle that it had before a login pays for a while for what was quoted before
    the login, and for nothing else: an attacker may have planted it, and must not buy what the
    shopper has chosen since.
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
