"""How each kind of setting is read, from a Flask config or the environment. Pure.

A reader takes what was given and returns the setting, or raises ``ValueError`` with the rest of
the sentence that begins with the setting's name. No text of a secret is ever in that sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from ipaddress import ip_address
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bff.config.addresses import _address, is_loopback, is_origin
from bff.money import is_currency

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


# In an address, where none may be: an error that shows the address leaves it out.
_PASSWORD = re.compile(r":(?!//).*@")


# Where limits can be counted, all of them exactly: the storages of ``limits`` whose windows move.
_STORAGES = frozenset({"redis", "rediss", "redis+unix"})


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


def _url(value: object) -> str:
    text = _text(value).rstrip("/")
    parts = _address(text)
    if parts is None or parts.query or parts.fragment:
        raise ValueError("must be an address such as https://api.rokt.com")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must be https: the API key travels with every call")
    return text


def _database(value: object) -> str:
    text = _text(value)
    if not text:
        return text
    try:
        url = make_url(text)
        url.get_dialect()
    except (ArgumentError, ValueError):  # whose own text would show a part of the password
        raise ValueError("must be a database URL such as sqlite:///rokt-bff.db") from None
    if "@" in (url.host or ""):  # and the driver would log a part of it as the host's name
        raise ValueError("has an @ too many: one in a password is written %40")
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ValueError("must be such as sqlite:///rokt-bff.db or postgresql://user:key@host/name")
    in_memory = url.database in {None, "", ":memory:"} or url.query.get("mode") == "memory"
    if url.get_backend_name() == "sqlite" and in_memory:
        raise ValueError("must name a file: a database in memory would lose what was paid for")
    return text


def _origin(value: object) -> str:
    text = _text(value)
    if text and not is_origin(text):
        raise ValueError("must be an exact origin, such as https://shop.example")
    return text


def _proxy(value: object) -> str:
    text = _text(value)
    if text not in {"", "*"}:
        try:
            return str(ip_address(text))
        except ValueError:
            raise ValueError("must be the proxy's IP address, or * for any") from None
    return text


def _storage(value: object) -> str:
    text = _text(value)
    if text == "memory://":
        return text
    scheme, _, rest = text.partition("://")
    try:
        good = scheme in _STORAGES and bool(rest) and urlsplit(text).port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError("must be memory:// or such as redis://host:6379/0")
    if find_spec("redis") is None:
        raise ValueError("needs redis: pip install 'rokt-bff[redis]'")
    return text


def _origins(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else _text(value).split(",")
    origins = tuple(text for one in given if (text := _text(one)))
    wrong = [text for text in origins if not is_origin(text)]
    if wrong:
        listed = ", ".join(repr(_PASSWORD.sub(":…@", one)) for one in wrong)
        raise ValueError(f"has {listed}: an exact origin is needed, such as https://shop.example")
    return origins


READERS: Mapping[str, Callable[[object], object]] = {
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
    "origin": _origin,
    "origins": _origins,
    "proxy": _proxy,
    "storage": _storage,
}
