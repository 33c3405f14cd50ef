"""SQLAlchemy engines for SQLite and PostgreSQL, and how long they wait.

A SQLite file may be deleted or replaced under a running server. An open connection would go on
writing to the old file, and paid orders would be lost with it. So each use of a connection first
checks that the file is the one that it opened. A file that existed once is never created again.

At DEBUG, SQLAlchemy logs every row that it reads, and rows hold personal data. So our engines log
to ``sqlalchemy.engine.Engine.rokt_bff``, which drops everything below INFO. Statements are logged
without their parameters.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError

# How long a writer waits for a lock before the shopper has to retry. Our transactions take a few
# milliseconds; a shopper waits longer than this for no page.
LOCK_SECONDS = 5.0

LOGGING_NAME = "rokt_bff"

# The execution option of a transaction that writes: how many seconds it may wait for a lock.
WRITE = "rokt_bff_write"

Identity = tuple[int, int]


def _is_not_a_row(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.INFO


def make_engine(url: URL) -> Engine:
    """Return a new engine for a database."""
    # A filter, not a level: a level of INFO would log in shops that log nothing.
    logging.getLogger(f"sqlalchemy.engine.Engine.{LOGGING_NAME}").addFilter(_is_not_a_row)
    return _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)


def _postgresql(url: URL) -> Engine:
    waits = f"-c lock_timeout={int(LOCK_SECONDS * 1000)}"
    engine = create_engine(
        url,
        hide_parameters=True,
        logging_name=LOGGING_NAME,
        pool_pre_ping=True,
        pool_timeout=LOCK_SECONDS,
        # One connection for each thread of a server, and one for its worker.
        pool_size=5,
        max_overflow=20,
        connect_args={
            "connect_timeout": url.query.get("connect_timeout", math.ceil(LOCK_SECONDS)),
            "options": " ".join([*url.normalized_query.get("options", ()), waits]),
        },
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        wait = connection.get_execution_options().get(WRITE)
        if wait is not None and wait < LOCK_SECONDS:
            # For this transaction. Zero would mean no limit.
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(int(wait * 1000), 1)}")

    return engine


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        logging_name=LOGGING_NAME,
        pool_timeout=LOCK_SECONDS,
        # Readers do not block each other: one connection for each thread of a server.
        pool_size=20,
        connect_args={"timeout": LOCK_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The driver does not begin transactions itself: see ``begin``.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")  # creates a new file
        # FULL: a commit is on the disk when it returns. With NORMAL a power cut could lose the
        # last commits, and one of them may be a paid order.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        wait = connection.get_execution_options().get(WRITE)
        # Each time: the connection's last user may have set a shorter one.
        seconds = LOCK_SECONDS if wait is None else wait
        connection.exec_driver_sql(f"PRAGMA busy_timeout={int(seconds * 1000)}")
        connection.exec_driver_sql("BEGIN" if wait is None else "BEGIN IMMEDIATE")

    _watch_file(engine, Path(url.database or ""))
    return engine


def _watch_file(engine: Engine, path: Path) -> None:
    """Refuse a connection whose file is not the one at this path any more."""
    seen: list[Identity] = []

    @event.listens_for(engine, "do_connect")
    def before(*_: object) -> None:
        if seen and _identity(path) is None:
            raise sqlite3.OperationalError("the database's file is gone")

    @event.listens_for(engine, "connect")
    def opened(_connection: object, record: Any) -> None:
        found = record.info["file"] = _identity(path)
        seen.extend([found] if found and not seen else [])

    @event.listens_for(engine, "checkout")
    def used(_connection: object, record: Any, _proxy: object) -> None:
        if record.info.get("file") != _identity(path):
            raise DisconnectionError("the database's file is another one")


def _identity(path: Path) -> Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
