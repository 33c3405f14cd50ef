"""A press as it is stored: one session of its own and one quote, whose ids never change.

Both ids are made of the shopper's session, by our own id for it, and of the press's id. So a
repetition finds them whatever happened in between: the shopper logged in, the reservations were
renewed, another language was asked for. What the shop charges by the quote's id it charges once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import Connection

from bff import store
from bff.documents import dump_quote
from bff.shapes import Quote
from bff.store import Session, hash_handle
from bff.tables import quotes, sessions

# A press is answered within seconds; a repetition comes within minutes.
SESSION_OF_A_PRESS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pressed:
    """The ids of a press's session and of its quote, the one that is charged."""

    session_id: str
    quote_id: str


def ids_of(shopper: Session, purchase_id: str) -> Pressed:
    """Return the ids of a shopper's press; nobody can guess them, as none can the shopper's."""
    of_shopper = UUID(shopper.id)
    return Pressed(
        session_id=str(uuid5(of_shopper, f"session {purchase_id}")),
        quote_id=str(uuid5(of_shopper, f"quote {purchase_id}")),
    )


def open_press(connection: Connection, ids: Pressed, own: str, now: datetime) -> None:
    """Start a press's session, once, known by the handle ``own``.

    Where a login gave the shopper another handle since, the press's follows it.
    """
    if store.get_session(connection, ids.session_id) is None:
        ends = now + SESSION_OF_A_PRESS
        store.create_session(connection, own, now=now, expires_at=ends, session_id=ids.session_id)
        return
    hashed = hash_handle(own)
    connection.execute(
        sessions.update()
        .where(sessions.c.id == ids.session_id, sessions.c.handle_hash != hashed)
        .values(handle_hash=hashed, previous_hash=sessions.c.handle_hash, rotated_at=now)
    )


def keep_quote(
    connection: Connection, ids: Pressed, quote: Quote | None, now: datetime
) -> Quote | None:
    """Make a quote the one of its press, for the shop to charge; None when the total is another.

    Then a charge that was perhaps made for the first would not be one for this. ``quote`` None:
    what can be had now is not what was pressed for. Beside a quote that was given to be charged
    no other stays, so that nothing else is confirmed.
    """
    store.get_session(connection, ids.session_id)  # locks it
    first = store.find_quote(connection, ids.session_id, ids.quote_id)
    if first is None and quote is None:
        return None
    others = (quotes.c.session_id == ids.session_id, quotes.c.id != ids.quote_id)
    connection.execute(quotes.delete().where(*others))
    if quote is None or (first is not None and first.totals != quote.totals):
        return None
    kept = replace(quote, quote_id=ids.quote_id)
    if first is None:
        store.add_quote(connection, ids.session_id, kept, now=now)
    else:
        now_says = quotes.update().where(quotes.c.id == ids.quote_id)
        connection.execute(now_says.values(document=dump_quote(kept)))
    return kept
