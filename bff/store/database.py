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

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bff.errors import ConfigError, InvalidInput, SchemaMismatch, StoreUnavailable
from bff.store import engine as engines
from bff.store import schema
from bff.store.engine import make_engine
from bff.store.schema import CURE


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


# PostgreSQL: no such table, no such column.
_MISSING = frozenset({"42P01", "42703"})


# SQLite has one code for all of it.
_MISSING_WORDS = ("no such table", "no such column", "has no column")


# PostgreSQL: no permission. The database is not ready for us.
_UNUSABLE = frozenset({"42501"})


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the driver raises into ``StoreUnavailable``, or ``InvalidInput`` of a text.

    Without its own text, which may carry a statement's parameters.
    """
    try:
        yield
    except UnicodeEncodeError:  # which has the whole text with it
        raise InvalidInput("An id has half a character, which no database keeps.") from None
    except (IntegrityError, ProgrammingError, DataError) as error:
        _refuse_missing(error)
        if getattr(error.orig, "sqlstate", None) in _UNUSABLE:
            reason = type(error.orig).__name__
            raise StoreUnavailable(f"The database cannot be used ({reason}).") from None
        # Ours, not the database's. The engine keeps the parameters out of the text, but
        # PostgreSQL's own words name the values of a key that is there already.
        reason = type(error.orig).__name__
        raise type(error)(error.statement, None, _Said(reason)) from None
    except (DBAPIError, PoolTimeout) as error:
        _refuse_missing(error)
        reason = type(getattr(error, "orig", None) or error).__name__
        raise StoreUnavailable(f"The database cannot be used right now ({reason}).") from None


def _refuse_missing(error: DBAPIError | PoolTimeout) -> None:
    """Raise ``SchemaMismatch`` where a table or a column is not there."""
    cause = getattr(error, "orig", None)
    words = str(cause) if isinstance(cause, sqlite3.OperationalError) else ""
    missing = getattr(cause, "sqlstate", None) in _MISSING
    if missing or any(text in words for text in _MISSING_WORDS):
        raise SchemaMismatch(f"The database lacks the tables of this rokt-bff. {CURE}") from None


class _Said(Exception):
    """Stands for the driver's error: its name without its words."""
