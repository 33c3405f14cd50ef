"""The sources that a page with Rokt's SDK needs in its Content-Security-Policy. Pure.

A shop adds them to its own policy. No ``unsafe-…`` is among them, because neither the bridge nor
the SDK needs any. Source: docs.rokt.com, "Web SDK security".
"""

from __future__ import annotations

from urllib.parse import urlsplit

from bff.config.addresses import is_loopback
from bff.config.settings import Settings

ROKT = "https://apps.rokt.com"  # Rokt's launcher, and the frames of its placements

SELF = "'self'"


def sources(settings: Settings, bff: str = SELF) -> dict[str, tuple[str, ...]]:
    """Return directive → sources, for a page that loads ``bridge.js`` from ``bff``.

    With an account id, the page runs Rokt's SDK, which calls Rokt's API host itself. Without one,
    it runs the stand-in of the emulator, if ``ROKT_BFF_API_URL`` names this machine.
    """
    parts = urlsplit(settings.api_url)
    api = f"{parts.scheme}://{parts.netloc}"
    if settings.account_id:
        return {
            "script-src": (bff, ROKT),
            "frame-src": (ROKT,),
            "connect-src": (bff, ROKT, api) if api != ROKT else (bff, ROKT),
            "img-src": (ROKT,),
        }
    if not is_loopback(parts.hostname):
        return {"script-src": (bff,), "connect-src": (bff,)}
    # The stand-in has a style sheet of its own.
    return {"script-src": (bff, api), "connect-src": (bff, api), "style-src": (api,)}
