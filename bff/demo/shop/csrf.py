"""The shop's forms carry a token, so that no other site can post them for the shopper.

The token stands in Flask's signed session and in each form (``csrf_token()`` in templates);
scripts send it as ``X-CSRF-Token``. The BFF's own endpoints have their own guard and are left
alone. ``SameSite=Lax`` on the cookie already keeps most of this out; the token is the rest.
"""

from __future__ import annotations

import secrets

from flask import Flask, abort, request, session

HEADER = "X-CSRF-Token"
_KEY = "csrf"


def csrf_token() -> str:
    """The session's token; made on first use."""
    token = session.get(_KEY)
    if not isinstance(token, str):
        token = session[_KEY] = secrets.token_urlsafe(24)
    return token


def check() -> None:
    """Refuse a post without the session's token: 403."""
    if request.method not in {"POST", "PUT", "PATCH", "DELETE"}:
        return
    expected = session.get(_KEY)
    given = request.headers.get(HEADER) or request.form.get("csrf_token", "")
    if not isinstance(expected, str) or not secrets.compare_digest(
        expected.encode(), given.encode()
    ):
        abort(403, description="csrf")


def init_app(app: Flask) -> None:
    """Make ``csrf_token()`` known to the templates."""
    app.jinja_env.globals["csrf_token"] = csrf_token
