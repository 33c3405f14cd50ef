"""Decides who may call, in one place for every endpoint of the blueprint.

Each view names its caller; a view that names none is closed.

=======  ==============================================================================
browser  A page, with our cookie and the bridge's header, or with a bearer handle. In both
         cases the browser must report that the page is ours or of an allowed origin.
session  As browser, but before there is a session: it starts one, with the bridge's header.
server   A partner's server, with the server key; never a browser.
public   Everybody: static files, health, the OpenAPI document.
=======  ==============================================================================

A browser sends a cookie on its own, so a request with a cookie must prove that our own page made
it. The header forces a preflight on other origins, and ``Origin`` and ``Sec-Fetch-Site`` name the
page. The browser sets both, and no page can change them. Where both are sent they must agree. A
request without either is refused.
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

from flask import Request

from bff.config.addresses import is_loopback
from bff.config.settings import Settings
from bff.errors import Code, Forbidden, Unauthorized, UnsupportedMedia
from bff.web.runtime import Runtime

BRIDGE_HEADER = "Rokt-Bff"

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_BEARER = re.compile(r"Bearer +([A-Za-z0-9_\-.~+/]{1,200}=*)", re.IGNORECASE)

log = logging.getLogger(__name__)

# Refused origins that were logged, once each. The limit keeps an attacker from filling the log.
_logged: set[str] = set()
MAX_LOGGED = 100

# No host name is longer than 253 characters.
MAX_SHOWN = 300

View = TypeVar("View", bound=Callable[..., Any])


class Caller(StrEnum):
    """The kind of caller that a view is open to."""

    BROWSER = "browser"
    SESSION = "session"
    SERVER = "server"
    PUBLIC = "public"


class Page(StrEnum):
    """The page that a request comes from, as the browser reports it."""

    OURS = "ours"  # also one of an allowed origin on our own site
    ELSEWHERE = "elsewhere"  # of an allowed origin on another site
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Access:
    """The credential of a request that the guard let pass.

    Attributes:
        handle: The handle that was sent as a bearer token.
        by_cookie: Whether the cookie's handle counts.
    """

    handle: str | None = field(default=None, repr=False)
    by_cookie: bool = False


def opened_to(caller: Caller) -> Callable[[View], View]:
    """Mark a view as open to this kind of caller."""

    def mark(view: View) -> View:
        view.rokt_bff_caller = caller  # type: ignore[attr-defined]
        return view

    return mark


def caller_of(view: Callable[..., Any] | None) -> Caller | None:
    """Return the caller that a view is open to, None for a view without a mark."""
    return getattr(view, "rokt_bff_caller", None)


def admit(caller: Caller | None, request: Request, here: Runtime) -> Access:
    """Let a request pass.

    Args:
        caller: The caller that the request's view is open to.
        request: The request.
        here: The app's parts.

    Raises:
        Unauthorized: The handle or key is missing or wrong.
        Forbidden: The caller may not do this.
        UnsupportedMedia: The body is not declared as JSON.
    """
    if caller is Caller.PUBLIC:
        return Access()
    if caller is None:
        raise Forbidden("This route has no access rule, so it is closed.", code=Code.CLOSED)
    if request.method not in SAFE_METHODS:
        _check_media_type(request)
    if caller is Caller.SERVER:
        _check_server(request, here.settings)
        return Access()
    _check_host(request, here)
    # Other schemes are not for us, such as a staging site's basic authentication.
    bearer = _bearer(request) if _names_bearer(request) else None
    if caller is Caller.SESSION or bearer is None:
        _check_header(request)
    by_cookie = caller is Caller.BROWSER and bearer is None
    page = _page(request, here)
    if page is Page.ELSEWHERE and by_cookie and request.method in SAFE_METHODS:
        # A page elsewhere without a handle has no session: the cookie that the browser sent is
        # not its own, so it reads an empty cart.
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
    # A browser adds these headers to a page's request, and no page can remove them. A server key
    # that was put into a page is refused here, before it can confirm anything.
    if any(x == "Origin" or x.startswith("Sec-Fetch-") for x, _ in request.headers):
        raise Forbidden("Only a server may call this, never a page.", code=Code.BROWSER_REFUSED)
    if not settings.server_key:
        raise Forbidden(
            "ROKT_BFF_SERVER_KEY is not set, so server calls are off.", code=Code.SERVER_CALLS_OFF
        )
    key = (_bearer(request) or "").encode()
    good = hmac.compare_digest(key, settings.server_key.encode())
    # Both keys are compared every time, so that the time taken reveals nothing of either.
    previous = settings.server_key_previous.encode()
    good |= hmac.compare_digest(key, previous) and previous != b""
    if not good:
        cure = "Compare ROKT_BFF_SERVER_KEY on both sides." if key else "No key was sent."
        raise Unauthorized(
            f"Send Authorization: Bearer with the server key. {cure}", code=Code.SERVER_KEY
        )


def _check_header(request: Request) -> None:
    if request.headers.get(BRIDGE_HEADER) != "1":
        raise Forbidden(f"Send the header {BRIDGE_HEADER}: 1.", code=Code.BRIDGE_HEADER)


def _page(request: Request, here: Runtime) -> Page:
    """Return which page made a request, as the browser reports it."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site")
    if origin is None:  # as with a GET of our own page
        return Page.OURS if site == "same-origin" else Page.FOREIGN
    if origin == _own_origin(request, here) and site in {None, "same-origin"}:
        return Page.OURS
    if origin in here.settings.origins:
        if site in {None, "same-origin", "same-site"}:
            return Page.OURS
        if site == "cross-site":
            return Page.ELSEWHERE
    return Page.FOREIGN


def _own_origin(request: Request, here: Runtime) -> str | None:
    """Return the origin of our own pages, None when nothing trusted names it.

    ``Host`` has any name that somebody's DNS lets point to this server. Over TLS the certificate
    vouches for the name. Without TLS, in development, only addresses and the names of this machine
    belong to nobody else.
    """
    name = _host_name(request)
    if here.public_host and not is_loopback(here.public_host):
        return here.settings.public_url
    if is_loopback(name):
        return f"{request.scheme}://{request.host}"
    if request.scheme == "https" or here.secure_cookies:
        return f"https://{request.host}"  # a proxy that ends TLS may leave the scheme at http
    return f"{request.scheme}://{request.host}" if _is_address(name) else None


def _check_host(request: Request, here: Runtime) -> None:
    """Refuse a request by another name than our public one; an address is not a name."""
    name, public = _host_name(request), here.public_host
    if public and name != public and not is_loopback(name) and not _is_address(name):
        raise Forbidden(
            "This server's name is the one in ROKT_BFF_PUBLIC_URL. A proxy must send it as Host.",
            code=Code.FOREIGN_HOST,
        )


def _host_name(request: Request) -> str:
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
    """Return the error for a foreign page, and log its origin: its browser hides the response."""
    origin = request.headers.get("Origin")
    if origin is None:
        return Forbidden(
            "A request must come from a page of this site or of an origin in ROKT_BFF_ORIGINS.",
            code=Code.FOREIGN_ORIGIN,
        )
    shown = origin[:MAX_SHOWN]
    if shown not in _logged and len(_logged) < MAX_LOGGED:
        _logged.add(shown)
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
