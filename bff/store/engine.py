"""The engines: how SQLite and PostgreSQL are connected to, and how long anything of it waits.

SQLite is a file, and a file can be taken away under a running server. A connection that is open
would go on writing into what has no name any more, and all of it would be lost with the
process, paid orders as well. So every use of a connection looks first whether the file is still
the one that it has open, and a file that was there once is never made anew.

At the level DEBUG, SQLAlchemy logs every row that it reads, and ours hold what shoppers told. So
our engines have a logger of their own, ``sqlalchemy.engine.Engine.rokt_bff``, which says nothing
below INFO, whatever the shop's logging is set to. Statements it logs, without their parameters.
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

# How long a writer waits for the others, before the shopper is told to try again. Longer than
# any transaction here takes (a few milliseconds) and shorter than a shopper's patience.
LOCK_SECONDS = 5.0


LOGGING_NAME = "rokt_bff"


# The execution option of a transaction that writes: how many seconds it may wait for a lock.
WRITE = "rokt_bff_write"


Identity = tuple[int, int]


def _is_no_row(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.INFO


def make_engine(url: URL) -> Engine:
    """Make the engine of a database."""
    # A filter rather than a level of its own: INFO would log where the shop logs nothing.
    logging.getLogger(f"sqlalchemy.engine.Engine.{LOGGING_NAME}").addFilter(_is_no_row)
    return _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)


def _postgresql(url: URL) -> Engine:
    waits = f"-c lock_timeout={int(LOCK_SECONDS * 1000)}"
    engine = create_engine(
        url,
        hide_parameters=True,
        logging_name=LOGGING_NAME,
        pool_pre_ping=True,
        pool_timeout=LOCK_SECONDS,
        # As many connections as a server has threads, and one for its worker.
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
            # Until the transaction ends. Zero would mean without end.
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(int(wait * 1000), 1)}")

    return engine


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        logging_name=LOGGING_NAME,
        pool_timeout=LOCK_SECONDS,
        # Readers do not block each other: as many connections as a server has threads.
        pool_size=20,
        connect_args={"timeout": LOCK_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The driver's own idea of when to begin is switched off: see ``begin``.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")  # makes the file, where it is new
        # FULL: a commit is on the disk when it returns. NORMAL could lose the last ones with
        # the machine's power, and one of them may be somebody's paid order.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        wait = connection.get_execution_options().get(WRITE)
        # Each time: the connection may have been another's before, with less time.
        seconds = LOCK_SECONDS if wait is None else wait
        connection.exec_driver_sql(f"PRAGMA busy_timeout={int(seconds * 1000)}")
        connection.exec_driver_sql("BEGIN" if wait is None else "BEGIN IMMEDIATE")

    _watch_file(engine, Path(url.database or ""))
    return engine


def _watch_file(engine: Engine, path: Path) -> None:
    """Let no connection be used whose file is not (any more) the one of this name."""
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
