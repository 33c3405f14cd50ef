"""The name under which the demo knows a browser, kept in Flask's session."""

from __future__ import annotations

import secrets

from flask import session

SHOPPER = "shopper"  # the key in Flask's session


def known_shopper() -> str | None:
    """Return the name of this browser's shopper, or None before the first visit."""
    name = session.get(SHOPPER)
    return name if isinstance(name, str) else None


def shopper() -> str:
    """Return the name of this browser's shopper. The first visit makes it."""
    name = known_shopper()
    if name is None:
        name = session[SHOPPER] = secrets.token_urlsafe(16)
    return name
