"""Addresses: is a host this machine, is a text an origin? Pure."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

# A host name in the form that browsers send: lower case, international names in punycode.
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def split_address(text: str) -> SplitResult | None:
    """Split an http(s) address as a browser writes it.

    Returns:
        Its parts; None if it names a user, or if scheme, host or port is invalid.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
        good = bool(_HOST.fullmatch(host)) or str(ip_address(host)) == host
    except ValueError:
        return None
    return parts if good and parts.scheme in {"http", "https"} and "@" not in text else None


def is_origin(text: str) -> bool:
    """Tell whether a text is an origin, spelled exactly as browsers send it."""
    parts = split_address(text)
    if parts is None:
        return False
    host, port = parts.hostname or "", parts.port
    exact = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}"
    exact += f":{port}" if port is not None else ""
    return text == exact and port != {"http": 80, "https": 443}[parts.scheme]
