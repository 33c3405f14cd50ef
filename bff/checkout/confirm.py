"""Confirm: records a paid order, and sends its confirm at once.

The order, its items and the call owed to Rokt are written in one transaction. From then on the
purchase cannot be lost. Whether Rokt responds now or tomorrow is up to the outbox.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from bff.cart.order import PAID_TWICE, Order, Purchase
from bff.checkout.new_order import NewOrder, NewOrders
from bff.config.settings import Settings
from bff.errors import Code, Conflict, NotFound, StoreUnavailable, Unauthorized
from bff.outbox.delivery import Delivery
from bff.outbox.order_status import Listener, notify, read_order
from bff.outbox.queue import Outbox
from bff.outbox.releases import Releases
from bff.store.database import Store
from bff.store.handles import find_payer
from bff.store.orders import find_order
from bff.store.sessions import get_session

log = logging.getLogger(__name__)

# The part of the time limit that releases may use before a confirm that needs them.
RELEASE_SHARE = 0.25


class Confirmation:
    """Turns quotes into orders."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Callable[[], datetime],
        outbox: Outbox,
        releases: Releases,
        delivery: Delivery,
        listener: Listener,
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._delivery = delivery
        self._new_orders = NewOrders(settings, outbox, releases)
        self._listener = listener

    def confirm(self, handle: str | None, purchase: Purchase) -> tuple[Order, bool]:
        """Record a paid order, and try to confirm it at once; return it, and whether it is new.

        An error of Rokt's raises nothing. A repetition with the same order id changes nothing.
        ``Checkout.record`` names the errors.
        """
        end = time.monotonic() + self._settings.confirm_timeout
        order, session_id, new = self._record(handle, purchase, end)
        if new is None:
            return order, False
        try:
            order = self._send(new, end)
        except Exception as error:
            # The order is recorded, and the worker has the rest: it must not look failed to the
            # shop. Only our own error's message is logged: another may hold personal data.
            what = error if isinstance(error, StoreUnavailable) else type(error).__name__
            log.error("order %r is recorded, then: %s", purchase.order_id, what)
        if {order.error_code, new.order.error_code} <= PAID_TWICE:
            notify(self._listener, order)  # if more was lost, the delivery has notified listeners
        self._listener.cart_changed(session_id, "confirm", new.cart)
        return order, True

    def _record(
        self, handle: str | None, purchase: Purchase, end: float
    ) -> tuple[Order, str, NewOrder | None]:
        """Write the order unless it exists; return it, its session, and what is new of it."""
        try:
            return self._record_once(handle, purchase, end)
        except IntegrityError:
            # PostgreSQL: another request wrote the same order id at the same time.
            return self._record_once(handle, purchase, end)

    def _record_once(
        self, handle: str | None, purchase: Purchase, end: float
    ) -> tuple[Order, str, NewOrder | None]:
        with self._store.write(wait=end - time.monotonic()) as connection:
            payer = find_payer(connection, handle, purchase.quote_id, now=self._clock())
            if payer is None:
                raise Unauthorized(
                    "This payment names no session that is known. Name the quote that was charged.",
                    code=Code.UNKNOWN_PAYER,
                )
            session = get_session(connection, payer.session_id)
            known = find_order(connection, purchase.order_id, for_update=True)
            now = self._clock()  # after waiting for the locks: a lease begins with it
            if session is None:
                raise NotFound("There is no such session.")
            if known is None:
                purchase = replace(purchase, quote_id=payer.quote_id)
                new = self._new_orders.record(connection, session, purchase, now)
                return new.order, session.id, new
            if known.session_id != session.id:
                raise Conflict(
                    "This order belongs to another session: give each purchase its own order id.",
                    code=Code.FOREIGN_ORDER,
                )
            if purchase.insists and payer.quote_id not in (known.quote_id, known.named_quote_id):
                raise Conflict("This order was paid with another quote.", code=Code.OTHER_QUOTE)
            order = read_order(connection, purchase.order_id)
        if order is None:
            raise NotFound("There is no such order.")
        return order, session.id, None

    def _send(self, new: NewOrder, end: float) -> Order:
        """Attempt the calls of a new order until ``end``; the worker has those that fail."""
        order: Order | None = new.order
        if new.renews:
            # What is released may be what the order needs.
            share = self._settings.confirm_timeout * RELEASE_SHARE
            self._delivery.attempt_all(new.releases, limit=share)
        if new.confirm is not None:
            limit = end - time.monotonic()
            order = self._delivery.attempt(new.confirm, limit=limit, renews=new.renews)
        order = order or self.order(new.order.order_id)
        if not new.renews:
            # After the confirm, which matters more.
            left = min(end - time.monotonic(), self._settings.connect_timeout)
            self._delivery.attempt_all(new.releases, limit=left)
        return order

    def order(self, order_id: str) -> Order:
        """Return an order. Raises ``NotFound``."""
        with self._store.read() as connection:
            order = read_order(connection, order_id)
        if order is None:
            raise NotFound("There is no such order.")
        return order
