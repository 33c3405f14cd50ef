"""The schema's version: which one a database has, and how it gets this package's.

Migrations by Alembic, kept in ``bff/migrations``. A start on another version stops and says
so; only ``init-db`` changes a database.
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


# Not Alembic's own name, which a shop's migrations may have.
VERSION_TABLE = "rokt_bff_version"


# Any number that nobody else uses: two servers that start at once migrate one after the other.
_ADVISORY_LOCK = 7_065_831_842


# In the order in which a server takes rows (see ``bff.store``): it and a migration, which would
# lock a table at a time in an order of its own, would end each other as a deadlock.
_WRITERS_KEPT_OUT = text(
    "LOCK TABLE sessions, orders, outbox, reservations, quotes IN EXCLUSIVE MODE"
)


def migrate(connection: Connection) -> bool:
    """Bring a database to this version, in the caller's transaction; False when it was there.

    A server may run meanwhile: what it would write waits, what it reads does not. Raises
    ``SchemaMismatch`` for a newer version and for a database of somebody else's.
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
    """Raise ``SchemaMismatch``, with the cure, unless the database is of this version."""
    found = _version(connection)
    _refuse_foreign(connection)
    if found is None:
        raise SchemaMismatch(NO_TABLES)
    _refuse_newer(connection)
    if found != head():
        raise SchemaMismatch(
            f"The database is of schema version {found}, older than this rokt-bff's {head()}. "
            f"{CURE}"
        )


def is_empty(connection: Connection) -> bool:
    """Tell whether there is no table at all."""
    return not inspect(connection).get_table_names()


def head() -> str:
    """Return this package's version of the schema."""
    found = _scripts(_location()).get_current_head()
    if found is None:
        raise SchemaMismatch("The package carries no migrations: it is not installed whole.")
    return found


def _version(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def _refuse_foreign(connection: Connection) -> None:
    if _version(connection) is None and not is_empty(connection):
        raise SchemaMismatch("The database has tables of somebody else: give rokt-bff its own.")


def _refuse_newer(connection: Connection) -> None:
    found = _version(connection)
    known = {script.revision for script in _scripts(_location()).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaMismatch(
            f"The database is of schema version {found}, which this rokt-bff does not know "
            f"(its own is {head()}): a newer one made it. Upgrade rokt-bff."
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
