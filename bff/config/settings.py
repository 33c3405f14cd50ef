"""The settings: one frozen value that is read once. Every problem is named at once.

Each field of ``Settings`` is the setting ``ROKT_BFF_<FIELD IN CAPITALS>`` of the Flask config. The
config gets it from code, or from ``FLASK_ROKT_BFF_…`` by ``from_prefixed_env``. The standalone
server reads ``ROKT_BFF_…`` from the environment. A key with that prefix that is not a setting is a
problem too, so that a misspelled time limit is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from bff.config import readers

PREFIX = "ROKT_BFF_"


def _setting(
    default: Any, reader: Callable[[object], object], about: str, *, secret: bool = False
) -> Any:
    """Declare a field. A secret one is, or may hold, a password, and is not in the ``repr``."""
    return field(default=default, repr=not secret, metadata={"about": about, "reader": reader})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Times are seconds. Secrets are not in the ``repr``."""

    api_key: str = _setting("", readers.header, "Rokt's secret API key. Required.", secret=True)
    tag_id: str = _setting("", readers.header, "Your Rokt tag (account) id. Required.")
    api_url: str = _setting(
        "https://api.rokt.com", readers.url, "Rokt's server API; `http://` on this machine only."
    )
    account_id: str = _setting(
        "", readers.text, "Account id of the Web SDK. If set, pages load Rokt's own launcher."
    )
    sandbox: bool = _setting(False, readers.switch, "Start the Web SDK in its sandbox.")
    database_url: str = _setting(
        "",
        readers.database,
        "SQLite or PostgreSQL URL (`%40` for an `@` in a password). "
        "Default: a SQLite file in the instance folder.",
        secret=True,
    )
    url_prefix: str = _setting("/rokt", readers.path, "Path of the endpoints.")
    public_url: str = _setting(
        "", readers.origin, "Origin of this server in browsers, such as `https://shop.example`."
    )
    server_key: str = _setting(
        "",
        readers.server_key,
        "Key of your backend for the server endpoints. If empty, they are off.",
        secret=True,
    )
    server_key_previous: str = _setting(
        "", readers.server_key, "Previous key, valid while you change the key.", secret=True
    )
    origins: tuple[str, ...] = _setting(
        (), readers.origins, "Exact origins of pages on other sites, separated by commas."
    )
    default_currency: str = _setting(
        "", readers.currency, "Currency of items without one (`$`). If empty, they are refused."
    )
    confirm_unreserved: bool = _setting(
        False, readers.switch, "Confirm held items that were never reserved, by quantity."
    )
    confirm_every_order: bool = _setting(
        False, readers.switch, "Confirm orders without an upsell too, as Rokt advises."
    )
    max_lines: int = _setting(50, readers.count, "Maximum number of lines in a cart.")
    max_quantity: int = _setting(999, readers.count, "Maximum quantity of a line.")
    max_body_bytes: int = _setting(65536, readers.count, "Maximum size of a request's body.")
    updates_per_second: int = _setting(
        100, readers.count, "Maximum cart updates a second for one session."
    )
    updates_per_second_client: int = _setting(
        200, readers.count, "Maximum cart updates a second from one address."
    )
    sessions_per_minute: int = _setting(
        120, readers.count, "Maximum sessions started in a minute from one address."
    )
    calls_per_minute: int = _setting(
        240, readers.count, "Maximum calls to Rokt in a minute from one address."
    )
    rate_limit_storage: str = _setting(
        "memory://",
        readers.storage,
        "Where requests are counted. Several servers need `redis://…`.",
        secret=True,
    )
    connect_timeout: float = _setting(
        1.0, readers.call_seconds, "Limit for the look-up of Rokt's host and the connection to it."
    )
    placements_timeout: float = _setting(0.8, readers.call_seconds, "Limit for placements/any.")
    reserve_timeout: float = _setting(
        6.0, readers.call_seconds, "Limit for a reserve, with its second attempt."
    )
    confirm_timeout: float = _setting(
        8.0, readers.call_seconds, "Limit for a confirm or a cancel while the shop waits."
    )
    renew_margin: float = _setting(
        60.0, readers.seconds, "A reservation with less time left is renewed before a charge."
    )
    confirm_deadline: float = _setting(
        72 * 3600.0, readers.seconds, "How long a call owed to Rokt is retried."
    )
    release_grace: float = _setting(
        300.0, readers.seconds, "Items left reserved by a shopper are released after this long."
    )
    max_calls: int = _setting(
        6, readers.count, "Maximum calls to Rokt at a time for shoppers who wait."
    )
    max_waiting: int = _setting(
        6,
        readers.count,
        "Maximum requests that wait for one. Keep the sum of both below the server's threads.",
    )
    session_seconds: float = _setting(
        24 * 3600.0, readers.seconds, "A session ends after this long without a change."
    )
    trusted_proxy: str = _setting(
        "",
        readers.proxy,
        "Address of the proxy of `rokt-bff serve`, or `*`. Its X-Forwarded-… are trusted.",
    )
    trusted_proxy_count: int = _setting(1, readers.count, "Number of proxies in a row there.")
    deliver: bool = _setting(
        True, readers.switch, "Deliver owed calls in a thread of the standalone server."
    )

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> tuple[Settings, dict[str, str]]:
        """Read the settings from a Flask config.

        Args:
            config: The config; keys without ``PREFIX`` are ignored.

        Returns:
            The settings, and key → sentence for each missing, unknown or invalid key. An invalid
            setting has its default.
        """
        known = {PREFIX + f.name.upper(): f for f in fields(cls)}
        problems = {
            key: f"{key} is not a setting of rokt-bff.{_suggestion(key, known)}"
            for key in sorted(config)
            if key.startswith(PREFIX) and key not in known
        }
        values: dict[str, Any] = {}
        for key, f in known.items():
            if key not in config:
                continue
            try:
                values[f.name] = f.metadata["reader"](config[key])
            except ValueError as error:
                problems[key] = f"{key} {error}."
        for name, meaning in (
            ("api_key", "the secret key that Rokt gave you"),
            ("tag_id", "your Rokt tag id, such as 253_439d21r21r21321"),
        ):
            key = PREFIX + name.upper()
            if not values.get(name) and key not in problems:
                problems[key] = (
                    f"{key} is missing: set it to {meaning} (in the environment: {key} for "
                    f"rokt-bff, FLASK_{key} for a shop that reads it by from_prefixed_env)."
                )
        return cls(**values), problems

    @property
    def margin(self) -> timedelta:
        """``renew_margin`` as a duration."""
        return timedelta(seconds=self.renew_margin)


# The reference of each field is its ``about``, which is its line in the README's table too.
Settings.__doc__ = f"{Settings.__doc__}\n\n    Attributes:\n" + "\n".join(
    f"        {f.name}: {f.metadata['about']}" for f in fields(Settings)
)


def _suggestion(key: str, known: Iterable[str]) -> str:
    close = get_close_matches(key, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else " The README lists all settings."
