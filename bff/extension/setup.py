"""The parts of ``init_app``: the app's settings, its tables, and Flask-WTF beside it."""

from __future__ import annotations

import logging
from pathlib import Path

import click
from flask import Blueprint, Flask, request_started

from bff.config.security import insecure
from bff.config.settings import Settings
from bff.errors import ConfigError, SchemaMismatch, StoreUnavailable
from bff.store import schema
from bff.store.database import Store

log = logging.getLogger(__name__)

_COMMAND = "rokt_bff.command"


def read_settings(app: Flask, host: str | None) -> Settings:
    """Return the app's settings. Raises ``ConfigError``, which names every problem.

    ``host`` is the address of the standalone server, None for a shop.
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
    """Exempt our blueprint from Flask-WTF's CSRFProtect, because the guard has its own checks.

    CSRFProtect may be initialised after us, so this happens at the first request.
    """

    def exempt(sender: Flask) -> None:  # it does not hold the app, which may be dropped
        csrf = sender.extensions.get("csrf")
        if csrf is not None:
            csrf.exempt(blueprint)
        request_started.disconnect(exempt, sender)

    request_started.connect(exempt, app, weak=False)


def check_tables(store: Store, *, create: bool, warn_if_none: bool) -> None:
    """Check the tables when the app starts, except under our commands, which do it themselves.

    Leaves no connection open, because a server may fork later. Raises ``SchemaMismatch`` for
    tables of another version. A database that cannot be reached is only logged.

    Args:
        store: The database.
        create: Create the tables in an empty database.
        warn_if_none: Log a warning, with the cure, if the database has no tables.
    """
    context = click.get_current_context(silent=True)
    if context is not None and context.meta.get(_COMMAND):
        return
    try:
        if create:
            store.create_schema()
        elif not _is_empty(store):
            store.check_schema()
        elif warn_if_none:
            log.warning("%s Until then no upsell can be sold.", schema.NO_TABLES)
    except SchemaMismatch:
        raise
    except StoreUnavailable as error:
        log.warning("The tables were not checked: %s", error)
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
