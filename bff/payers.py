"""Whose payment an order is: the session that a handle, an old one or a quote names.

Whoever pays gets what was quoted, so this is where a handle that an attacker planted before a
login must lead nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from bff.store import hash_handle
from bff.tables import quotes, sessions

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
