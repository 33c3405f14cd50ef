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

from datetime import datetime

from sqlalchemy import Connection, func, select

from bff.cart.quote import Quote
from bff.store.documents import dump_quote, load_quote
from bff.store.tables import quotes


def add_quote(connection: Connection, session_id: str, quote: Quote, *, now: datetime) -> None:
    """Keep a quote; it is the session's last one from now on."""
    last = connection.execute(
        select(func.max(quotes.c.number)).where(quotes.c.session_id == session_id)
    ).scalar()
    connection.execute(
        quotes.insert().values(
            id=quote.quote_id,
            session_id=session_id,
            number=(last or 0) + 1,
            created_at=now,
            document=dump_quote(quote),
        )
    )


def find_quote(
    connection: Connection, session_id: str, quote_id: str | None = None
) -> Quote | None:
    """Read a quote of the session: the named one, else the last."""
    query = select(quotes.c.document).where(quotes.c.session_id == session_id)
    if quote_id is not None:
        query = query.where(quotes.c.id == quote_id)
    text = connection.execute(query.order_by(quotes.c.number.desc()).limit(1)).scalar()
    return None if text is None else load_quote(text)
