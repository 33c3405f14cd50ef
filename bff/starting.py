"""Whether a shop may start on its database: not where the tables are of another version.

An empty database, and one that cannot be reached now, keep no shop from starting: its own
checkout works without the upsell, and each call of ours answers 503 and names the cure.
"""

from __future__ import annotations

import logging
from pathlib import Path

import click

from bff import schema
from bff.errors import SchemaMismatch, StoreUnavailable
from bff.store import Store

log = logging.getLogger("bff.starting")

_COMMAND = "rokt_bff.command"


def check(store: Store) -> None:
    """Raise ``SchemaMismatch``, with the cure, when there are tables of another version.

    Not under a command of ours: each looks for itself, and ``init-db`` must run on what is older.
    Leaves no connection behind: a server may fork after its app was made.
    """
    context = click.get_current_context(silent=True)
    if context is not None and context.meta.get(_COMMAND):
        return
    if store.is_sqlite and not Path(store.engine.url.database or "").exists():
        return  # to look for tables would make the file
    try:
        with store.read() as connection:
            if not schema.is_empty(connection):
                schema.check(connection)
    except SchemaMismatch:
        raise
    except StoreUnavailable as error:
        log.warning("the tables are not looked at: %s", error)
    finally:
        store.engine.dispose()


def begin_command() -> None:
    """Note that this is a command of ours, before it loads its app."""
    click.get_current_context().meta[_COMMAND] = True
