"""Who may call, decided in one place for every route of the blueprint.

Each view says whose it is with ``@opened_to``; a view that does not say is closed to everybody.

browser  a page: our cookie with the bridge's header, or a bearer handle; and in both cases a
         sign of the browser's that the page is ours or of an allowed origin
session  as browser, but without a session yet: it starts one, with the bridge's header
server   a partner's backend, with the server key, and surely no browser
public   anybody: static files, health, the API's description

A cookie is sent by the browser on its own, so a cookie call must prove that our own page made
it: the header forces a preflight elsewhere, and ``Origin`` and ``Sec-Fetch-Site`` tell the page.
Both are the browser's own word, which no page can change. Where both are there they must agree;
where neither is, nobody vouches for the call, and it is refused.
"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Request, current_app

from bff.config.addresses import is_loopback
from bff.config.security import secure_cookies
from bff.config.settings import Settings
from bff.errors import Code, Forbidden, Unauthorized, UnsupportedMedia

BRIDGE_HEADER = "Rokt-Bff"


SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


_BEARER = re.compile(r"Bearer +([A-Za-z0-9_\-.~+/]{1,200}=*)", re.IGNORECASE)


class Caller(StrEnum):
    """Whom a view is open to."""

    BROWSER = "browser"
    SESSION = "session"
    SERVER = "server"
    PUBLIC = "public"


class Page(StrEnum):
    """Whose page a browser says that a call comes from."""

    OURS = "ours"  # or one of an allowed origin on our own site
    ELSEWHERE = "elsewhere"  # of an allowed origin on another site
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Access:
    """What the guard found: the handle sent as a bearer, or that the cookie counts."""

    handle: str | None = field(default=None, repr=False)
    by_cookie: bool = False


log = logging.getLogger(__name__)


# Origins that the log was told of, once each; an attacker's many must not fill it.
_told: set[str] = set()


MAX_TOLD = 100


# No host name is longer than 253 characters.
MAX_SHOWN = 300


View = TypeVar("View", bound=Callable[..., Any])


def opened_to(caller: Caller) -> Callable[[View], View]:
    """Mark a view as open to this kind of caller."""

    def mark(view: View) -> View:
        view.rokt_bff_caller = caller  # type: ignore[attr-defined]
        return view

    return mark


def caller_of(view: Callable[..., Any] | None) -> Caller | None:
    """Return whom a view is open to, None for one that does not say."""
    return getattr(view, "rokt_bff_caller", None)


def admit(caller: Caller | None, request: Request, settings: Settings) -> Access:
    """Let a request pass, or raise ``Unauthorized``, ``Forbidden`` or ``UnsupportedMedia``."""
    if caller is Caller.PUBLIC:
        return Access()
    if caller is None:
        raise Forbidden("This route is open to nobody.", code=Code.CLOSED)
    if request.method not in SAFE_METHODS:
        _check_media_type(request)
    if caller is Caller.SERVER:
        _check_server(request, settings)
        return Access()
    _check_host(request, settings)
    # Other schemes are somebody else's: a staging site's basic authentication, say.
    bearer = _bearer(request) if _names_bearer(request) else None
    if caller is Caller.SESSION or bearer is None:
        _check_header(request)
    by_cookie = caller is Caller.BROWSER and bearer is None
    page = _page(request, settings)
    if page is Page.ELSEWHERE and by_cookie and request.method in SAFE_METHODS:
        # A page elsewhere that has no handle yet is nobody: whatever cookie came along is not
        # its own, and it reads an empty cart.
        return Access()
    if page is Page.FOREIGN or (page is Page.ELSEWHERE and by_cookie):
        raise _foreign(request)
    return Access(handle=bearer, by_cookie=by_cookie)


def _check_media_type(request: Request) -> None:
    if request.mimetype != "application/json":
        raise UnsupportedMedia(
            "Send JSON, with the header Content-Type: application/json.",
            errors={"Content-Type": ["must be application/json"]},
        )


def _check_server(request: Request, settings: Settings) -> None:
    # A browser adds these to what a page sends and lets no page take them off. Whoever put the
    # server key into a page is told so here, before anything can be confirmed with it.
    if any(x == "Origin" or x.startswith("Sec-Fetch-") for x, _ in request.headers):
        raise Forbidden("Only a server may call this, never a page.", code=Code.BROWSER_REFUSED)
    if not settings.server_key:
        raise Forbidden(
            "ROKT_BFF_SERVER_KEY is not set, so this is off.", code=Code.SERVER_CALLS_OFF
        )
    key = (_bearer(request) or "").encode()
    good = hmac.compare_digest(key, settings.server_key.encode())
    # Both are compared every time: how long it takes tells nothing of either.
    previous = settings.server_key_previous.encode()
    good |= hmac.compare_digest(key, previous) and previous != b""
    if not good:
        cure = "Compare ROKT_BFF_SERVER_KEY on both sides." if key else "None was sent."
        raise Unauthorized(
            f"Send Authorization: Bearer with the server key. {cure}", code=Code.SERVER_KEY
        )


def _check_header(request: Request) -> None:
    if request.headers.get(BRIDGE_HEADER) != "1":
        raise Forbidden(f"Send the header {BRIDGE_HEADER}: 1.", code=Code.BRIDGE_HEADER)


def _page(request: Request, settings: Settings) -> Page:
    """Tell by the browser's word which page made a call."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site")
    if origin is None:  # as with a GET of our own page
        return Page.OURS if site == "same-origin" else Page.FOREIGN
    if origin == _own_origin(request, settings) and site in {None, "same-origin"}:
        return Page.OURS
    if origin in settings.origins:
        if site in {None, "same-origin", "same-site"}:
            return Page.OURS
        if site == "cross-site":
            return Page.ELSEWHERE
    return Page.FOREIGN


