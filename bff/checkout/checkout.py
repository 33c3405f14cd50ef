"""``Checkout``: what a shopper's session can do, one method for each verb.

It holds the cart itself, and leaves the larger verbs to ``bff.checkout.reserve``, ``confirm`` and
``cancel``. It knows handles and values, and nothing of Flask.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from bff.cart.held_cart import HeldCart
from bff.cart.linked_products import check_products, follow_products
from bff.cart.order import Order, Purchase
from bff.cart.quote import Quote
from bff.cart.reservation import OPEN_STATES, ReserveOptions, State
from bff.cart.shown_cart import Cart, view_cart
from bff.cart.updates import Update, apply
from bff.checkout.cancel import Cancellation
from bff.checkout.confirm import Confirmation
from bff.checkout.reserve import QuoteMaker
from bff.config.settings import Settings
from bff.errors import InvalidInput, NotFound, Unauthorized
from bff.outbox.delivery import Delivery
from bff.outbox.order_status import Listener
from bff.outbox.releases import Releases
from bff.rokt.calls import any_call
from bff.rokt.client import CartApi
from bff.rokt.placements import Placements, PlacementsRequest, read_placements
from bff.store.database import Store
from bff.store.handles import change_handle, new_handle, refuse_moved
from bff.store.orders import set_refunded
from bff.store.reservations import rows_of_session
from bff.store.sessions import (
    Session,
    create_session,
    find_session,
    save_cart,
    session_expiry,
    set_rokt_session,
)

# What the column stores.
LONGEST_ORDER_ID = 128
_ORDER_ID = re.compile(rf"[^\x00\ud800-\udfff]{{1,{LONGEST_ORDER_ID}}}", re.DOTALL)

EMPTY_CART = Cart(cart_id=None, version=0, items=(), totals={}, removed=())


class Checkout:
    """All verbs, on one database and one Rokt account. Many threads may use it at once.

    Every verb raises ``StoreUnavailable`` when the database cannot be used right now. Verbs that
    take a handle raise ``Unauthorized`` when it has no live session.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        api: CartApi,
        clock: Callable[[], datetime],
        listener: Listener,
        delivery: Delivery,
        releases: Releases,
        quotes: QuoteMaker,
        confirmation: Confirmation,
        cancellation: Cancellation,
    ) -> None:
        self._settings = settings
        self._idle = timedelta(seconds=settings.session_seconds)
        self._store = store
        self._api = api
        self._clock = clock
        self._listener = listener
        self._delivery = delivery
        self._releases = releases
        self._quotes = quotes
        self._confirmation = confirmation
        self._cancellation = cancellation

    def open_session(self, first_handle: str | None = None) -> str:
        """Start a session with an empty cart, and return its handle.

        ``first_handle``: the handle that the browser expects. If another request of it
        was faster, the session exists already. If that has ended, a new handle is made. Raises
        ``SessionMoved`` when a login was faster.
        """
        now = self._clock()
        expires_at = session_expiry(now, now, self._idle)
        handle = first_handle or new_handle()
        try:
            with self._store.write() as connection:
                create_session(connection, handle, now=now, expires_at=expires_at)
                refuse_moved(connection, handle, now)  # after the insert, which waits for a login
        except IntegrityError:
            with self._store.read() as connection:
                lives = find_session(connection, handle, now=now) is not None
            return handle if lives else self.open_session()
        return handle

    def session_id(self, handle: str) -> str:
        """Return our id of a handle's session."""
        return self._find(handle).id

    def cart(self, handle: str) -> Cart:
        """Return the held cart."""
        with self._store.read() as connection:
            return self._view(connection, self._live(connection, handle))

    def update(self, handle: str, update: Update, rokt_session_id: str | None = None) -> Cart:
        """Apply one message of the Web SDK. It is committed when this returns.

        ``rokt_session_id``: the Web SDK's, if the page sent it. Raises ``InvalidInput`` when the
        cart is full; then nothing has changed.
        """
        most = self._settings.max_lines
        return self._change(
            handle, lambda cart: apply(cart, update, max_lines=most), "update", rokt_session_id
        )

    def sync_products(self, handle: str, quantities: Mapping[str, int]) -> Cart:
        """Let linked items follow the shop's own cart, now and with later updates.

        ``quantities``: SKU → quantity of every product in the shop's cart. Raises ``InvalidInput``:
        see ``check_products``.
        """
        check_products(quantities, self._settings.max_quantity)
        return self._change(handle, lambda cart: follow_products(cart, quantities), "sync")

    def any_placements(self, handle: str, question: PlacementsRequest) -> Placements:
        """Ask Rokt whether to show the upsell page. If Rokt does not respond in time: no."""
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
        return read_placements(self._api.send(call, limit=limit, session_id=session.id))

    def reserve(self, handle: str, options: ReserveOptions) -> Quote:
        """Reserve the held items at Rokt, and return what may be charged.

        An error of Rokt's raises nothing: the quote says what is not in it, and why.
        """
        session = self._find(handle)
        quoted = self._quotes.quote(session.id, options)
        if quoted.cart is not None:
            self._listener.cart_changed(session.id, "reserve", quoted.cart)
        return quoted.quote

    def release(
        self,
        handle: str,
        attributes: Mapping[str, str] | None = None,
        accept_language: str | None = None,
    ) -> Cart:
        """Give back all that is reserved for the cart. The lines stay held."""
        with self._store.write() as connection:
            session = self._live(connection, handle, for_update=True)
            rows = rows_of_session(connection, session.id, OPEN_STATES)
            reserved = [row for row in rows if row.state is State.RESERVED]
            owed = self._releases.owe(
                connection, reserved, attributes=attributes, accept_language=accept_language
            )
            cart = session.cart
            if owed:
                # It makes the plan of a reserve that is under way stale.
                cart = replace(cart, version=cart.version + 1)
                save_cart(connection, session, cart)
            left = [row for row in rows if row not in reserved]
            view = view_cart(cart, left, self._clock())
        self._delivery.attempt_all(owed, limit=self._settings.reserve_timeout)
        if owed:
            self._listener.cart_changed(session.id, "release", view)
        return view

    def record(self, handle: str | None, purchase: Purchase) -> tuple[Order, bool]:
        """Record that the shopper has paid, and tell Rokt now or later.

        Returns the order, and whether it is new. The session of ``handle`` may have expired. None:
        a payment provider calls, and the quote names the session.

        Raises:
            Conflict: The order belongs to another session, or was paid with another quote.
            InvalidInput: The order id is too long, or has characters that no database stores.
            NotFound: The session never had this quote.
            Unauthorized: Neither the handle nor the quote names a session.
        """
        if not _ORDER_ID.fullmatch(purchase.order_id):
            wrong = f"must have 1 to {LONGEST_ORDER_ID} characters, without NUL and half characters"
            raise InvalidInput.of_fields({"orderId": [wrong]})
        return self._confirmation.confirm(handle, purchase)

    def order(self, order_id: str) -> Order:
        """Return an order. Raises ``NotFound``."""
        return self._confirmation.order(order_id)

    def cancel(self, order_id: str, cart_item_id: str | None) -> Order:
        """Cancel items after they were confirmed. ``Cancellation.cancel`` names its errors."""
        self._cancellation.cancel(order_id, cart_item_id)
        return self.order(order_id)

    def refunded(self, order_id: str) -> None:
        """Record that the shopper has their money back. Raises ``NotFound`` if none is owed."""
        with self._store.write() as connection:
            if not set_refunded(connection, order_id, self._clock()):
                raise NotFound(f"No order {order_id!r} needs a refund.")

    def rotate(self, handle: str) -> str:
        """Give the session a new handle, and return it. The old one opens nothing any more.

        Raises ``SessionMoved`` when another login was faster.
        """
        new = new_handle()
        with self._store.write() as connection:
            now = self._clock()
            if not change_handle(connection, handle, new, now=now):
                refuse_moved(connection, handle, now)
                raise Unauthorized("This session has ended.")
        return new

    def refuse_moved(self, handle: str) -> None:
        """Raise ``SessionMoved`` for the handle that a session had until a recent login."""
        with self._store.read() as connection:
            refuse_moved(connection, handle, self._clock())

    def _change(
        self,
        handle: str,
        rule: Callable[[HeldCart], HeldCart],
        cause: str,
        rokt_session_id: str | None = None,
    ) -> Cart:
        """Apply a rule to the held cart by compare-and-set, until no other request was faster."""
        while True:
            now = self._clock()
            with self._store.write() as connection:
                session = self._live(connection, handle, for_update=True)
                changed = rule(session.cart)
                rokt_session_id = rokt_session_id or session.rokt_session_id
                if changed is session.cart:
                    if rokt_session_id != session.rokt_session_id:
                        set_rokt_session(connection, session, rokt_session_id)
                    return self._view(connection, session)
                if save_cart(
                    connection,
                    session,
                    changed,
                    rokt_session_id=rokt_session_id,
                    expires_at=session_expiry(session.created_at, now, self._idle),
                ):
                    view = self._view(connection, replace(session, cart=changed))
                    break
        if (changed.lines, changed.removed) != (session.cart.lines, session.cart.removed):
            self._listener.cart_changed(session.id, cause, view)
        return view

    def _view(self, connection: Connection, session: Session) -> Cart:
        rows = rows_of_session(connection, session.id, OPEN_STATES)
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
