"""The headers on every answer of the standalone server: what a browser must not do with it.

It serves JSON and scripts, never a page, so the policies allow nothing at all. A shop's own answers
are the shop's; see ``Upsells.csp`` for what its pages need.
"""

from __future__ import annotations

from flask import Flask, Response, request

from bff.config.settings import Settings

# Two years, what lists of such hosts ask for. Whether it holds for names below is not ours to say.
HSTS_SECONDS = 2 * 365 * 86400


ALWAYS = {
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


NOT_KEPT = {"Cache-Control": "no-store"}


def fixed(settings: Settings) -> dict[str, str]:
    """Return what every answer carries; over TLS also that there is no other way here."""
    if settings.public_url.startswith("https:"):
        return {**ALWAYS, **_HSTS}
    return dict(ALWAYS)


_HSTS = {"Strict-Transport-Security": f"max-age={HSTS_SECONDS}"}


def protect(app: Flask, settings: Settings) -> None:
    """Put them on every answer of an app, errors and redirects too."""
    always = fixed(settings)

    def add(response: Response) -> Response:
        response.headers.update(always)
        if request.is_secure:
            response.headers.update(_HSTS)
        # A script says for itself how long it may be kept.
        response.headers.setdefault("Cache-Control", NOT_KEPT["Cache-Control"])
        return response

    app.after_request(add)