def _own_origin(request: Request, settings: Settings) -> str | None:
    """Return the origin of our own pages; None when nothing that can be trusted says it.

    The name in ``Host`` is whatever leads to this server: any name that somebody lets point
    here. Over TLS the certificate vouches for it. Without, while developing, only addresses and
    the names of this machine can be nobody else's.
    """
    name = _name(request)
    if settings.public_url and not is_loopback(urlsplit(settings.public_url).hostname):
        return settings.public_url
    if is_loopback(name):
        return f"{request.scheme}://{request.host}"
    if request.scheme == "https" or secure_cookies(settings, current_app.config):
        return f"https://{request.host}"  # whatever a proxy that ends TLS makes of the scheme
    return f"{request.scheme}://{request.host}" if _is_address(name) else None


def _check_host(request: Request, settings: Settings) -> None:
    """Where our name is known, refuse what came by another; an address is nobody's name."""
    name = _name(request)
    ours = urlsplit(settings.public_url).hostname
    if ours and name != ours and not is_loopback(name) and not _is_address(name):
        raise Forbidden(
            "This server has another name: ROKT_BFF_PUBLIC_URL. A proxy must pass the Host on.",
            code=Code.FOREIGN_HOST,
        )


def _name(request: Request) -> str:
    try:
        return urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _foreign(request: Request) -> Forbidden:
    """Refuse a page; and tell the log, since a browser hides the answer from that page."""
    origin = request.headers.get("Origin")
    if origin is None:
        return Forbidden(
            "A call must come from a page of this site or of an origin in ROKT_BFF_ORIGINS.",
            code=Code.FOREIGN_ORIGIN,
        )
    shown = origin[:MAX_SHOWN]
    if shown not in _told and len(_told) < MAX_TOLD:
        _told.add(shown)
        log.warning("refused a page of %r: if it is yours, add it to ROKT_BFF_ORIGINS", shown)
    return Forbidden(
        "Pages of this origin may not call. Add it to ROKT_BFF_ORIGINS.", code=Code.FOREIGN_ORIGIN
    )


def _names_bearer(request: Request) -> bool:
    return request.headers.get("Authorization", "").lstrip().lower().startswith("bearer")


def _bearer(request: Request) -> str | None:
    header = request.headers.get("Authorization")
    if header is None:
        return None
    match = _BEARER.fullmatch(header.strip())
    if match is None:
        raise Unauthorized("Authorization must be Bearer and a token.")
    return match.group(1)
