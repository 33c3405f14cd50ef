"""What one Flask app has of us: its settings, its checkout, and the handle of a request's shopper.

Kept in ``app.extensions["rokt_bff"]``, never on the extension object, so that one process can
serve several apps.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from bff.checkout.checkout import Checkout
from bff.checkout.instant_purchase import InstantPurchases
from bff.config.settings import Settings
from bff.store.database import Store
from bff.web.rate_limits import Limits

KEY = "rokt_bff"


@dataclass(frozen=True, slots=True)
class Runtime:
    """One app's parts."""

    settings: Settings
    store: Store
    checkout: Checkout
    buying: InstantPurchases
    limits: Limits


def runtime(app: Flask | None = None) -> Runtime:
    """Return the parts of an app, by default the current one.

    Raises ``RuntimeError``, with the cure, when ``init_app`` was not called.
    """
    found = (app or current_app).extensions.get(KEY)
    if not isinstance(found, Runtime):
        raise RuntimeError("This app has no upsells: call Upsells().init_app(app) first.")
    return found
