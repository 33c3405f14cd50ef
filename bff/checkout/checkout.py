"""The checkout's verbs, each for one session: hold, ask, reserve, release, confirm, cancel.

Joins the rules (``bff.cart``), the database (``bff.store``, ``bff.ledger``) and Rokt's API, and
leaves the larger verbs to ``bff.reserving``, ``bff.confirming`` and ``bff.delivery``. Knows
handles and values, nothing of Flask.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from bff.cart.held_cart import HeldCart, Update, apply, bounded
from bff.cart.linked_products import check_products, follow_products
from bff.cart.order import Order, Purchase
from bff.cart.quote import Quote
from bff.cart.reservation import ReserveOptions, State
from bff.cart.shown_cart import Cart, view_cart
from bff.checkout.confirm import Confirmation
from bff.checkout.reserve import OPEN_STATES, QuoteMaker
from bff.config.settings import Settings
from bff.errors import Code, InvalidInput, NotFound, Unauthorized
from bff.ops.purge import batches
from bff.outbox.delivery import Delivery
from bff.outbox.order_status import Listener
from bff.outbox.releases import Releases
from bff.outbox.senders import SENDERS
from bff.outbox.sweep import Sweep
from bff.outbox.worker import Worker
from bff.rokt.bulkhead import Bulkhead
from bff.rokt.calls import any_call
from bff.rokt.client import CartApi
from bff.rokt.placements import Placements, PlacementsRequest, read_placements
from bff.store import orders as order_book
from bff.store import reservations as ledger
from bff.store.database import Store
from bff.store.handles import change_handle, find_payer, new_handle, refuse_moved
from bff.store.sessions import (
    Session,
    create_session,
    find_session,
    get_session,
    save_cart,
    set_rokt_session,
)

log = logging.getLogger(__name__)


# A session lives on while it is used, but not for ever: a handle that leaked is worthless then.
LONGEST_SESSION = timedelta(days=30)


# What the column holds.
LONGEST_ORDER_ID = 128


_ORDER_ID = re.compile(rf"[^\x00\ud800-\udfff]{{1,{LONGEST_ORDER_ID}}}", re.DOTALL)


EMPTY_CART = Cart(cart_id=None, version=0, items=(), totals={}, removed=())


class Checkout:
    """All verbs, on one database and one Rokt account. Safe to use from many threads."""

    def __init__(
        self,
        settings: Settings,
        database: Store,
        api: CartApi,
        clock: Callable[[], datetime],
        watcher: Listener,
    ) -> None:
        self._settings = settings
        self._store = database
        self.api = api
        self._clock = clock
        self._watcher = watcher
        in_line = Delivery(settings, database, api, clock, watcher)
        # With places of its own: shoppers who wait for a hanging Rokt must not keep what is paid
        # for from being delivered, nor a backlog of it keep shoppers waiting.
        senders = api.with_bulkhead(Bulkhead(SENDERS, SENDERS))
        self.delivery = Delivery(settings, database, senders, clock, watcher)
        self._releasing = Releases(settings, in_line)
        sweeping = Sweep(settings, database, clock)
        self.worker = Worker(
            self.delivery, sweeping.batches, lambda: batches(database, clock()), clock
        )
        self._reserving = QuoteMaker(settings, database, api, clock, self._releasing)
        self._confirming = Confirmation(settings, database, in_line, self._releasing, clock)

    def open_session(self, promised: str | None = None) -> str:
        """Start a session with an empty cart and return its handle.

        ``promised``: the handle that it is to have. Where another request of the same browser was
        faster, the session is there; where it has ended since, a new handle is made. Raises
        ``SessionMoved`` where a login was faster.
        """
        now = self._clock()
        handle = promised or new_handle()
        try:
            with self._store.write() as connection:
                create_session(connection, handle, now=now, expires_at=self._expiry(now, now))
                refuse_moved(connection, handle, now)  # afterwards: the insert waits for a login
        except IntegrityError:
            with self._store.read() as connection:
                lives = find_session(connection, handle, now=now) is not None
            return handle if lives else self.open_session()
        return handle

    def session_id(self, handle: str) -> str:
        """Return our own id of a handle's session. Raises ``Unauthorized``."""
        return self._find(handle).id

    def cart(self, handle: str) -> Cart:
        """Read the held cart. Raises ``Unauthorized`` for a handle without a live session."""
        with self._store.read() as connection:
            return self._view(connection, self._live(connection, handle))

    def update(self, handle: str, update: Update, rokt_session_id: str | None = None) -> Cart:
        """Apply one message of the Web SDK; it is committed when this returns.

        ``rokt_session_id``: the Web SDK's own, which the page tells. Raises ``Unauthorized``,
        ``InvalidInput`` (the cart is full), ``StoreUnavailable``; then nothing has changed.
        """
        limit = self._settings.max_lines

        def rule(cart: HeldCart) -> HeldCart:
            return bounded(cart, apply(cart, update, max_lines=limit), update)

        return self._change(handle, rule, "update", rokt_session_id)

    def sync_products(self, handle: str, quantities: Mapping[str, int]) -> Cart:
        """Let linked items follow the shop's own cart, now and later: ``{sku: quantity}``, all.

        Raises ``Unauthorized``, and ``InvalidInput``: see ``check_products``.
        """
        check_products(quantities, self._settings.max_quantity)
        return self._change(handle, lambda cart: follow_products(cart, quantities), "sync")

    def any_placements(self, handle: str, question: PlacementsRequest) -> Placements:
        """Ask Rokt whether to show the upsell page; "skip" when it does not say in time."""
        session = self._find(handle)
        call = any_call(
            cart_id=session.cart.cart_id,
            page_identifier=question.page_identifier,
            url=question.url,
            attributes=question.attributes,
            rokt_session_id=session.rokt_session_id,
            accept_language=question.accept_language,
        )
        limit = self._settings.placements_timeout
        return read_placements(self.api.send(call, limit=limit, session_id=session.id))

    def reserve(self, handle: str, wish: ReserveOptions) -> Quote:
        """Hold at Rokt what the shopper has, and return what may be charged.

        Never raises for what Rokt does: without it, the quote is empty and says why.
        """
        session = self._find(handle)
        quote, changed = self._reserving.quote(session.id, wish)
        if changed:
            self._tell_cart(session.id, "reserve")
        return quote

    def release(
        self,
        handle: str,
        attributes: Mapping[str, str] | None = None,
        accept_language: str | None = None,
    ) -> Cart:
        """Give back all that is reserved for the cart; the lines stay held."""
        with self._store.write() as connection:
            session = self._live(connection, handle, for_update=True)
            now = self._clock()
            rows = ledger.rows_of_session(connection, session.id, [State.RESERVED])
            owed = self._releasing.owe(
                connection, rows, now, attributes=attributes, accept_language=accept_language
            )
            if owed:
                # A reserve that is under way sees by it that its plan does not hold any more.
                newer = replace(session.cart, version=session.cart.version + 1)
                save_cart(connection, session, newer)
        self._releasing.send(owed, limit=self._settings.reserve_timeout)
        return self._tell_cart(session.id, "release") if owed else self.cart(handle)

    def confirm(self, handle: str | None, purchase: Purchase) -> Order:
        """Record that the shopper has paid: see ``record``."""
        return self.record(handle, purchase)[0]

    def record(self, handle: str | None, purchase: Purchase) -> tuple[Order, bool]:
        """Record that the shopper has paid, durably, and tell Rokt now or later.

        Returns the order, and whether it is new. A session that has ended still has its quotes,
        and so has for a while one that was given another handle while the shopper paid; without
        a good handle (a payment provider's call has none) the quote names the session. Raises
        ``Unauthorized``, ``Conflict``, ``NotFound``, ``StoreUnavailable``, ``InvalidInput`` for
        an order id that no database holds; never for what Rokt does.
        """
        if not _ORDER_ID.fullmatch(purchase.order_id):
            wrong = f"must have 1 to {LONGEST_ORDER_ID} characters, none of them NUL or half of one"
            raise InvalidInput("This is no order id.", errors={"orderId": [wrong]})
        with self._store.read() as connection:
            payer = find_payer(connection, handle, purchase.quote_id, now=self._clock())
        if payer is None:
            raise Unauthorized(
                "No shopper's session is known for this payment: name the quote that was charged.",
                code=Code.UNKNOWN_PAYER,
            )
        order, new = self._confirming.confirm(
            payer.session_id, replace(purchase, quote_id=payer.quote_id)
        )
        if new:
            try:
                self._tell_cart(payer.session_id, "confirm")
            except Exception as error:
                what = type(error).__name__
                log.error("order %r is recorded, nobody is told: %s", purchase.order_id, what)
        return order, new

    def order(self, order_id: str) -> Order:
        """Read an order. Raises ``NotFound``."""
        return self._confirming.order(order_id)

    def cancel(self, order_id: str, cart_item_id: str | None) -> Order:
        """Cancel items after they were confirmed; see ``Confirmation.cancel`` for its errors."""
        return self._confirming.cancel(order_id, cart_item_id)

    def refunded(self, order_id: str) -> None:
        """Note that the shopper has their money back. Raises ``NotFound`` when none was owed."""
        with self._store.write() as connection:
            if not order_book.set_refunded(connection, order_id, self._clock()):
                raise NotFound(f"No order {order_id!r} needs a refund.")

    def rotate(self, handle: str) -> str:
        """Give the session a new handle, and return it; the old one is worthless."""
        new = new_handle()
        with self._store.write() as connection:
            now = self._clock()
            if not change_handle(connection, handle, new, now=now):
                refuse_moved(connection, handle, now)
                raise Unauthorized("This session has ended.")
        return new

    def refuse_moved(self, handle: str) -> None:
        """Raise ``SessionMoved`` for the handle that a session had until a login just now."""
        with self._store.read() as connection:
            refuse_moved(connection, handle, self._clock())

    def _change(
        self,
        handle: str,
        rule: Callable[[HeldCart], HeldCart],
        cause: str,
        rokt_session_id: str | None = None,
    ) -> Cart:
        """Apply a rule to the held cart by compare-and-set, until nobody was faster."""
        while True:
            now = self._clock()
            with self._store.write() as connection:
                session = self._live(connection, handle, for_update=True)
                changed = rule(session.cart)
                told = rokt_session_id or session.rokt_session_id
                if changed is session.cart:
                    if told != session.rokt_session_id:
                        set_rokt_session(connection, session, told)
                    return self._view(connection, session)
                expires_at = self._expiry(session.created_at, now)
                if save_cart(
                    connection, session, changed, rokt_session_id=told, expires_at=expires_at
                ):
                    rows = ledger.rows_of_session(connection, session.id, OPEN_STATES)
                    view = view_cart(changed, rows, now)
                    break
        if (changed.lines, changed.removed) != (session.cart.lines, session.cart.removed):
            self._watcher.cart_changed(session.id, cause, view)
        return view

    def _tell_cart(self, session_id: str, cause: str) -> Cart:
        # By our id: the handle may have been changed since, or have ended.
        with self._store.read() as connection:
            session = get_session(connection, session_id, for_update=False)
            view = self._view(connection, session) if session else EMPTY_CART
        self._watcher.cart_changed(session_id, cause, view)
        return view

    def _view(self, connection: Connection, session: Session) -> Cart:
        rows = ledger.rows_of_session(connection, session.id, OPEN_STATES)
        return view_cart(session.cart, rows, self._clock())

    def _find(self, handle: str) -> Session:
        with self._store.read() as connection:
            return self._live(connection, handle)

    def _live(self, connection: Connection, handle: str, *, for_update: bool = False) -> Session:
        now = self._clock()
        session = find_session(connection, handle, now=now, for_update=for_update)
        if session is None:
            raise Unauthorized("This session has ended.")
        return session

    def _expiry(self, created_at: datetime, now: datetime) -> datetime:
        idle = now + timedelta(seconds=self._settings.session_seconds)
        return min(idle, created_at + LONGEST_SESSION)
