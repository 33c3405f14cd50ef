"""``Upsells``: the Flask extension. ``build`` makes all parts of one app, and joins them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from flask import Flask
from markupsafe import Markup

from bff.checkout.cancel import Cancellation
from bff.checkout.checkout import Checkout
from bff.checkout.confirm import Confirmation
from bff.checkout.instant_purchase import InstantPurchases
from bff.checkout.reserve import QuoteMaker
from bff.config.security import secure_cookies
from bff.config.settings import Settings
from bff.extension.csp import SELF, sources
from bff.extension.order_verbs import OrderVerbs
from bff.extension.setup import (
    check_tables,
    default_database,
    exempt_from_csrf,
    read_settings,
)
from bff.extension.signals import Signals
from bff.extension.verbs import Verbs
from bff.ops.purge import purge
from bff.outbox.delivery import Delivery
from bff.outbox.order_status import Listener
from bff.outbox.queue import Outbox
from bff.outbox.releases import Releases
from bff.outbox.senders import SENDERS
from bff.outbox.settlement import Settlement
from bff.outbox.sweep import Sweep
from bff.outbox.worker import Worker
from bff.rokt.bulkhead import Bulkhead
from bff.rokt.client import CartApi
from bff.store.clock import system_time
from bff.store.database import Store
from bff.web.cors import allow_origins
from bff.web.endpoints import blueprint
from bff.web.rate_limits import Limits
from bff.web.runtime import KEY, Runtime, runtime
from bff.web.scripts import release
from bff.web.shopper import set_cookie


def build(
    settings: Settings,
    store: Store,
    api: CartApi,
    clock: Callable[[], datetime],
    listener: Listener,
    *,
    secure_cookies: bool,
) -> Runtime:
    """Make the parts of one app, and join them.

    The worker has a bulkhead of its own. Requests that wait for a hanging Rokt must not keep paid
    orders from being delivered, and the delivery of a backlog must not slow down requests.
    """
    outbox = Outbox(settings, clock)
    releases = Releases(outbox)
    settlement = Settlement(outbox, clock)
    in_line = Delivery(settings, store, api, clock, outbox, listener)
    quotes = QuoteMaker(settings, store, api, clock, releases, in_line)
    confirmation = Confirmation(settings, store, clock, outbox, releases, in_line, listener)
    cancellation = Cancellation(settings, store, settlement, in_line)
    checkout = Checkout(
        settings, store, api, clock, listener, in_line, releases, quotes, confirmation, cancellation
    )
    senders = api.with_bulkhead(Bulkhead(SENDERS, SENDERS))
    delivery = Delivery(settings, store, senders, clock, outbox, listener)
    sweep = Sweep(settings, store, clock, releases)
    return Runtime(
        settings=settings,
        store=store,
        api=api,
        checkout=checkout,
        purchases=InstantPurchases(store, checkout, clock),
        outbox=outbox,
        delivery=delivery,
        worker=Worker(delivery, sweep.batches, lambda: purge(store, clock()), clock),
        limits=Limits(settings),
        secure_cookies=secure_cookies,
    )


class Upsells(Verbs, OrderVerbs):
    """Rokt's upsell in a Flask shop.

    ``init_app`` reads the settings ``ROKT_BFF_…`` (the fields of ``bff.Settings``) and
    ``SECRET_KEY``, registers the blueprint, and keeps its parts in ``app.extensions["rokt_bff"]``.
    The verbs work within a request, for the shopper whose cookie the request has. Outside of one
    they raise ``RuntimeError``. An error of Rokt's raises nothing.

    Args:
        app: The app to wire. None: call ``init_app`` later.
        clock: Returns the current time, for tests.
        host: The address of the standalone server. None: the app is a shop.
        create_tables: Create the tables in an empty database when the app starts, as a demo needs.
            Otherwise `flask rokt init-db` creates them.
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
        self._host = host
        self._create_tables = create_tables
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Wire an app.

        Args:
            app: The shop's app.

        Raises:
            ConfigError: Settings are missing, invalid or insecure. It names every one.
            RuntimeError: The app is wired already.
            SchemaMismatch: The database has tables of another version.
        """
        if KEY in app.extensions:
            raise RuntimeError("This app has its upsells already. Call init_app once for each app.")
        settings = read_settings(app, self._host)
        signals = Signals(app)
        store = Store(settings.database_url or default_database(app))
        # The standalone server creates its tables right after this.
        check_tables(store, create=self._create_tables, warn_if_none=self._host is None)
        api = CartApi(settings, self._clock, signals.call_made)
        secure = secure_cookies(settings, app.config)
        app.extensions[KEY] = build(
            settings, store, api, self._clock, signals, secure_cookies=secure
        )
        app.after_request(set_cookie)
        app.register_blueprint(blueprint, url_prefix=settings.url_prefix)
        if settings.origins:
            allow_origins(app, settings)
        exempt_from_csrf(app, blueprint)

    def init_db(self, app: Flask | None = None) -> bool:
        """Create the tables in an empty database.

        Args:
            app: The wired app. None: the current one.

        Returns:
            Whether they were created. False: they exist already.

        Raises:
            RuntimeError: The app is not wired.
            SchemaMismatch: The tables are of another version.
            StoreUnavailable: The database cannot be used right now.
        """
        return runtime(app).store.create_schema()

    def deliver_in_background(self, app: Flask) -> Callable[[], None]:
        """Start a thread that delivers owed calls, releases abandoned items and purges old rows.

        Args:
            app: The wired app.

        Returns:
            A function that stops the thread after the calls under way.

        Raises:
            RuntimeError: The app is not wired.
        """
        return runtime(app).worker.start()

    @property
    def settings(self) -> Settings:
        """The current app's settings.

        Raises:
            RuntimeError: The app is not wired, or there is no app context.
        """
        return runtime().settings

    def csp(self, bff: str = SELF) -> dict[str, tuple[str, ...]]:
        """Return the sources that the pages of the upsell need in their Content-Security-Policy.

        Args:
            bff: Where those pages load ``bridge.js`` from: an origin for a partner's pages.

        Returns:
            Directive → the sources to add to it.

        Raises:
            RuntimeError: The app is not wired, or there is no app context.
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
        """Return the tag that loads a script of this release, with its ``integrity``.

        Make the tag for each page, because it changes with an upgrade.

        Args:
            base: The BFF's address as the page sees it. None: this app's own prefix.
            script: The script's file name.
            preload: The page's own script imports it, so the tag only preloads it.
            data: What the bridge does by itself, such as ``{"guard": "#continue"}``.

        Returns:
            The tag, safe for a template.

        Raises:
            KeyError: There is no such script.
            RuntimeError: The app is not wired, or there is no app context.
        """
        tag = release().script_tag(
            script, base or self.settings.url_prefix, preload=preload, data=data
        )
        return Markup(tag)  # noqa: S704, it escapes what it is given
