"""Builds the demo shop: settings, parts, blueprints, headers, error pages."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, Response, render_template, request
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException

from bff import Upsells, directory
from bff.demo.csp import policy
from bff.demo.shop import formats
from bff.demo.shop.catalogue import OFFERS, the_event
from bff.demo.shop.context import Parts
from bff.demo.shop.orders import Orders
from bff.demo.shop.payment import payment
from bff.demo.shop.thanks import buy, orders
from bff.demo.shop.tickets import shop
from bff.demo.timeline.listener import Listener
from bff.demo.timeline.panel import Panel, backstage, template_values
from bff.demo.timeline.switches import Switches
from bff.demo.timeline.timeline import Timeline

_ERRORS: Mapping[int, tuple[str, str]] = {
    404: ("There is nothing here", "The address may be wrong, or the order is somebody else's."),
    503: ("The emulator does not answer", "The switch stays as it was, and so does the shop."),
}
_TOO_OLD = ("Please try that again", "The page you came from was too old. Nothing has changed.")
_OTHER = ("Something went wrong", "It is our fault, not yours. Your cart is still there.")


def create_demo(
    folder: Path,
    emulator_url: str = "",
    config: Mapping[str, Any] | None = None,
    partner_url: str = "",
) -> Flask:
    """Build the shop.

    Args:
        folder: Where its two SQLite files are stored (the shop's orders, the BFF's tables).
        emulator_url: Where the emulator runs. If empty, ``config`` names Rokt itself, and the
            panel has no switches.
        config: Settings of Flask and ``ROKT_BFF_…``.
        partner_url: Where the partner's shop runs, for links to it.
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
        WTF_CSRF_TIME_LIMIT=None,  # a form stays valid as long as its session
        ROKT_BFF_DATABASE_URL=f"sqlite:///{folder.resolve() / 'rokt-bff.db'}",
        # A loopback address with any name and port: the demo has no TLS.
        ROKT_BFF_PUBLIC_URL="http://localhost",
    )
    if emulator_url:
        app.config.update(
            ROKT_BFF_API_URL=emulator_url,
            ROKT_BFF_API_KEY="emulator-key",
            ROKT_BFF_TAG_ID="emulator-tag",
        )
    app.config.update(config or {})
    # buy_instantly() has the guard of the BFF's own endpoints. These need no exemption by hand.
    CSRFProtect(app).exempt(buy)
    upsells = Upsells(create_tables=True)
    upsells.init_app(app)
    with app.app_context():
        settings, needed = upsells.settings, upsells.csp()
    parts = Parts(upsells, Orders(folder / "shop.db"), Timeline())
    listener = Listener(parts.timeline, upsells, parts.orders.find)
    listener.connect(app)
    app.extensions["demo_shop"] = parts
    app.extensions["demo_panel"] = Panel(
        upsells,
        parts.timeline,
        listener,
        Switches(emulator_url, OFFERS) if emulator_url else None,
        partner_url,
    )
    formats.init_app(app)
    for blueprint in (shop, payment, orders, backstage):
        app.register_blueprint(blueprint)
    app.register_error_handler(HTTPException, _error)
    strict = policy(needed, trusted_types=not settings.account_id)

    @app.context_processor
    def values() -> dict[str, Any]:
        return {
            "event": the_event(datetime.now(UTC).date()),
            "currency": "USD",
            "account_id": settings.account_id,
            "sandbox": settings.sandbox,
            "emulator_url": emulator_url,
            **template_values(),
        }

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", strict)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        if response.mimetype == "text/html":
            # The browser's "back" must not show an old cart from a cache.
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return app


def _error(error: HTTPException) -> Any:
    code = error.code or 500
    if request.accept_mimetypes.best == "application/json" or code < 400:
        return error
    title, text = _TOO_OLD if isinstance(error, CSRFError) else _ERRORS.get(code, _OTHER)
    return render_template("demo/error.html", title=title, text=text), code
