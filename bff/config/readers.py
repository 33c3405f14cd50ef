"""Readers, one for each kind of setting, for values of a Flask config or the environment. Pure.

A reader takes the value and returns the setting. It raises ``ValueError`` with the rest of a
sentence that begins with the setting's name. The sentence never repeats a secret.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from ipaddress import ip_address
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bff.config.addresses import is_loopback, is_origin, split_address
from bff.money import is_currency

# A call to Rokt is sent under a lease of 30 s (``bff.outbox.queue.LEASE``). It must end well before
# the lease, or a second worker would send the call while the first one still waits.
MAX_CALL_SECONDS = 20.0

# With the server key, anybody can have goods fulfilled. So it must be hard to guess.
SHORTEST_KEY = 32

MAKE_KEY = 'make one with `python -c "import secrets; print(secrets.token_hex())"`'

# Ten years: longer than any use, and small enough for dates and databases.
MAX_SECONDS = 10 * 365 * 24 * 3600.0

# Every database can store a whole number of this size.
MAX_COUNT = 1_000_000_000

_HEADER = re.compile(r"[\x21-\x7e]*")

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")

# A password in an address, where none may be. An error that shows the address leaves it out.
_PASSWORD = re.compile(r":(?!//).*@")

# The storages of the library ``limits`` that can count exactly, by moving windows.
_STORAGES = frozenset({"redis", "rediss", "redis+unix"})


def text(value: object) -> str:
    """Read a text."""
    # from_prefixed_env reads JSON. It makes an int of 12345, whose text is the same. It makes a
    # float of 12e5 and a bool of true, whose text is lost.
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        raise ValueError(f'must be text, not {type(value).__name__}; in JSON, quote it: "…"')
    return str(value).strip()


def switch(value: object) -> bool:
    """Read a switch: true or false."""
    if isinstance(value, bool):
        return value
    given = str(value).strip().lower()
    if given in {"1", "true", "yes", "on"}:
        return True
    if given in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("must be true or false")


def count(value: object) -> int:
    """Read a whole number of at least 1."""
    try:
        number = int(str(value).strip())
    except ValueError:
        number = 0
    if isinstance(value, bool) or not 1 <= number <= MAX_COUNT:
        raise ValueError(f"must be a whole number from 1 to {MAX_COUNT}")
    return number


def seconds(value: object, most: float = MAX_SECONDS) -> float:
    """Read a number of seconds above 0."""
    try:
        number = float(str(value).strip())
    except ValueError:
        number = 0.0
    if isinstance(value, bool) or not 0 < number <= most:
        raise ValueError(f"must be a number of seconds above 0, at most {most:.0f}")
    return number


def call_seconds(value: object) -> float:
    """Read the time limit of a call to Rokt, at most ``MAX_CALL_SECONDS``."""
    return seconds(value, MAX_CALL_SECONDS)


def header(value: object) -> str:
    """Read a text that is sent in a header."""
    given = text(value)
    if not _HEADER.fullmatch(given):
        raise ValueError("must have printable ASCII without spaces: it is sent in a header")
    return given


def server_key(value: object) -> str:
    """Read a key of the server endpoints; empty turns them off."""
    given = header(value)
    if given and len(given) < SHORTEST_KEY:
        raise ValueError(f"must have {SHORTEST_KEY} characters or more; {MAKE_KEY}")
    return given


def path(value: object) -> str:
    """Read the path that begins an address, such as /rokt."""
    given = text(value).rstrip("/")
    if not _PATH.fullmatch(given):
        raise ValueError("must be a path such as /rokt")
    return given


def currency(value: object) -> str:
    """Read a currency code; empty is no currency."""
    given = text(value)
    if given and not is_currency(given):
        raise ValueError("must be a currency code of ISO 4217, such as USD")
    return given


def url(value: object) -> str:
    """Read the address of an API: https, or http on this machine."""
    given = text(value).rstrip("/")
    parts = split_address(given)
    if parts is None or parts.query or parts.fragment:
        raise ValueError("must be an address such as https://api.rokt.com")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must be https: the API key is sent with every call")
    return given


def database(value: object) -> str:
    """Read the URL of a database; empty is the default one."""
    given = text(value)
    if not given:
        return given
    try:
        parsed = make_url(given)
        parsed.get_dialect()
    except (ArgumentError, ValueError):  # its own text may repeat a part of the password
        raise ValueError("must be a database URL such as sqlite:///rokt-bff.db") from None
    if "@" in (parsed.host or ""):  # the driver would log a part of the password
        raise ValueError("has more than one @: write an @ in a password as %40")
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ValueError("must be a SQLite or PostgreSQL URL, such as sqlite:///rokt-bff.db")
    in_memory = parsed.database in {None, "", ":memory:"} or parsed.query.get("mode") == "memory"
    if parsed.get_backend_name() == "sqlite" and in_memory:
        raise ValueError("must name a file: a database in memory loses paid orders when it ends")
    return given


def origin(value: object) -> str:
    """Read an origin as browsers send it; empty is none."""
    given = text(value)
    if given and not is_origin(given):
        raise ValueError("must be an exact origin, such as https://shop.example")
    return given


def proxy(value: object) -> str:
    """Read a proxy's IP address, or ``*`` for any; empty is none."""
    given = text(value)
    if given not in {"", "*"}:
        try:
            return str(ip_address(given))
        except ValueError:
            raise ValueError("must be the proxy's IP address, or * for any") from None
    return given


def storage(value: object) -> str:
    """Read the URL of a storage for rate limits."""
    given = text(value)
    if given == "memory://":
        return given
    scheme, _, rest = given.partition("://")
    try:
        good = scheme in _STORAGES and bool(rest) and urlsplit(given).port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError("must be memory:// or a Redis URL such as redis://host:6379/0")
    if find_spec("redis") is None:
        raise ValueError("needs redis: pip install 'rokt-bff[redis]'")
    return given


def origins(value: object) -> tuple[str, ...]:
    """Read exact origins: a list, or text with commas between them."""
    given = value if isinstance(value, list | tuple) else text(value).split(",")
    read = tuple(filter(None, map(text, given)))
    wrong = [one for one in read if not is_origin(one)]
    if wrong:
        listed = ", ".join(repr(_PASSWORD.sub(":…@", one)) for one in wrong)
        raise ValueError(f"has {listed}: an exact origin is needed, such as https://shop.example")
    return read
