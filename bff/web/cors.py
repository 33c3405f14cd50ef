"""Lets a page of an allowed origin read the responses of the browser's endpoints, and no others.

A server's endpoint gives no page permission to call it, nor to read why it was refused. The scripts
allow every page by themselves: see ``bff.web.scripts``.
"""

from __future__ import annotations

import re

from flask import Flask, Response, request
from flask_cors import CORS

from bff.config.settings import Settings
from bff.web.guard import BRIDGE_HEADER, Caller, caller_of

# A browser repeats a preflight after this time; ten minutes are enough for a checkout.
PREFLIGHT_SECONDS = 600


def allow_origins(app: Flask, settings: Settings) -> None:
    """Let pages of the allowed origins read our responses, errors too.

    Call it after the blueprint is registered.
    """
    prefix = settings.url_prefix

    def vary(response: Response) -> Response:
        """Tell caches that a response depends on the page, also where no page may read it."""
        if request.path.startswith(f"{prefix}/") and "Access-Control-Allow-Origin" not in (
            response.headers
        ):
            response.vary.add("Origin")
        return response

    app.after_request(vary)  # Flask runs the last one registered first
    CORS(
        app,
        resources={_browser_paths(app, prefix): {}},
        # As patterns, because flask-cors compares plain text without regard to case.
        origins=[re.compile(rf"{re.escape(origin)}\Z") for origin in settings.origins],
        methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", BRIDGE_HEADER],
        expose_headers=["Retry-After"],
        max_age=PREFLIGHT_SECONDS,
    )


def _browser_paths(app: Flask, prefix: str) -> re.Pattern[str]:
    """Return the paths under our prefix that are neither scripts nor a server's."""
    closed = {"static"}
    for rule in app.url_map.iter_rules():
        if caller_of(app.view_functions[rule.endpoint]) is Caller.SERVER:
            closed.add(rule.rule.removeprefix(f"{prefix}/").split("/")[0])
    names = "|".join(re.escape(name) for name in sorted(closed))
    return re.compile(rf"{re.escape(prefix)}/(?!(?:{names})(?:/|\Z))")
