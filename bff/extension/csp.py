"""What a page with Rokt's SDK must allow in its Content-Security-Policy. Pure.

Gives sources only, by directive, for a shop to add to its own policy: what else the page loads,
and how strict the rest is, the shop alone knows. No ``unsafe-…`` is among them: neither the
bridge nor the SDK needs any. Source: docs.rokt.com, "Web SDK security".
"""

from __future__ import annotations

from urllib.parse import urlsplit

from bff.config.addresses import is_loopback
from bff.config.settings import Settings

ROKT = "https://apps.rokt.com"  # Rokt's launcher, and the frames that it draws placements in


SELF = "'self'"


Sources = dict[str, tuple[str, ...]]


def sources(settings: Settings, bff: str = SELF) -> Sources:
    """Return directive → sources, for a page that loads ``bridge.js`` from ``bff``.

    ``bff``: ``'self'`` for a shop's own pages, an origin such as ``https://upsell.example`` for a
    partner's. With an account id the page runs Rokt's own SDK, which asks Rokt's API host
    itself. Without one it runs the stand-in, from the emulator where ``ROKT_BFF_API_URL`` names
    this machine, and Rokt is not needed at all.
    """
    api = _origin(settings.api_url)
    if settings.account_id:
        return {
            "script-src": (bff, ROKT),
            "frame-src": (ROKT,),
            "connect-src": (bff, ROKT, api) if api != ROKT else (bff, ROKT),
            "img-src": (ROKT,),
        }
    emulator = (api,) if is_loopback(urlsplit(api).hostname) else ()
    needed: Sources = {"script-src": (bff, *emulator), "connect-src": (bff, *emulator)}
    if emulator:
        needed["style-src"] = emulator  # the stand-in brings its look along
    return needed


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
