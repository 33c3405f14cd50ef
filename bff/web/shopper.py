"""The shopper of a request: the cookie, the handle, the language, the quote.

The browser's cookie holds the shopper's handle, signed. A page on another origin sends the handle
as a bearer token instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from flask import Response, current_app, g, has_request_context, request
from itsdangerous import BadSignature, Signer

from bff.errors import Unauthorized
from bff.store.handles import new_handle
from bff.web.guard import Access
from bff.web.rate_limits import Limit
from bff.web.runtime import runtime

COOKIE = "rokt_bff"

# The end of the second cookie's name, which holds the first handle: see ``offer_first_handle``.
FIRST = "_first"

# Rokt's documentation accepts `en-US` or `en`.
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")

T = TypeVar("T")


def cookie_name() -> str:
    """Return our cookie's name. Its prefix keeps other hosts from setting the cookie."""
    return f"__Host-{COOKIE}" if runtime().secure_cookies else COOKIE


def kept_handle() -> str | None:
    """Return the handle of the request's cookie, or the one that this request set.

    Raises:
        RuntimeError: There is no request.
    """
    if not has_request_context():
        raise RuntimeError(
            "A shopper's session is only known within a request of theirs. Elsewhere, for "
            "example in a job, name the quote: confirm(order_id, quote_id=…)."
        )
    if hasattr(g, "rokt_bff_handle"):
        handle: str | None = g.rokt_bff_handle
        return handle
    return _read_cookie()


def request_handle() -> str | None:
    """Return the handle that the guard let pass: the bearer token's, else the cookie's."""
    access: Access = g.rokt_bff_access
    return access.handle or (kept_handle() if access.by_cookie else None)


def offer_first_handle() -> None:
    """Send a browser without a session the handle that its first session will have.

    Several first updates can be under way at once, from two tabs or from a page and the next one.
    Without a first handle each of them would start a session of its own, and the last cookie would
    win. Nothing is stored: the session starts with an update.
    """
    if _read_cookie(FIRST) is None:
        g.rokt_bff_first_handle = new_handle()


def drop_first_handle() -> None:
    """Start no session with a first handle that was sent before: it may be known to others."""
    g.rokt_bff_drops_first_handle = True


def keep_handle(handle: str) -> None:
    """Send a handle to the shopper's browser, in the cookie of this response."""
    g.rokt_bff_handle = handle


def forget_handle() -> None:
    """Delete the handle's cookie in the shopper's browser."""
    g.rokt_bff_handle = None


def set_cookie(response: Response) -> Response:
    """Write the cookies that this request changed. Runs after every request.

    The handle has a cookie of its own, because Flask's session is one cookie that every view
    writes whole. A slow view that began before the handle was there would delete it, and with it
    the cart.
    """
    drops_first = hasattr(g, "rokt_bff_handle") or hasattr(g, "rokt_bff_drops_first_handle")
    if hasattr(g, "rokt_bff_handle"):
        _write_cookie(response, g.rokt_bff_handle)
    if drops_first and cookie_name() + FIRST in request.cookies:
        _write_cookie(response, None, FIRST)
    elif not drops_first and hasattr(g, "rokt_bff_first_handle"):
        _write_cookie(response, g.rokt_bff_first_handle, FIRST)
    return response


def _read_cookie(suffix: str = "") -> str | None:
    signed = request.cookies.get(cookie_name() + suffix, "")
    try:
        return _signer(suffix).unsign(signed).decode()
    except BadSignature:
        return None


def _write_cookie(response: Response, handle: str | None, suffix: str = "") -> None:
    strict = current_app.config["SESSION_COOKIE_SAMESITE"] == "Strict"
    response.set_cookie(
        cookie_name() + suffix,
        _signer(suffix).sign(handle).decode() if handle else "",
        max_age=None if handle else 0,
        secure=runtime().secure_cookies,
        httponly=True,
        # Never None, even if the shop's own session is: no page elsewhere needs the cookie.
        samesite="Strict" if strict else "Lax",
    )
    response.vary.add("Cookie")


def _signer(suffix: str = "") -> Signer:
    # Signed, so that a forged value never reaches the database.
    return Signer(current_app.secret_key or "", salt=f"rokt-bff{suffix}")


def with_handle(verb: Callable[[str], T], *, limited: bool = False) -> T:
    """Run a verb for the cookie's shopper, and start a session where there is none.

    A handle whose session has ended is replaced by a new one.

    Args:
        verb: Gets the handle.
        limited: Whether a new session counts for the client's rate limit.

    Raises:
        SessionMoved: A login has just given the session another handle.
        RateLimited: The client has started too many sessions.
    """
    handle = kept_handle()
    if handle is not None:
        try:
            return verb(handle)
        except Unauthorized:
            # The session has ended, or has another handle since a login.
            runtime().checkout.refuse_moved(handle)
    if limited:
        runtime().limits.count(Limit.SESSIONS, request)
    first = None if hasattr(g, "rokt_bff_drops_first_handle") else _read_cookie(FIRST)
    handle = runtime().checkout.open_session(first)
    keep_handle(handle)
    return verb(handle)


def for_shopper(verb: Callable[[str], T]) -> T:
    """Run a verb for the shopper of a request that the guard let pass."""
    access: Access = g.rokt_bff_access
    return verb(access.handle) if access.handle is not None else with_handle(verb, limited=True)


def shopper_language() -> str | None:
    """Return the language that the shopper's browser prefers, in a form that Rokt accepts."""
    if not has_request_context():
        return None
    best = request.accept_languages.best
    return best if best and _LANGUAGE.fullmatch(best) else None


def remember_quote(quote_id: str) -> None:
    """Note the quote that this request was given, which it then charges."""
    g.rokt_bff_quote_id = quote_id


def remembered_quote() -> str | None:
    """Return the quote that this request was given, if any."""
    return getattr(g, "rokt_bff_quote_id", None)
