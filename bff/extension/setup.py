"""What ``init_app`` does with a shop's app: its settings, its tables, and Flask-WTF beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import click
from flask import Blueprint, Flask, request_started

from bff.config.security import insecure
from bff.config.settings import Settings
from bff.errors import ConfigError, SchemaMismatch, StoreUnavailable
from bff.store import schema
from bff.store.database import Store


def read_settings(app: Flask, host: str | None) -> Settings:
    """Return the app's settings.

    Args:
        app: The shop's app.
        host: The address of the standalone server, if it is one.

    Raises:
        ConfigError: Settings are missing, wrong or insecure; it names every one.
    """
    settings, wrong = Settings.read(app.config)
    problems = [*wrong.values()]
    problems.extend(insecure(settings, app.config, host, wrong))
    if not app.secret_key:
        problems.append(
            "SECRET_KEY is missing: set it to what "
            '`python -c "import secrets; print(secrets.token_hex())"` prints.'
        )
    if problems:
        raise ConfigError(problems)
    return settings


def default_database(app: Flask) -> str:
    """Return the URL of a SQLite database in the app's instance folder, and create the file."""
    file = Path(app.instance_path) / "rokt-bff.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)  # it holds personal data: only our own user may read it
    return f"sqlite:///{file}"


def exempt_from_csrf(app: Flask, blueprint: Blueprint) -> None:
    """Exempt our blueprint from Flask-WTF's CSRFProtect, which looks for a form's token.

    The guard has proofs of its own. CSRFProtect may be initialised after us, so this happens at the
    first request.
    """

    def exempt(_app: Flask) -> None:
        csrf = app.extensions.get("csrf")
        if csrf is not None:
            csrf.exempt(blueprint)
        request_started.disconnect(exempt, app)

    request_started.connect(exempt, app, weak=False)


log = logging.getLogger(__name__)


_COMMAND = "rokt_bff.command"


def check_tables(store: Store, *, warn_if_none: bool) -> None:
    """Check the tables when the app starts, but not under our commands, which check by themselves.

    Args:
        store: The database.
        warn_if_none: Log a warning, with the cure, if the database has no tables.

    Raises:
        SchemaMismatch: The tables are of another version.
    """

    def look() -> None:
        if not _is_empty(store):
            with store.read() as connection:
                schema.check(connection)
        elif warn_if_none:
            log.warning("%s Until then no upsell can be sold.", schema.NO_TABLES)

    _at_start(store, look)


def create_tables(store: Store) -> None:
    """Create the tables in an empty database, otherwise check them as ``check_tables`` does."""
    _at_start(store, store.create_schema)


def _at_start(store: Store, look: Callable[[], object]) -> None:
    """Run a check, and leave no connection open: a server may fork after its app was made."""
    context = click.get_current_context(silent=True)
    if context is not None and context.meta.get(_COMMAND):
        return
    try:
        look()
    except SchemaMismatch:
        raise
    except StoreUnavailable as error:
        log.warning("the tables were not checked: %s", error)
    finally:
        store.engine.dispose()


def _is_empty(store: Store) -> bool:
    if store.is_sqlite and not Path(store.engine.url.database or "").exists():
        return True  # a query would create the file
    with store.read() as connection:
        return schema.is_empty(connection)


def begin_command() -> None:
    """Record that this is one of our commands, before it loads its app."""
    click.get_current_context().meta[_COMMAND] = True
