"""The parts of one wired app, in ``app.extensions["rokt_bff"]``.

They are never kept on the extension object, so one process can serve several apps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from flask import Flask, current_app

from bff.checkout.checkout import Checkout
from bff.checkout.instant_purchase import InstantPurchases
from bff.config.settings import Settings
from bff.outbox.delivery import Delivery
from bff.outbox.queue import Outbox
from bff.outbox.worker import Worker
from bff.rokt.client import CartApi
from bff.store.database import Store
from bff.web.rate_limits import Limits

KEY = "rokt_bff"


@dataclass(frozen=True)
class Runtime:
    """The parts of one app; ``bff.extension.upsells.build`` makes and joins them.

    Attributes:
        settings: The settings.
        store: The database.
        api: The client of Rokt's Cart API.
        checkout: The verbs of a shopper's session.
        purchases: The instant purchases.
        outbox: The calls owed to Rokt.
        delivery: The worker's attempts at owed calls.
        worker: Delivers, sweeps and purges.
        limits: The rate limits.
        secure_cookies: Whether our cookies are sent over TLS only.
    """

    settings: Settings
    store: Store
    api: CartApi
    checkout: Checkout
    purchases: InstantPurchases
    outbox: Outbox
    delivery: Delivery
    worker: Worker
    limits: Limits
    secure_cookies: bool

    @cached_property
    def public_host(self) -> str | None:
        """The host of ``ROKT_BFF_PUBLIC_URL``, None when it is not set."""
        return urlsplit(self.settings.public_url).hostname


def runtime(app: Flask | None = None) -> Runtime:
    """Return the parts of an app, by default the current one.

    Raises:
        RuntimeError: ``init_app`` was not called.
    """
    found = (app or current_app).extensions.get(KEY)
    if not isinstance(found, Runtime):
        raise RuntimeError("This app has no upsells: call Upsells().init_app(app) first.")
    return found
