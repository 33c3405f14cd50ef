"""The settings: one frozen value, read once, every problem named at once.

Each field of ``Settings`` is the setting ``ROKT_BFF_<FIELD IN CAPITALS>`` of the Flask config
(from code, from ``FLASK_ROKT_BFF_…`` by ``from_prefixed_env``, or from ``ROKT_BFF_…`` for the
standalone server). A key with that prefix that no field has is a problem too: a typing error
in a time limit must not go unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bff.errors import ConfigError
from bff.money import is_currency

PREFIX = "ROKT_BFF_"

# A call to Rokt is made under a lease of 30 s (``bff.outbox.LEASE``). It must end well before
# that, or a second worker would make the call while the first one still waits.
MAX_CALL_SECONDS = 20.0
# Whoever has the server key can have goods fulfilled: it must not be guessed.
SHORTEST_KEY = 32
MAKE_KEY = 'make one with `python -c "import secrets; print(secrets.token_hex())"`'
# Ten years: beyond any use, and within what dates and databases can hold.
MAX_SECONDS = 10 * 365 * 24 * 3600.0
# What a database's whole numbers hold for sure.
MAX_COUNT = 1_000_000_000


_HEADER = re.compile(r"[\x21-\x7e]*")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
# A host name in the form that browsers send: lower case, international names in punycode.
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


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
        "", "SQLite or PostgreSQL. Default: a SQLite file in the instance folder.", "database",
        secret=True,
    )  # fmt: skip
    url_prefix: str = _setting("/rokt", "Where the endpoints hang.", "path")
    server_key: str = _setting(
        "", "Key of your backend for the server endpoints; empty: they are off.", "server key",
        secret=True,
    )  # fmt: skip
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
    rate_limit_storage: str = _setting(
        "memory://", "Where the limits count; `redis://…` for several servers.", "text",
        secret=True,
    )  # fmt: skip
    connect_timeout: float = _setting(1.0, "To connect to Rokt.", "call seconds")
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
    deliver: bool = _setting(
        True, "Deliver owed calls by a thread of the standalone server.", "switch"
    )

    @classmethod
    def from_app(cls, config: Mapping[str, Any]) -> Settings:
        """Read the settings out of a Flask config.

        Raises ``ConfigError`` with every problem at once: missing, unknown, of a wrong form.
        """
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
                values[f.name] = _READERS[f.metadata["kind"]](config[key])
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
        if problems:
            raise ConfigError(problems)
        return cls(**values)

    @property
    def margin(self) -> timedelta:
        """``renew_margin`` as a duration."""
        return timedelta(seconds=self.renew_margin)


def _meant(key: str, known: Iterable[str]) -> str:
    close = get_close_matches(key, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else " The README lists them all."


def _text(value: object) -> str:
    # from_prefixed_env reads JSON: 12345 comes as an int, which still is what was meant;
    # 12e5 comes as a float and true as a bool, of which the original text is gone.
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        raise ValueError(f'must be text, not {type(value).__name__}; in JSON, quote it: "…"')
    return str(value).strip()


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("must be true or false")


def _count(value: object) -> int:
    try:
        number = int(str(value).strip())
    except ValueError:
        number = 0
    if isinstance(value, bool) or not 1 <= number <= MAX_COUNT:
        raise ValueError(f"must be a whole number from 1 to {MAX_COUNT}")
    return number


def _seconds(value: object, most: float = MAX_SECONDS) -> float:
    try:
        number = float(str(value).strip())
    except ValueError:
        number = 0.0
    if isinstance(value, bool) or not 0 < number <= most:
        raise ValueError(f"must be a number of seconds above 0, at most {most:.0f}")
    return number


def _call_seconds(value: object) -> float:
    return _seconds(value, MAX_CALL_SECONDS)


def _header(value: object) -> str:
    text = _text(value)
    if not _HEADER.fullmatch(text):
        raise ValueError("must have printable ASCII without spaces: it travels in a header")
    return text


def _server_key(value: object) -> str:
    text = _header(value)
    if text and len(text) < SHORTEST_KEY:
        raise ValueError(f"must have {SHORTEST_KEY} characters or more; {MAKE_KEY}")
    return text


def _path(value: object) -> str:
    text = _text(value).rstrip("/")
    if not _PATH.fullmatch(text):
        raise ValueError("must be a path such as /rokt")
    return text


def _currency(value: object) -> str:
    text = _text(value)
    if text and not is_currency(text):
        raise ValueError("must be a currency code of ISO 4217, such as USD")
    return text


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _url(value: object) -> str:
    text = _text(value).rstrip("/")
    parts = _address(text)
    if parts is None or parts.query or parts.fragment:
        raise ValueError("must be an address such as https://api.rokt.com")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must be https: the API key travels with every call")
    return text


def _address(text: str) -> SplitResult | None:
    """Split an http(s) address as a browser writes it: no user, a good host, a good port."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
        good = bool(_HOST.fullmatch(host)) or str(ip_address(host)) == host
    except ValueError:
        return None
    return parts if good and parts.scheme in {"http", "https"} and "@" not in text else None


def _database(value: object) -> str:
    text = _text(value)
    if not text:
        return text
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # whose own text would show a part of the password
        raise ValueError("must be a database URL such as sqlite:///rokt-bff.db") from None
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ValueError("must be such as sqlite:///rokt-bff.db or postgresql://user:key@host/name")
    in_memory = url.database in {None, "", ":memory:"} or url.query.get("mode") == "memory"
    if url.get_backend_name() == "sqlite" and in_memory:
        raise ValueError("must name a file: a database in memory would lose what was paid for")
    return text


def _origins(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else _text(value).split(",")
    origins = tuple(text for one in given if (text := _text(one)))
    wrong = [text for text in origins if not _is_origin(text)]
    if wrong:
        listed = ", ".join(repr(text) for text in wrong)
        raise ValueError(f"has {listed}: an exact origin is needed, such as https://shop.example")
    return origins


def _is_origin(text: str) -> bool:
    parts = _address(text)
    if parts is None:
        return False
    host, port = parts.hostname or "", parts.port
    exact = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}"
    exact += f":{port}" if port is not None else ""
    return text == exact and port != {"http": 80, "https": 443}[parts.scheme]


_READERS: dict[str, Callable[[object], object]] = {
    "text": _text,
    "switch": _switch,
    "count": _count,
    "seconds": _seconds,
    "call seconds": _call_seconds,
    "header": _header,
    "server key": _server_key,
    "path": _path,
    "currency": _currency,
    "url": _url,
    "database": _database,
    "origins": _origins,
}
