"""``Upsells``: the Flask extension, which wires a shop's app; its verbs are in ``bff.verbs``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from flask import Flask
from markupsafe import Markup

from bff.checkout.checkout import Checkout
from bff.checkout.instant_purchase import InstantPurchases
from bff.config.security import secure_cookies
from bff.config.settings import Settings
from bff.extension import setup as starting
from bff.extension.csp import sources
from bff.extension.setup import default_database, leave_to_the_guard, read_settings
from bff.extension.signals import Signals
from bff.extension.verbs import Verbs
from bff.rokt.client import CartApi
from bff.store.clock import system_time
from bff.store.database import Store
from bff.web.cors import allow_origins
from bff.web.rate_limits import Limits
from bff.web.runtime import KEY, Runtime, runtime
from bff.web.scripts import release
from bff.web.shopper import set_cookie
from bff.web.views import blueprint


class Upsells(Verbs):
    """Rokt's upsell in a Flask shop.

    ``create_tables``: make them at the start on an empty database, as a demo wants; without it
    that is for `flask rokt init-db`.

    ``init_app`` reads the settings ``ROKT_BFF_…`` (the fields of ``bff.Settings``) and
    ``SECRET_KEY``, registers the blueprint and keeps its parts in ``app.extensions``. The verbs
    work within a request, for the shopper whose handle is in that request's cookie of ours.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        clock: Callable[[], datetime] = system_time,
        host: str | None = None,
        create_tables: bool = False,
    ) -> None:
        self._clock = clock
        self._host = host  # where the standalone server listens
        self._create_tables = create_tables
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Wire into an app.

        Raises ``ConfigError`` with every problem of the settings, and ``SchemaMismatch`` when the
        database has tables of another version.
        """
        if KEY in app.extensions:
            raise RuntimeError("This app has its upsells already: call init_app once an app.")
        settings = read_settings(app, self._host)
        watcher = Signals(app)
        store = Store(settings.database_url or default_database(app))
        if self._create_tables:
            starting.create_tables(store)
        else:
            # The standalone server makes its tables right after this, and says so.
            starting.check(store, is_to_have_tables=self._host is None)
        api = CartApi(settings, self._clock, watcher.call_made)
        checkout = Checkout(settings, store, api, self._clock, watcher)
        app.extensions[KEY] = Runtime(
            settings=settings,
            store=store,
            checkout=checkout,
            buying=InstantPurchases(store, checkout, self._clock),
            limits=Limits(settings),
            secure_cookies=secure_cookies(settings, app.config),
        )
        app.after_request(set_cookie)
        app.register_blueprint(blueprint, url_prefix=settings.url_prefix)
        if settings.origins:
            allow_origins(app, settings)
        leave_to_the_guard(app, blueprint)

    def init_db(self, app: Flask | None = None) -> bool:
        """Create the tables on an empty database; False when they were there.

        Raises ``SchemaMismatch`` when they are of another version.
        """
        return runtime(app).store.create_schema()

    def deliver_in_background(self, app: Flask) -> Callable[[], None]:
        """Start the thread that works off owed calls, sweeps and purges.

        Returns what stops it: it finishes the call under way, and then returns.
        """
        return runtime(app).checkout.worker.start()

    @property
    def settings(self) -> Settings:
        """The current app's settings."""
        return runtime().settings

    def csp(self, bff: str = "'self'") -> dict[str, tuple[str, ...]]:
        """Return directive → sources to add to the Content-Security-Policy of the upsell's pages.

        ``bff``: where those pages load ``bridge.js`` from; an origin, for a partner's pages.
        """
        return sources(self.settings, bff)

    def script_tag(
        self,
        base: str | None = None,
        script: str = "bridge.js",
        *,
        preload: bool = False,
        data: Mapping[str, str] | None = None,
    ) -> Markup:
        """Return the tag that loads a script of this release, held to its ``integrity``.

        ``base``: the BFF's address as the page sees it, by default this app's own prefix.
        ``preload``: for a page whose own script imports it. Make the tag anew for each page: it
        is another after an upgrade. ``data``: what the bridge is to do by itself, such as
        ``{"guard": "#continue"}`` for ``data-guard``. Raises ``KeyError`` for a script that there
        is not.
        """
        tag = release().tag(script, base or self.settings.url_prefix, preload=preload, data=data)
        return Markup(tag)  # noqa: S704, it escapes what it is given
