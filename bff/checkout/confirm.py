"""Confirm and cancel: what becomes of a paid order's upsell.

Confirming writes the order, its items and the call owed to Rokt in one transaction. From then
on the purchase cannot get lost; whether Rokt answers now or tomorrow is delivery's matter.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from bff.cart.order import Order, Purchase
from bff.cart.reservation import Reservation, State
from bff.checkout.new_order import NewOrders, Recorded
from bff.config.settings import Settings
from bff.errors import Code, Conflict, NotFound, StoreUnavailable
from bff.outbox.delivery import Delivery
from bff.outbox.order_status import read_order
from bff.outbox.queue import OwedCall
from bff.outbox.releases import Releases
from bff.store import orders as order_book
from bff.store import reservations as ledger
from bff.store.database import Store
from bff.store.orders import PAID_TWICE
from bff.store.sessions import get_session

log = logging.getLogger(__name__)


# Of the time limit, what giving back may use before a confirm that needs it.
RELEASE_SHARE = 0.25


class Confirmation:
    """Turns quotes into orders, and cancels them."""

    def __init__(
        self,
        settings: Settings,
        database: Store,
        delivery: Delivery,
        releasing: Releases,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = database
        self._delivery = delivery
        self._releasing = releasing
        self._recording = NewOrders(settings, releasing)
        self._clock = clock

    def confirm(self, session_id: str, purchase: Purchase) -> tuple[Order, bool]:
        """Record a paid order, durably, and try to confirm it at once.

        Returns the order and whether it is new; a repetition with the same order id changes
        nothing. Raises ``Conflict`` when the order is another session's, ``NotFound`` for a
        quote that this session never had, ``StoreUnavailable``; never for what Rokt does.
        """
        end = time.monotonic() + self._settings.confirm_timeout
        order, recorded = self._record(session_id, purchase, end)
        if recorded is None:
            return order, False
        try:
            self._send(purchase.order_id, recorded, end)
            return self.order(purchase.order_id), True
        except Exception as error:
            # It is written, and delivery has the rest: the shop must not take it for failed.
            # Only what is ours says more than its name: other texts may hold a shopper's data.
            told = error if isinstance(error, StoreUnavailable) else type(error).__name__
            log.error("order %r is recorded, then: %s", purchase.order_id, told)
            return order, True

    def _record(
        self, session_id: str, purchase: Purchase, end: float
    ) -> tuple[Order, Recorded | None]:
        """Write the order unless it is known; the order as written, and what it owes if new."""
        try:
            return self._record_once(session_id, purchase, end)
        except IntegrityError:
            # PostgreSQL: another request wrote the same order id at the same time.
            return self._record_once(session_id, purchase, end)

    def _record_once(
        self, session_id: str, purchase: Purchase, end: float
    ) -> tuple[Order, Recorded | None]:
        recorded = None
        with self._store.write(wait=end - time.monotonic()) as connection:
            session = get_session(connection, session_id)
            known = order_book.find_order(connection, purchase.order_id, for_update=True)
            now = self._clock()  # after the locks were waited for: a lease begins with it
            if known is not None and (session is None or known.session_id != session.id):
                raise Conflict(
                    "This order belongs to another session: each purchase needs an order id of "
                    "its own.",
                    code=Code.FOREIGN_ORDER,
                )
            if session is None:
                raise NotFound("There is no such session.")
            if known is None:
                recorded = self._recording.record(connection, session, purchase, now)
            elif purchase.insists and purchase.quote_id not in (
                known.quote_id,
                known.named_quote_id,
            ):
                raise Conflict("This order was paid with another quote.", code=Code.OTHER_QUOTE)
            order = read_order(connection, purchase.order_id)
        if order is None:
            raise NotFound("There is no such order.")
        return order, recorded

    def _send(self, order_id: str, recorded: Recorded, end: float) -> None:
        """Try the calls of a new order until ``end``; delivery has what fails."""
        if recorded.renews:
            # What is given back may be what the order needs.
            share = self._settings.confirm_timeout * RELEASE_SHARE
            self._releasing.send(recorded.releases, limit=share)
        if recorded.confirm is not None:
            self._delivery.attempt(recorded.confirm, limit=end - time.monotonic())
        if recorded.is_paid_twice and self.order(order_id).last_error in PAID_TWICE:
            self._delivery.tell(order_id)  # where more of it is lost, delivery has told
        if not recorded.renews:
            # After the confirm, which matters more.
            left = min(end - time.monotonic(), self._settings.connect_timeout)
            self._releasing.send(recorded.releases, limit=left)

    def order(self, order_id: str) -> Order:
        """Read an order. Raises ``NotFound``."""
        with self._store.read() as connection:
            order = read_order(connection, order_id)
        if order is None:
            raise NotFound("There is no such order.")
        return order

    def cancel(self, order_id: str, cart_item_id: str | None = None) -> Order:
        """Cancel an order's items, or the named one, and try to tell Rokt at once.

        An item whose confirm is still owed is cancelled right after it. Repeating is harmless.
        Raises ``NotFound`` for an unknown order or item, ``Conflict`` when nothing of it can
        be cancelled (it needs a refund, or was confirmed without a reservation id).
        """
        with self._store.write() as connection:
            if order_book.find_order(connection, order_id, for_update=True) is None:
                raise NotFound("There is no such order.")
            now = self._clock()
            rows = [
                row
                for row in ledger.rows_of_order(connection, order_id)
                if cart_item_id in (None, row.item.cart_item_id)
            ]
            if not rows and cart_item_id is not None:
                raise NotFound("The order has no such item.", code=Code.ITEM_NOT_FOUND)
            owed = [x for row in rows if (x := self._cancel(connection, row, now)) is not None]
            if not owed and not any(_is_leaving(row) for row in rows):
                raise Conflict("Nothing of this order can be cancelled.", code=Code.NOT_CANCELLABLE)
            if owed and all(row.state is not State.REFUND_NEEDED for row in rows):
                # What was told of an earlier cancel is over.
                order_book.set_error(connection, order_id, None)
            order_book.sum_up(connection, order_id)
        end = time.monotonic() + self._settings.confirm_timeout
        for one in owed:  # what there is no time left for is delivery's
            self._delivery.attempt(one, limit=end - time.monotonic())
        return self.order(order_id)

    def _cancel(self, connection: Connection, row: Reservation, now: datetime) -> OwedCall | None:
        if row.state is State.CONFIRMING:
            # Cancel never overtakes confirm: delivery owes it once Rokt has confirmed.
            ledger.change(connection, row.id, State.CONFIRMING, cancel_requested=True)
            return None
        if row.item_reservation_id is None or not ledger.change(
            connection, row.id, State.CONFIRMED, State.CANCELLING
        ):
            return None
        return self._delivery.settling.owe_cancel(
            connection, row, row.item_reservation_id, now, in_line=True
        )


def _is_leaving(row: Reservation) -> bool:
    return row.state in (State.CONFIRMING, State.CANCELLING, State.CANCELLED)
