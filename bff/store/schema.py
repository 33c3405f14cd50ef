"""The schema's version: the one that a database has, and the migration to ours.

Alembic's migrations are in ``bff/store/migrations``. A server does not start on another version;
only ``init-db`` changes a database.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from bff.errors import SchemaMismatch

CURE = "Run `flask rokt init-db` (or `rokt-bff init-db`) on it."

NO_TABLES = f"The database has no tables of rokt-bff. {CURE}"

# Alembic's default name may be used by the shop's own migrations.
VERSION_TABLE = "rokt_bff_version"

# An arbitrary number. Two servers that start at once migrate one after the other.
_ADVISORY_LOCK = 7_065_831_842

# In the order in which servers lock rows (see ``bff.store.database``). A migration by itself locks
# tables in another order, and would be a deadlock with a running server.
_WRITERS_KEPT_OUT = text(
    "LOCK TABLE sessions, orders, outbox, reservations, quotes IN EXCLUSIVE MODE"
)


def migrate(connection: Connection) -> bool:
    """Create or migrate the tables, in the caller's transaction. False: they are up to date.

    Writes from running servers wait until it finishes; reads do not wait. Raises
    ``SchemaMismatch`` when the tables are newer, or belong to another program.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    found = _version(connection)
    if found == head():
        return False
    _refuse_foreign(connection)
    _refuse_newer(connection)
    if found is not None and connection.dialect.name == "postgresql":
        connection.execute(_WRITERS_KEPT_OUT)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return True


def check(connection: Connection) -> None:
    """Raise ``SchemaMismatch``, with the cure, unless the tables are up to date."""
    found = _version(connection)
    _refuse_foreign(connection)
    if found is None:
        raise SchemaMismatch(NO_TABLES)
    _refuse_newer(connection)
    if found != head():
        raise SchemaMismatch(
            f"The database has schema version {found}. This rokt-bff needs {head()}. {CURE}"
        )


def is_empty(connection: Connection) -> bool:
    """Return whether the database has no table at all."""
    return not inspect(connection).get_table_names()


def head() -> str:
    """Return this package's version of the schema."""
    found = _scripts(_location()).get_current_head()
    if found is None:
        raise SchemaMismatch("The package has no migrations. Install it again: it is not complete.")
    return found


def _version(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def _refuse_foreign(connection: Connection) -> None:
    if _version(connection) is None and not is_empty(connection):
        raise SchemaMismatch(
            "The database has tables of another program. Give rokt-bff a database of its own."
        )


def _refuse_newer(connection: Connection) -> None:
    found = _version(connection)
    known = {script.revision for script in _scripts(_location()).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaMismatch(
            f"The database has schema version {found}. This rokt-bff knows only versions up to "
            f"{head()}. Upgrade rokt-bff."
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", _location())
    return config


def _location() -> str:
    return str(Path(__file__).parent / "migrations")


@lru_cache(maxsize=1)  # a health check must not read the files again
def _scripts(_location: str) -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
