"""Build the demo shop: settings, parts, blueprints, headers, error pages."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

from bff import Upsells, directory
from bff.demo.context import Parts
from bff.demo.shop import csrf, formats
from bff.demo.shop.again import again
from bff.demo.shop.catalogue import OFFERS, the_event
from bff.demo.shop.orders import Orders
from bff.demo.shop.payment import payment
from bff.demo.shop.security import policy
from bff.demo.shop.thanks import orders as orders_pages
from bff.demo.shop.tickets import shop
from bff.demo.timeline.listener import Listener
from bff.demo.timeline.panel import backstage, panel
from bff.demo.timeline.switches import Controls
from bff.demo.timeline.timeline import Timeline

_ERRORS: Mapping[int, tuple[str, str]] = {
    403: (
        "Please try that again",
        "The page you came from was too old to be sure that it was really you. Nothing changed.",
    ),
    404: ("There is nothing here", "The address may be wrong, or the order is somebody else's."),
    503: ("The emulator does not answer", "The switch was not turned. The shop goes on as it was."),
}
_SOMETHING = ("Something went wrong", "It is our fault, not yours. Your cart is still there.")


def create_demo(
    folder: Path,
    emulator_url: str = "",
    config: Mapping[str, Any] | None = None,
    partner_url: str = "",
) -> Flask:
    """Build the shop.

    ``folder``: where its two SQLite files go (the shop's orders, the BFF's state).
    ``emulator_url``: where the emulator runs; empty: ``config`` names Rokt itself, and the
    panel has no switches. ``config``: settings of Flask and ``ROKT_BFF_…``.
    ``partner_url``: where the partner's shop runs, for links to it.
    """
    app = Flask(
        "bff.demo",
        static_folder=str(directory("static")),
        static_url_path="/static",
        template_folder=str(directory("templates")),
        instance_path=str(folder.resolve()),
    )
    app.config.update(
        SECRET_KEY=secrets.token_hex(32),
        SESSION_COOKIE_NAME="quayside",
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=128 * 1024,
        ROKT_BFF_DATABASE_URL=f"sqlite:///{folder.resolve() / 'rokt-bff.db'}",
        # On this machine only, by whatever name and port: nobody asks it for TLS.
        ROKT_BFF_PUBLIC_URL="http://localhost",
    )
    if emulator_url:
        app.config.update(
            ROKT_BFF_API_URL=emulator_url,
            ROKT_BFF_API_KEY="emulator-key",
            ROKT_BFF_TAG_ID="emulator-tag",
        )
    app.config.update(config or {})
    upsells = Upsells(create_tables=True)
    upsells.init_app(app)
    with app.app_context():
        settings, needed = upsells.settings, upsells.csp()
    orders, timeline = Orders(folder / "shop.db"), Timeline()
    listener = Listener(timeline, upsells, orders)
    listener.connect(app)
    app.extensions["demo"] = Parts(
        upsells,
        orders,
        timeline,
        listener,
        Controls(emulator_url, OFFERS) if emulator_url else None,
        emulator_url,
        settings.account_id,
        settings.sandbox,
        partner_url,
    )
    formats.init_app(app)
    csrf.init_app(app)
    for blueprint in (shop, payment, orders_pages, again, backstage):
        app.register_blueprint(blueprint)
    app.context_processor(_common)
    app.register_error_handler(HTTPException, _error)
    strict = policy(needed, trusted_types=not settings.account_id)

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", strict)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        if response.mimetype == "text/html":
            # A page with a cart on it must not come out of a cache after "back".
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return app


def _common() -> dict[str, Any]:
    return {"event": the_event(datetime.now(UTC).date()), "currency": "USD", **panel()}


def _error(error: HTTPException) -> Any:
    code = error.code or 500
    if request.accept_mimetypes.best == "application/json" or code < 400:
        return error
    title, text = _ERRORS.get(code, _SOMETHING)
    return render_template("demo/error.html", title=title, text=text), code
