"""What one Flask app has of us: its settings, its checkout, and the handle of a request's shopper.

Kept in ``app.extensions["rokt_bff"]``, never on the extension object, so that one process can
serve several apps.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from flask import Flask, Response, current_app, g, has_request_context, request
from itsdangerous import BadSignature, Signer

from bff.config.security import secure_cookies
from bff.errors import Unauthorized
from bff.store.handles import new_handle
from bff.web.runtime import runtime

COOKIE = "rokt_bff"


PROMISE = "_first"  # at the end of our cookie's name: the handle that a first session will have


# The documentation takes `en-US` or `en`.
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


T = TypeVar("T")


def cookie_name(app: Flask) -> str:
    """Return our cookie's name; with the prefix that keeps other hosts from planting one."""
    return f"__Host-{COOKIE}" if _is_secure(app) else COOKIE


def _is_secure(app: Flask) -> bool:
    return secure_cookies(runtime(app).settings, app.config)


def kept_handle() -> str | None:
    """Return the handle of this request's shopper, if there is one."""
    if not has_request_context():
        raise RuntimeError(
            "A shopper's session is only known within a request of theirs; elsewhere, in a job "
            "say, name the quote: confirm(order_id, quote_id=…)."
        )
    if hasattr(g, "rokt_bff_handle"):
        handle: str | None = g.rokt_bff_handle
        return handle
    return _read_cookie()


def promise_handle() -> None:
    """Let the browser of a shopper without a session know the handle that the first one will have.

    A first update may be on its way when its page is left, and be sent again by the next page; or
    two tabs may send one each. Without a promise each would start a session, and of two cookies
    the later one wins. Nothing is stored: the session begins with an update.
    """
    if _read_cookie(PROMISE) is None:
        g.rokt_bff_promise = new_handle()


def take_promise_back() -> None:
    """Let no session begin with a handle that was promised before now: somebody may have it."""
    g.rokt_bff_promise_is_over = True


def keep_handle(handle: str) -> None:
    """Let the shopper's browser keep a handle: the cookie goes out with this answer."""
    g.rokt_bff_handle = handle


def forget_handle() -> None:
    """Let the shopper's browser forget its handle."""
    g.rokt_bff_handle = None


def set_cookie(response: Response) -> Response:
    """Write the cookie, where this request changed the handle. Runs after every request.

    A cookie of its own rather than a member of the shop's session: Flask's session is one
    cookie that every view writes whole, so a slow view that began before the handle was there
    would take it away again, and with it the cart.
    """
    is_over = hasattr(g, "rokt_bff_handle") or hasattr(g, "rokt_bff_promise_is_over")
    if hasattr(g, "rokt_bff_handle"):
        _write_cookie(response, g.rokt_bff_handle)
    if is_over and cookie_name(current_app) + PROMISE in request.cookies:
        _write_cookie(response, None, PROMISE)
    elif not is_over and hasattr(g, "rokt_bff_promise"):
        _write_cookie(response, g.rokt_bff_promise, PROMISE)
    return response


def _read_cookie(suffix: str = "") -> str | None:
    signed = request.cookies.get(cookie_name(current_app) + suffix, "")
    try:
        return _signer(suffix).unsign(signed).decode()
    except BadSignature:
        return None


def _write_cookie(response: Response, handle: str | None, suffix: str = "") -> None:
    strict = current_app.config["SESSION_COOKIE_SAMESITE"] == "Strict"
    response.set_cookie(
        cookie_name(current_app) + suffix,
        _signer(suffix).sign(handle).decode() if handle else "",
        max_age=None if handle else 0,
        secure=_is_secure(current_app),
        httponly=True,
        # Never None, whatever the shop's own session is: no page elsewhere needs the cookie.
        samesite="Strict" if strict else "Lax",
    )
    response.vary.add("Cookie")


def _signer(suffix: str = "") -> Signer:
    # Signed, so that rubbish never reaches the database.
    return Signer(current_app.secret_key or "", salt=f"rokt-bff{suffix}")


def with_handle(verb: Callable[[str], T], opening: Callable[[], object] = lambda: None) -> T:
    """Run a verb for the shopper of this request, starting a session where there is none.

    A handle whose session has ended is replaced by a new one. Raises ``SessionMoved`` where a
    login was faster. ``opening`` is asked before a session is started, and may raise.
    """
    handle = kept_handle()
    if handle is not None:
        try:
            return verb(handle)
        except Unauthorized:
            # The session has ended, and the shopper goes on with a new one; or has moved.
            runtime().checkout.refuse_moved(handle)
    opening()
    promised = None if hasattr(g, "rokt_bff_promise_is_over") else _read_cookie(PROMISE)
    handle = runtime().checkout.open_session(promised)
    keep_handle(handle)
    return verb(handle)


def shopper_language() -> str | None:
    """Return the language that the shopper's browser prefers, in a form that Rokt takes."""
    if not has_request_context():
        return None
    best = request.accept_languages.best
    return best if best and _LANGUAGE.fullmatch(best) else None


def remember_quote(quote_id: str) -> None:
    """Note which quote this request was given: it is the one that it charges."""
    g.rokt_bff_quote_id = quote_id


def remembered_quote() -> str | None:
    """Return the quote that this request was given, if any."""
    return getattr(g, "rokt_bff_quote_id", None)
