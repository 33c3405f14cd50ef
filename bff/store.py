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
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, func, or_, select
from sqlalchemy.engine import Row, make_url

from bff import engines, schema
from bff.cart import HeldCart
from bff.clocks import shared
from bff.documents import dump_cart, dump_quote, load_cart, load_quote
from bff.engines import make_engine
from bff.errors import ConfigError, StoreUnavailable
from bff.shapes import Quote
from bff.tables import quotes, sessions
from bff.translating import translated


@dataclass(frozen=True, slots=True)
class Session:
    """A shopper's session as stored. ``id`` is ours and no secret; the handle is not here."""

    id: str
    cart: HeldCart
    rokt_session_id: str
    created_at: datetime
    expires_at: datetime
    lease_until: datetime | None


def new_handle() -> str:
    """Make an opaque handle of 256 random bits, in letters that fit a header and a URL."""
    return secrets.token_urlsafe(32)


def hash_handle(handle: str) -> str:
    """Return what the database knows of a handle: its SHA-256, in hexadecimal."""
    return hashlib.sha256(handle.encode()).hexdigest()


def new_id() -> str:
    """Make an id for a row of ours (a UUID; it is no secret)."""
    return str(uuid4())


class Store:
    """One database, by URL. Safe to use from many threads and processes at once."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if parsed.drivername == "postgresql":
            # SQLAlchemy's own choice is the driver's previous generation.
            parsed = parsed.set(drivername="postgresql+psycopg")
        try:
            self.engine = make_engine(parsed)
        except ModuleNotFoundError as error:
            cure = "pip install 'rokt-bff[postgresql]'"
            raise ConfigError([f"ROKT_BFF_DATABASE_URL needs {error.name}: {cure}."]) from None
        # SQLite's own waiting for the write lock is a poll with growing sleeps; among the
        # threads of one process a lock is fairer and faster.
        self._writer = threading.Lock() if self.is_sqlite else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run queries on one consistent state. Raises ``StoreUnavailable``."""
        with translated(), self.engine.connect() as connection:
            if not self.is_sqlite:
                # Else each query would see a state of its own. SQLite does so by itself.
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            yield connection

    @contextmanager
    def write(self, *, wait: float | None = None) -> Iterator[Connection]:
        """Run one transaction; it is durable when the block ends, or nothing happened.

        ``wait``: the seconds that others may keep it from a lock, if less than is usual. Raises
        ``StoreUnavailable``.
        """
        usual = engines.LOCK_SECONDS
        wait = usual if wait is None else min(max(wait, 0.0), usual)
        end = time.monotonic() + wait
        if self._writer is not None and not self._writer.acquire(timeout=wait):
            raise StoreUnavailable("The database is busy; try again.")
        try:
            with translated(), self.engine.connect() as plain:
                left = max(end - time.monotonic(), 0.0)
                connection = plain.execution_options(**{engines.WRITE: left})
                with connection.begin():
                    yield connection
        finally:
            if self._writer is not None:
                self._writer.release()

    def create_schema(self) -> bool:
        """Create the tables on an empty database. False when they are there already.

        Raises ``SchemaMismatch`` when they are of another version: see ``migrate``.
        """
        with self.write() as connection:
            if schema.is_empty(connection):
                return schema.migrate(connection)
            schema.check(connection)
            return False

    def migrate(self) -> bool:
        """Bring the tables to this version, from nothing or an older one; False when they are.

        Raises ``SchemaMismatch`` when they are newer, or are somebody else's.
        """
        with self.write() as connection:
            return schema.migrate(connection)

    def check_schema(self) -> None:
        """Raise ``SchemaMismatch``, with the cure, unless the tables are of this version."""
        with self.read() as connection:
            schema.check(connection)

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


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


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.id,
        cart=load_cart(row.cart),
        rokt_session_id=row.rokt_session_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        lease_until=row.lease_until,
    )
