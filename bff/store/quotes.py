"""Quote rows: each quote as it was given, because it is what may be charged."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, func, select

from bff.cart.quote import Quote
from bff.store.documents import dump_quote, load_quote
from bff.store.sessions import get_session
from bff.store.tables import quotes


def add_quote(connection: Connection, session_id: str, quote: Quote, *, now: datetime) -> None:
    """Insert a quote, which becomes the session's last one."""
    last = select(func.coalesce(func.max(quotes.c.number), 0)).where(
        quotes.c.session_id == session_id
    )
    connection.execute(
        quotes.insert().values(
            id=quote.quote_id,
            session_id=session_id,
            number=last.scalar_subquery() + 1,
            created_at=now,
            document=dump_quote(quote),
        )
    )


def find_quote(
    connection: Connection, session_id: str, quote_id: str | None = None
) -> Quote | None:
    """Return a quote of the session, by default the last one, or None."""
    query = select(quotes.c.document).where(quotes.c.session_id == session_id)
    if quote_id is not None:
        query = query.where(quotes.c.id == quote_id)
    text = connection.execute(query.order_by(quotes.c.number.desc()).limit(1)).scalar()
    return None if text is None else load_quote(text)


def keep_quote(
    connection: Connection, session_id: str, quote_id: str, quote: Quote | None, now: datetime
) -> Quote | None:
    """Give a quote a known id, and delete the session's other quotes.

    A repeated instant purchase must be charged once. So None is returned when the total differs
    from the first quote's, which may have been charged already. ``quote`` None: the items cannot be
    had as the shopper saw them.
    """
    get_session(connection, session_id)  # locks it
    first = find_quote(connection, session_id, quote_id)
    if first is None and quote is None:
        return None
    others = (quotes.c.session_id == session_id, quotes.c.id != quote_id)
    connection.execute(quotes.delete().where(*others))
    if quote is None or (first is not None and first.totals != quote.totals):
        return None
    kept = replace(quote, quote_id=quote_id)
    if first is None:
        add_quote(connection, session_id, kept, now=now)
    else:
        update = quotes.update().where(quotes.c.id == quote_id)
        connection.execute(update.values(document=dump_quote(kept)))
    return kept
