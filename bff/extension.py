"""``Upsells``: the Flask extension, and the verbs for a shop's own views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Flask, Response, request
from markupsafe import Markup

from bff import starting
from bff.answering import to_json
from bff.buying import Buying
from bff.cart import Update
from bff.cart_api import CartApi
from bff.checkout import EMPTY_CART, Checkout
from bff.clocks import system_time
from bff.config import Settings
from bff.cors import allow_origins
from bff.errors import Unauthorized
from bff.fields import texts
from bff.limiting import Limits
from bff.placements import PageQuestion
from bff.policy import sources
from bff.pressing import press
from bff.publishing import release
from bff.recording import Purchase
from bff.reservation import Wish
from bff.runtime import (
    KEY,
    Runtime,
    forget_handle,
    keep_handle,
    kept_handle,
    remember_quote,
    remembered_quote,
    runtime,
    set_cookie,
    shopper_language,
    take_promise_back,
    with_handle,
)
from bff.schemas import read_prices
from bff.shapes import Cart, Order, Placements, Quote
from bff.signalling import Signals
from bff.store import Store
from bff.views import blueprint
from bff.wiring import default_database, leave_to_the_guard, read_settings


class Upsells:
    """Rokt's upsell in a Flask shop.

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
    ) -> None:
        self._clock = clock
        self._host = host  # where the standalone server listens
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
        starting.check(store)
        api = CartApi(settings, self._clock, watcher.call_made)
        checkout = Checkout(settings, store, api, self._clock, watcher)
        app.extensions[KEY] = Runtime(
            settings=settings,
            store=store,
            checkout=checkout,
            buying=Buying(store, checkout, self._clock),
            limits=Limits(settings),
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
        self, base: str | None = None, script: str = "bridge.js", *, preload: bool = False
    ) -> Markup:
        """Return the tag that loads a script of this release, held to its ``integrity``.

        ``base``: the BFF's address as the page sees it, by default this app's own prefix.
        ``preload``: for a page whose own script imports it. Make the tag anew for each page: it
        is another after an upgrade. Raises ``KeyError`` for a script that there is not.
        """
        tag = release().tag(script, base or self.settings.url_prefix, preload=preload)
        return Markup(tag)  # noqa: S704, it escapes what it is given

    @property
    def cart(self) -> Cart:
        """What the shopper holds; without a session an empty cart, and nothing is written."""
        handle = kept_handle()
        try:
            return runtime().checkout.cart(handle) if handle else EMPTY_CART
        except Unauthorized:
            return EMPTY_CART

    @property
    def session_ref(self) -> str | None:
        """A name of the shopper's session that is no secret, as the signals carry it."""
        handle = kept_handle()
        try:
            return runtime().checkout.session_id(handle) if handle else None
        except Unauthorized:
            return None

    def any_placements(
        self,
        page_identifier: str = "checkout.upsell",
        url: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> Placements:
        """Ask whether to show the upsell page; false when Rokt is slow or down, with a reason.

        ``url``: the page's address as Rokt is told it; by default this request's, without its
        query, which may say more of the shopper than Rokt is to know.
        """
        question = PageQuestion(
            page_identifier=page_identifier,
            url=request.base_url if url is None else url,
            attributes=texts(attributes),
            accept_language=shopper_language(),
        )
        return with_handle(lambda one: runtime().checkout.any_placements(one, question))

    def remove(self, cart_item_id: str) -> Cart:
        """Take a held item out, as a page of the shop's own asks, without a script.

        Like a removal that the page's bridge sends: an item that is not held changes nothing,
        and what Rokt had reserved of it goes back with the next ``reserve``. Raises
        ``StoreUnavailable``.
        """
        if kept_handle() is None:
            return EMPTY_CART
        removal = Update(removed_id=cart_item_id)
        return with_handle(lambda one: runtime().checkout.update(one, removal))

    def reserve(
        self,
        accept_prices: Mapping[str, Decimal | str] | None = None,
        attributes: Mapping[str, str] | None = None,
        is_paypal_payment: bool | None = None,
        merchant_id: str | None = None,
    ) -> Quote:
        """Hold what the shopper has at Rokt and return what may be charged now.

        ``accept_prices``: cart item id → the dearer unit price that the shopper consented to.
        Call it again as often as you like: what is reserved already stays so. Raises
        ``StoreUnavailable`` only; never for what Rokt does.
        """
        taken = read_prices(accept_prices or {})
        wish = Wish(
            accept_prices=taken,
            attributes=texts(attributes),
            is_paypal_payment=is_paypal_payment,
            merchant_id=merchant_id,
            accept_language=shopper_language(),
        )
        quote = with_handle(lambda one: runtime().checkout.reserve(one, wish))
        remember_quote(quote.quote_id)
        return quote

    def confirm(
        self,
        order_id: str | int,
        quote_id: str | None = None,
        attributes: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Order:
        """Record that the shopper has paid this order; call it after the charge.

        ``quote_id``: the quote that was charged; by default the one that ``reserve`` gave in
        this request, else the session's last. ``extra``: further members of Rokt's confirm.
        The same order id again changes nothing. Raises ``Conflict`` for another session's
        order, ``NotFound`` for an unknown quote, ``InvalidInput`` for an order id of more than 128
        characters, ``StoreUnavailable``; never for what Rokt does.

        A payment provider's own call brings no cookie of the shopper's: name the quote there,
        else ``Unauthorized`` is raised, since nobody could tell whose upsell was paid for. Its
        language is not the shopper's either: Rokt is told the one of the quote's request.
        """
        handle = kept_handle()
        purchase = Purchase(
            order_id=str(order_id),
            quote_id=quote_id or remembered_quote(),
            attributes=texts(attributes),
            extra=dict(extra or {}),
            accept_language=shopper_language() if handle is not None else None,
            insists=quote_id is not None,
        )
        return runtime().checkout.confirm(handle, purchase)

    def release(self, attributes: Mapping[str, str] | None = None) -> Cart:
        """Give the reserved items back early; the lines stay held."""
        if kept_handle() is None:
            return EMPTY_CART
        language = shopper_language()
        return with_handle(lambda one: runtime().checkout.release(one, texts(attributes), language))

    def cancel(self, order_id: str | int, cart_item_id: str | None = None) -> Order:
        """Cancel an order's items, or one of them, after the sale.

        Whether this shopper may do that is for the shop to check. Raises ``NotFound``,
        ``Conflict`` when there is nothing to cancel, ``StoreUnavailable``.
        """
        return runtime().checkout.cancel(str(order_id), cart_item_id)

    def order(self, order_id: str | int) -> Order:
        """Read an order. Raises ``NotFound``, ``StoreUnavailable``."""
        return runtime().checkout.order(str(order_id))

    def buy_instantly(self, charge: Callable[[Quote], str | int | None]) -> Response:
        """Answer an instant purchase, which a placement on the thanks page asks for.

        For a POST route of the shop's own that bridge-purchase.js is told of. The items are
        reserved; then ``charge(quote)`` charges ``quote.total`` to what the shopper paid with
        before and returns the new order's id, or None when that cannot be done. A repetition
        after a lost answer comes with the same ``quote_id``: use it as the charge's idempotency
        key. All of the items or none are bought, at the price shown or less. The guard's rules
        hold as for the blueprint's routes; with Flask-WTF's CSRFProtect, exempt the route.
        """
        return press(charge)

    def sync_products(self, quantities: Mapping[str, int]) -> Cart:
        """Let linked items follow the shop's own cart: ``{sku: quantity}``, all products in it.

        Call it whenever that cart changes. An item linked to a product that is not in it leaves,
        now or when the placement adds it later; one whose quantity must be synchronized takes
        the product's. Until the first call, and in the cart after a purchase, nothing follows.
        Raises ``InvalidInput`` that names the product, ``StoreUnavailable``.
        """
        handle = kept_handle()
        if handle is None:
            return EMPTY_CART
        return with_handle(lambda one: runtime().checkout.sync_products(one, quantities))

    def rotate(self) -> None:
        """Give the shopper's session a new handle: call it when they log in. The cart stays."""
        handle = kept_handle()
        take_promise_back()
        if handle is None:
            return
        try:
            keep_handle(runtime().checkout.rotate(handle))
        except Unauthorized:
            forget_handle()  # the session has ended, and a login must not fail for that

    @staticmethod
    def to_json(value: Cart | Quote | Order | Placements) -> dict[str, Any]:
        """Turn a shape into the JSON that the HTTP endpoints give."""
        return to_json(value)
