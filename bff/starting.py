"""Whether a shop may start on its database: not where the tables are of another version.

An empty database, and one that cannot be reached now, keep no shop from starting: its own
checkout works without the upsell, and each call of ours answers 503. The start logs the cure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import click

from bff import schema
from bff.errors import SchemaMismatch, StoreUnavailable
from bff.store import Store

log = logging.getLogger("bff.starting")

_COMMAND = "rokt_bff.command"


def check(store: Store, *, is_to_have_tables: bool = True) -> None:
    """Raise ``SchemaMismatch``, with the cure, when there are tables of another version.

    Where there are none a warning has the cure, if ``is_to_have_tables``. Not under a command of
    ours: each looks for itself, and ``init-db`` must run on what is older.
    """

    def look() -> None:
        if not _is_empty(store):
            with store.read() as connection:
                schema.check(connection)
        elif is_to_have_tables:
            log.warning("%s Until then nothing can be sold of Rokt's.", schema.NO_TABLES)

    _at_start(store, look)


def create_tables(store: Store) -> None:
    """Make the tables on an empty database; else as ``check``."""
    _at_start(store, store.create_schema)


def _at_start(store: Store, look: Callable[[], object]) -> None:
    """Leaves no connection behind: a server may fork after its app was made."""
    context = click.get_current_context(silent=True)
    if context is not None and context.meta.get(_COMMAND):
        return
    try:
        look()
    except SchemaMismatch:
        raise
    except StoreUnavailable as error:
        log.warning("the tables are not looked at: %s", error)
    finally:
        store.engine.dispose()


def _is_empty(store: Store) -> bool:
    if store.is_sqlite and not Path(store.engine.url.database or "").exists():
        return True  # to look for tables would make the file
    with store.read() as connection:
        return schema.is_empty(connection)


def begin_command() -> None:
    """Note that this is a command of ours, before it loads its app."""
    click.get_current_context().meta[_COMMAND] = True
