"""What ``init_app`` needs of a shop's app: its settings, its folder, peace with its neighbours."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Flask

from bff.config import Settings
from bff.errors import ConfigError
from bff.hardening import insecure


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
