"""Finds combinations of settings that are insecure, and names the cure of each. Pure.

The start of a server checks them and fails; ``doctor`` reports them. Servers that only this machine
can reach are exempt: the demo, the emulator, a developer's browser.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from bff.config.addresses import is_loopback
from bff.config.readers import MAKE_KEY
from bff.config.settings import PREFIX, Settings

# 128 bits as bytes. With this key, anybody can sign cookies, ours and the shop's own.
SHORTEST_SECRET = 16

# These settings tell a developer's machine from a shop's.
ADDRESSES = frozenset({f"{PREFIX}API_URL", f"{PREFIX}PUBLIC_URL"})


def secure_cookies(settings: Settings, config: Mapping[str, Any]) -> bool:
    """Tell whether our cookie is sent over TLS only."""
    return bool(config.get("SESSION_COOKIE_SECURE")) or settings.public_url.startswith("https:")


def is_developed(settings: Settings) -> bool:
    """Tell whether this is a developer's machine: it serves Rokt's API or the pages itself."""
    return any(is_loopback(_host(url)) for url in (settings.api_url, settings.public_url))


def insecure(
    settings: Settings,
    config: Mapping[str, Any],
    host: str | None = None,
    wrong: Collection[str] = (),
) -> Iterator[str]:
    """Yield a sentence for each insecure setting.

    Args:
        settings: The settings.
        config: The Flask config.
        host: The address on which the standalone server listens; None for a Flask shop.
        wrong: The names of settings that could not be read and have their defaults.
    """
    yield from _secrets(settings, config)
    yield from _addresses(settings)
    if not ADDRESSES.isdisjoint(wrong):
        return  # it is not known whether this is a developer's machine
    if host is None:
        yield from _shop(settings, config)
    elif not is_loopback(host):
        yield from _open_host(settings, config, host)


def _secrets(settings: Settings, config: Mapping[str, Any]) -> Iterator[str]:
    key = config.get("SECRET_KEY") or ""
    if 0 < len(key) < SHORTEST_SECRET and not is_developed(settings):
        yield f"SECRET_KEY must have {SHORTEST_SECRET} characters or more; {MAKE_KEY}."
    secrets = {
        "SECRET_KEY": key.decode(errors="replace") if isinstance(key, bytes) else key,
        f"{PREFIX}API_KEY": settings.api_key,
        f"{PREFIX}SERVER_KEY": settings.server_key,
        f"{PREFIX}SERVER_KEY_PREVIOUS": settings.server_key_previous,
    }
    first: dict[str, str] = {}
    for name, secret in secrets.items():
        if secret and (other := first.setdefault(secret, name)) != name:
            yield f"{name} must differ from {other}: set another key; {MAKE_KEY}."
    if settings.server_key_previous and not settings.server_key:
        yield f"{PREFIX}SERVER_KEY_PREVIOUS needs {PREFIX}SERVER_KEY, which is empty: set it."


def _addresses(settings: Settings) -> Iterator[str]:
    for origin in settings.origins:
        if _is_plain(origin):
            yield (
                f"{PREFIX}ORIGINS has {origin!r}, which is not encrypted, so the page could be "
                "changed on its way: use https."
            )
    if _is_plain(settings.public_url):
        yield f"{PREFIX}PUBLIC_URL must be https: handles and cookies are sent there."


def _shop(settings: Settings, config: Mapping[str, Any]) -> Iterator[str]:
    if secure_cookies(settings, config) or is_developed(settings) or config.get("TESTING"):
        return
    yield (
        f"SESSION_COOKIE_SECURE is not set: set {PREFIX}PUBLIC_URL to the shop's https origin or, "
        "while developing, to its http://localhost:…, or set SESSION_COOKIE_SECURE."
    )


def _open_host(settings: Settings, config: Mapping[str, Any], host: str) -> Iterator[str]:
    """Check a server that other machines can reach. It has no TLS of its own."""
    if not secure_cookies(settings, config):
        yield f"--insecure-cookies is for this machine only: leave it out with --host {host}."
    if not settings.public_url:
        yield (
            f"{PREFIX}PUBLIC_URL is missing, and other machines can reach --host {host}: put a "
            "proxy with TLS in front, and set it to the proxy's https origin."
        )


def _is_plain(url: str) -> bool:
    return url.startswith("http:") and not is_loopback(_host(url))


def _host(url: str) -> str | None:
    return urlsplit(url).hostname
