"""The database: read and write transactions, and the driver's errors as ours.

SQLite takes the write lock at the start of a transaction (``BEGIN IMMEDIATE``), so that none fails
half way. PostgreSQL locks rows. All code locks them in one order, so that there is no deadlock:
the session, the order, a row of the outbox, reservations. Code that changes reservations holds
their order, or their session while they have no order. No call to Rokt is made inside a
transaction.
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
    """Return a new id for a row (a UUID, which is not a secret)."""
    return str(uuid4())


class Store:
    """One database, by URL. Many threads and processes may use it at once."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if parsed.drivername == "postgresql":
            # SQLAlchemy's default is the older psycopg2.
            parsed = parsed.set(drivername="postgresql+psycopg")
        try:
            self.engine = make_engine(parsed)
        except ModuleNotFoundError as error:
            cure = "pip install 'rokt-bff[postgresql]'"
            raise ConfigError([f"ROKT_BFF_DATABASE_URL needs {error.name}: {cure}."]) from None
        # SQLite waits for the write lock by polling, with growing sleeps. Among the threads of one
        # process a lock is fairer and faster.
        self._writer = threading.Lock() if self.is_sqlite else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run queries on one consistent state."""
        with translated(), self.engine.connect() as connection:
            if not self.is_sqlite:
                # Else each query would see a state of its own. SQLite does so by itself.
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            yield connection

    @contextmanager
    def write(self, *, wait: float | None = None) -> Iterator[Connection]:
        """Run one transaction. It is durable when the block ends, or nothing has changed.

        ``wait``: how many seconds to wait for a lock, if less than usual. Raises
        ``StoreUnavailable`` when a lock was not free, or the database cannot be used.
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
        """Create the tables in an empty database. False: they exist already.

        Raises ``SchemaMismatch`` when they are of another version; see ``migrate``.
        """
        with self.write() as connection:
            if schema.is_empty(connection):
                return schema.migrate(connection)
            schema.check(connection)
            return False

    def migrate(self) -> bool:
        """Create the tables, or migrate them to this version. False: they are up to date.

        Raises ``SchemaMismatch`` when they are newer, or belong to another program.
        """
        with self.write() as connection:
            return schema.migrate(connection)

    def check_schema(self) -> None:
        """Raise ``SchemaMismatch``, with the cure, unless the tables are up to date."""
        with self.read() as connection:
            schema.check(connection)

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


# PostgreSQL: no such table, no such column.
_MISSING = frozenset({"42P01", "42703"})

# SQLite has one code for all of these.
_MISSING_WORDS = ("no such table", "no such column", "has no column")

# PostgreSQL: insufficient privilege.
_UNUSABLE = frozenset({"42501"})


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ``StoreUnavailable``, or ``InvalidInput`` for a bad text.

    The driver's message is dropped: it may hold a statement's parameters.
    """
    try:
        yield
    except UnicodeEncodeError:  # it holds the whole text
        raise InvalidInput("An id has half a character, which no database stores.") from None
    except (IntegrityError, ProgrammingError, DataError) as error:
        _refuse_missing(error)
        if getattr(error.orig, "sqlstate", None) in _UNUSABLE:
            reason = type(error.orig).__name__
            raise StoreUnavailable(f"The database cannot be used ({reason}).") from None
        # A bug of ours, not an outage. The engine keeps parameters out of the message, but
        # PostgreSQL's own message names the values of a duplicate key.
        reason = type(error.orig).__name__
        raise type(error)(error.statement, None, _WithoutMessage(reason)) from None
    except (DBAPIError, PoolTimeout) as error:
        _refuse_missing(error)
        reason = type(getattr(error, "orig", None) or error).__name__
        raise StoreUnavailable(f"The database cannot be used right now ({reason}).") from None


def _refuse_missing(error: DBAPIError | PoolTimeout) -> None:
    """Raise ``SchemaMismatch`` when a table or a column is missing."""
    cause = getattr(error, "orig", None)
    words = str(cause) if isinstance(cause, sqlite3.OperationalError) else ""
    missing = getattr(cause, "sqlstate", None) in _MISSING
    if missing or any(text in words for text in _MISSING_WORDS):
        raise SchemaMismatch(f"The database lacks the tables of this rokt-bff. {CURE}") from None


class _WithoutMessage(Exception):
    """Stands for the driver's error: its name without its message."""
