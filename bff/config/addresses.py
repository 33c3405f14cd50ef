"""How each kind of setting is read, from a Flask config or the environment. Pure.

A reader takes what was given and returns the setting, or raises ``ValueError`` with the rest of
the sentence that begins with the setting's name. No text of a secret is ever in that sentence.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

# A host name in the form that browsers send: lower case, international names in punycode.
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _address(text: str) -> SplitResult | None:
    """Split an http(s) address as a browser writes it: no user, a good host, a good port."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
        good = bool(_HOST.fullmatch(host)) or str(ip_address(host)) == host
    except ValueError:
        return None
    return parts if good and parts.scheme in {"http", "https"} and "@" not in text else None


def is_origin(text: str) -> bool:
    """Tell whether a text is an origin exactly as browsers send it."""
    parts = _address(text)
    if parts is None:
        return False
    host, port = parts.hostname or "", parts.port
    exact = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}"
    exact += f":{port}" if port is not None else ""
    return text == exact and port != {"http": 80, "https": 443}[parts.scheme]
