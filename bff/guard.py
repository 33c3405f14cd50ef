"""Who may call, decided in one place for every route of the blueprint.

Each view says whose it is with ``@opened_to``; a view that does not say is closed to everybody.

browser  a page: the session cookie with the bridge's header and a sign that the page is ours,
         or a bearer handle from an allowed origin
session  as browser, but without a session yet: it starts one
server   a partner's backend, with the server key, and surely no browser
public   anybody: static files, health, the API's description

A cookie is sent by the browser on its own, so a cookie call must prove that our own page made
it: the header forces a preflight elsewhere, and ``Origin`` or ``Sec-Fetch-Site`` tell the page.
"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from flask import Request

from bff.config import Settings
from bff.errors import Forbidden, Unauthorized, UnsupportedMedia

BRIDGE_HEADER = "Rokt-Bff"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_BEARER = re.compile(r"Bearer +([A-Za-z0-9_\-.~+/]{1,200}=*)", re.IGNORECASE)


class Caller(StrEnum):
    """Whom a view is open to."""

    BROWSER = "browser"
    SESSION = "session"
    SERVER = "server"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Access:
    """What the guard found: the handle sent as a bearer, or that the cookie counts."""

    handle: str | None = None
    by_cookie: bool = False


log = logging.getLogger("bff.guard")

# Origins that the log was told of, once each; an attacker's many must not fill it.
_told: set[str] = set()
MAX_TOLD = 100

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
        raise Forbidden("This route is open to nobody.", code="closed")
    if request.method not in SAFE_METHODS:
        _check_media_type(request)
    if caller is Caller.SERVER:
        _check_server(request, settings)
        return Access()
    # Other schemes are somebody else's: a staging site's basic authentication, say.
    bearer = _bearer(request) if _names_bearer(request) else None
    if bearer is not None or caller is Caller.SESSION:
        _check_origin(request, settings)
        return Access(handle=bearer)
    _check_cookie_call(request, settings)
    return Access(by_cookie=True)


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
        raise Forbidden("Only a server may call this, never a page.", code="browser_refused")
    if not settings.server_key:
        raise Forbidden("ROKT_BFF_SERVER_KEY is not set, so this is off.", code="server_calls_off")
    key = _bearer(request)
    if key is None or not hmac.compare_digest(key.encode(), settings.server_key.encode()):
        raise Unauthorized("Send Authorization: Bearer with the server key.", code="server_key")


def _check_origin(request: Request, settings: Settings) -> None:
    """A bearer call: no cookie is involved, so only which page may use this server counts."""
    origin = request.headers.get("Origin")
    if origin is not None:
        if origin not in settings.origins and origin != _own_origin(request):
            raise _foreign(request)
    elif request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise _foreign(request)


def _check_cookie_call(request: Request, settings: Settings) -> None:
    if request.headers.get(BRIDGE_HEADER) != "1":
        raise Forbidden(f"Send the header {BRIDGE_HEADER}: 1.", code="bridge_header")
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site")
    if origin in settings.origins or site == "same-origin":
        ours = True
    elif site is not None:
        ours = False
    elif origin is not None:
        # A browser without Sec-Fetch-Site. Behind a proxy that ends TLS our own origin is only
        # known when the proxy's headers are trusted (werkzeug's ProxyFix) or in ORIGINS.
        ours = origin == _own_origin(request)
    else:
        # Reading changes nothing, and another site's page cannot read the answer.
        ours = request.method in SAFE_METHODS
    if not ours:
        raise _foreign(request)


def _own_origin(request: Request) -> str:
    return f"{request.scheme}://{request.host}"


def _foreign(request: Request) -> Forbidden:
    """Refuse a page; and tell the log, since a browser hides the answer from that page."""
    origin = request.headers.get("Origin")
    if origin is None:
        return Forbidden(
            "A call with the cookie must come from a page of this site.", code="foreign_origin"
        )
    if origin not in _told and len(_told) < MAX_TOLD:
        _told.add(origin)
        log.warning("refused a page of %r: if it is yours, add it to ROKT_BFF_ORIGINS", origin)
    return Forbidden(
        "Pages of this origin may not call. Add it to ROKT_BFF_ORIGINS.", code="foreign_origin"
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
