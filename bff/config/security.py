"""Combinations of settings that would be insecure: each is named, with its cure. Pure.

Asked before a server starts, which then does not, and by ``doctor``. What is on this machine
alone is let pass: the demo, the emulator, a developer's browser.

``host`` is where the standalone server listens; None is a Flask shop, which somebody else serves.
``wrong``: settings that could not be read. What follows from their defaults is not said beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from bff.config.addresses import is_loopback
from bff.config.readers import MAKE_KEY
from bff.config.settings import PREFIX, Settings

# 128 bits as bytes; whoever guesses it can sign cookies, ours and the shop's own.
SHORTEST_SECRET = 16


# What tells a developer's machine from a shop's.
ADDRESSES = frozenset({f"{PREFIX}API_URL", f"{PREFIX}PUBLIC_URL"})


def secure_cookies(settings: Settings, config: Mapping[str, Any]) -> bool:
    """Tell whether our cookie is sent by TLS only."""
    return bool(config.get("SESSION_COOKIE_SECURE")) or settings.public_url.startswith("https:")


def is_developed(settings: Settings) -> bool:
    """Tell whether this is a developer's machine: Rokt or the pages are on it too."""
    return any(is_loopback(_host(url)) for url in (settings.api_url, settings.public_url))


def insecure(
    settings: Settings,
    config: Mapping[str, Any],
    host: str | None = None,
    wrong: Collection[str] = (),
) -> Iterator[str]:
    """Say what is insecure, a sentence each."""
    yield from _secrets(settings, config)
    yield from _addresses(settings)
    if not ADDRESSES.isdisjoint(wrong):
        return  # whether this is a developer's machine is not known
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
            yield f"{name} must not be {other} too: whoever knows one would have both."
    if settings.server_key_previous and not settings.server_key:
        yield f"{PREFIX}SERVER_KEY_PREVIOUS is good only beside {PREFIX}SERVER_KEY, which is empty."


def _addresses(settings: Settings) -> Iterator[str]:
    for origin in settings.origins:
        if _is_plain(origin):
            yield (
                f"{PREFIX}ORIGINS has {origin!r}: whoever is between a shopper and that page "
                "could change it; use https."
            )
    if _is_plain(settings.public_url):
        yield f"{PREFIX}PUBLIC_URL must be https: handles and cookies travel there."


def _shop(settings: Settings, config: Mapping[str, Any]) -> Iterator[str]:
    if secure_cookies(settings, config) or is_developed(settings) or config.get("TESTING"):
        return
    yield (
        f"SESSION_COOKIE_SECURE is not set: set {PREFIX}PUBLIC_URL to the shop's https origin or, "
        "while developing, to its http://localhost:…, or set SESSION_COOKIE_SECURE."
    )


def _open_host(settings: Settings, config: Mapping[str, Any], host: str) -> Iterator[str]:
    """Others than this machine reach the server, which speaks no TLS itself."""
    if not secure_cookies(settings, config):
        yield f"--insecure-cookies is for this machine only, and --host {host} is open to others."
    if not settings.public_url:
        yield (
            f"{PREFIX}PUBLIC_URL is missing: --host {host} is open to others, so a proxy must end "
            "TLS; set it to the https origin that the proxy serves."
        )


def _is_plain(url: str) -> bool:
    return url.startswith("http:") and not is_loopback(_host(url))


def _host(url: str) -> str | None:
    return urlsplit(url).hostname
