"""The settings: one frozen value, read once, every problem named at once.

Each field of ``Settings`` is the setting ``ROKT_BFF_<FIELD IN CAPITALS>`` of the Flask config
(from code, from ``FLASK_ROKT_BFF_…`` by ``from_prefixed_env``, or from ``ROKT_BFF_…`` for the
standalone server). A key with that prefix that no field has is a problem too: a typing error
in a time limit must not go unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from bff.config.readers import READERS
from bff.errors import ConfigError

PREFIX = "ROKT_BFF_"


def _setting(default: Any, about: str, kind: str, *, secret: bool = False) -> Any:
    """Declare a field: ``about`` is its line in the README's table.

    ``secret``: it is, or may hold, a password.
    """
    return field(default=default, repr=not secret, metadata={"about": about, "kind": kind})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Times are seconds. Secrets are not in ``repr``."""

    api_key: str = _setting("", "Rokt's secret API key. Required.", "header", secret=True)
    tag_id: str = _setting("", "Your Rokt tag (account) id. Required.", "header")
    api_url: str = _setting(
        "https://api.rokt.com", "Rokt's server API; `http://` for loopback only.", "url"
    )
    account_id: str = _setting(
        "", "Account id of the Web SDK. Set: pages load Rokt's own launcher.", "text"
    )
    sandbox: bool = _setting(False, "Start the Web SDK in its sandbox.", "switch")
    database_url: str = _setting(
        "",
        "SQLite or PostgreSQL; an `@` in a password is `%40`. "
        "Default: a SQLite file in the instance folder.",
        "database",
        secret=True,
    )  # fmt: skip
    url_prefix: str = _setting("/rokt", "Where the endpoints hang.", "path")
    public_url: str = _setting(
        "", "The origin at which browsers reach this server, such as `https://shop.example`.",
        "origin",
    )  # fmt: skip
    server_key: str = _setting(
        "", "Key of your backend for the server endpoints; empty: they are off.", "server key",
        secret=True,
    )  # fmt: skip
    server_key_previous: str = _setting(
        "", "The key before, which is good too while you change it.", "server key", secret=True
    )
    origins: tuple[str, ...] = _setting(
        (), "Exact origins of pages elsewhere, comma separated.", "origins"
    )
    default_currency: str = _setting(
        "", "For items that the SDK sends without a currency (`$`). Empty: refused.", "currency"
    )
    confirm_unreserved: bool = _setting(
        False, "Confirm held items that were never reserved, by quantity.", "switch"
    )
    confirm_every_order: bool = _setting(
        False, "Confirm orders without an upsell too, as Rokt advises.", "switch"
    )
    max_lines: int = _setting(50, "Lines in a cart.", "count")
    max_quantity: int = _setting(999, "Quantity of a line.", "count")
    max_body_bytes: int = _setting(65536, "Size of a request's body.", "count")
    updates_per_second: int = _setting(100, "Updates a second for one session.", "count")
    updates_per_second_client: int = _setting(200, "Updates a second from one address.", "count")
    sessions_per_minute: int = _setting(
        120, "Sessions that one address may start in a minute.", "count"
    )
    calls_per_minute: int = _setting(
        240, "Placements, reserves and releases in a minute from one address.", "count"
    )
    rate_limit_storage: str = _setting(
        "memory://", "Where the limits count; `redis://…` for several servers.", "storage",
        secret=True,
    )  # fmt: skip
    connect_timeout: float = _setting(
        1.0, "To look up and connect to Rokt, all of its addresses.", "call seconds"
    )
    placements_timeout: float = _setting(0.8, "placements/any, in all.", "call seconds")
    reserve_timeout: float = _setting(6.0, "Reserve, in all.", "call seconds")
    confirm_timeout: float = _setting(8.0, "Confirm and cancel in line, each.", "call seconds")
    renew_margin: float = _setting(
        60.0, "A reservation with less time left is renewed before a charge.", "seconds"
    )
    confirm_deadline: float = _setting(
        72 * 3600.0, "How long a call owed to Rokt is tried.", "seconds"
    )
    release_grace: float = _setting(
        300.0, "What a shopper left reserved is given back after this long.", "seconds"
    )
    max_calls: int = _setting(6, "Calls to Rokt at a time, for shoppers who wait.", "count")
    max_waiting: int = _setting(
        6, "Requests that wait for one of these; both together stay below the server's threads.",
        "count",
    )  # fmt: skip
    session_seconds: float = _setting(
        24 * 3600.0, "A session ends after this long without a change.", "seconds"
    )
    trusted_proxy: str = _setting(
        "", "Address of the proxy in front of `rokt-bff serve`, or `*`: its X-Forwarded-… count.",
        "proxy",
    )  # fmt: skip
    trusted_proxy_count: int = _setting(1, "How many proxies stand in a row there.", "count")
    deliver: bool = _setting(
        True, "Deliver owed calls by a thread of the standalone server.", "switch"
    )

    @classmethod
    def from_app(cls, config: Mapping[str, Any]) -> Settings:
        """Read the settings out of a Flask config.

        Raises ``ConfigError`` with every problem at once: missing, unknown, of a wrong form.
        """
        settings, problems = cls.read(config)
        if problems:
            raise ConfigError(problems)
        return settings

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> tuple[Settings, list[str]]:
        """Read what can be read, and say what is wrong with the rest, which has its default."""
        known = {PREFIX + f.name.upper(): f for f in fields(cls)}
        problems = [
            f"{key} is not a setting of rokt-bff.{_meant(key, known)}"
            for key in sorted(config)
            if key.startswith(PREFIX) and key not in known
        ]
        values: dict[str, Any] = {}
        for key, f in known.items():
            if key not in config:
                continue
            try:
                values[f.name] = READERS[f.metadata["kind"]](config[key])
            except ValueError as error:
                problems.append(f"{key} {error}.")
        for name, what in (
            ("api_key", "the secret key that Rokt gave you"),
            ("tag_id", "your Rokt tag id, such as 253_439d21r21r21321"),
        ):
            key = PREFIX + name.upper()
            if not values.get(name) and not any(p.startswith(key + " ") for p in problems):
                problems.append(
                    f"{key} is missing: set it to {what} (in the environment: {key} for "
                    f"rokt-bff, FLASK_{key} for a shop that reads it by from_prefixed_env)."
                )
        return cls(**values), problems

    @property
    def margin(self) -> timedelta:
        """``renew_margin`` as a duration."""
        return timedelta(seconds=self.renew_margin)


def _meant(key: str, known: Iterable[str]) -> str:
    close = get_close_matches(key, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else " The README lists them all."
