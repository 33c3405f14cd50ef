"""The security headers on every response of the standalone server.

The server sends JSON and scripts, never a page, so its policies allow nothing. The responses of a
Flask shop are the shop's own; ``Upsells.csp`` returns the sources that its pages need.
"""

from __future__ import annotations

from flask import Flask, Response, request

from bff.config.settings import Settings

# Two years, as browsers' lists of https hosts ask for. Names below this host are not included.
HSTS_SECONDS = 2 * 365 * 86400

ALWAYS = {
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def protect(app: Flask, settings: Settings) -> None:
    """Add the headers to every response of an app, errors and redirects too."""
    is_public_secure = settings.public_url.startswith("https:")

    def add(response: Response) -> Response:
        response.headers.update(ALWAYS)
        if is_public_secure or request.is_secure:
            response.headers["Strict-Transport-Security"] = f"max-age={HSTS_SECONDS}"
        # A script sets its own Cache-Control.
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.after_request(add)
