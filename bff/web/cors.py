"""Which answers a page of an allowed origin may read: those of the browser's routes, and no others.

A route that is a server's gives no page leave to call it, nor to read why it was refused. The
scripts say for themselves that every page may load them (see ``bff.publishing``).
"""

from __future__ import annotations

import re

from flask import Flask, Response, request
from flask_cors import CORS

from bff.config.settings import Settings
from bff.web.guard import BRIDGE_HEADER, Caller, caller_of

# A browser asks again after this long; ten minutes are enough for a checkout.
PREFLIGHT_SECONDS = 600


def allow_origins(app: Flask, settings: Settings) -> None:
    """Let pages of the allowed origins read our answers, errors too. After the blueprint."""
    prefix = settings.url_prefix

    def vary(response: Response) -> Response:
        """Say that an answer depends on the page, also when it is no."""
        if request.path.startswith(f"{prefix}/") and "Access-Control-Allow-Origin" not in (
            response.headers
        ):
            response.vary.add("Origin")
        return response

    app.after_request(vary)  # the last one registered is the first one asked
    CORS(
        app,
        resources={_open_to_pages(app, prefix): {}},
        # As patterns, since plain texts are compared without regard to case.
        origins=[re.compile(rf"{re.escape(origin)}\Z") for origin in settings.origins],
        methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", BRIDGE_HEADER],
        expose_headers=["Retry-After"],
        max_age=PREFLIGHT_SECONDS,
    )


def _open_to_pages(app: Flask, prefix: str) -> re.Pattern[str]:
    """Return the paths under our prefix that are neither scripts nor a server's."""
    closed = {"static"}
    for rule in app.url_map.iter_rules():
        if caller_of(app.view_functions[rule.endpoint]) is Caller.SERVER:
            closed.add(rule.rule.removeprefix(f"{prefix}/").split("/")[0])
    names = "|".join(re.escape(name) for name in sorted(closed))
    return re.compile(rf"{re.escape(prefix)}/(?!(?:{names})(?:/|\Z))")
