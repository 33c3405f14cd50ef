"""What ``init_app`` needs of a shop's app: its settings, its folder, peace with its neighbours."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import click
from flask import Blueprint, Flask

from bff.config.security import insecure
from bff.config.settings import Settings
from bff.errors import ConfigError, SchemaMismatch, StoreUnavailable
from bff.store import schema
from bff.store.database import Store


def read_settings(app: Flask, host: str | None) -> Settings:
    """Read the app's settings. Raises ``ConfigError`` with every problem, insecure ones too."""
    settings, problems = Settings.read(app.config)
    wrong = {problem.split(" ")[0] for problem in problems}
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
    """Return the URL of a SQLite database in the app's instance folder, which it makes."""
    file = Path(app.instance_path) / "rokt-bff.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)  # what is owed to Rokt may name a shopper: for our own user's eyes
    return f"sqlite:///{file}"


def leave_to_the_guard(app: Flask, blueprint: Blueprint) -> None:
    """Keep Flask-WTF from a blueprint of ours, whichever of us is initialised first.

    It looks for a form's token; the guard has proofs of its own.
    """

    def exempt() -> None:
        csrf = app.extensions.get("csrf")
        if csrf is not None:
            csrf.exempt(blueprint)

    exempt()
    app.before_request(exempt)  # before what Flask-WTF registers later


log = logging.getLogger(__name__)


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
