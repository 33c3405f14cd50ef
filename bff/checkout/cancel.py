"""Cancel: gives up items of an order after the sale."""

from __future__ import annotations

from sqlalchemy import Connection

from bff.cart.order import OrderRow, OrderStatus
from bff.cart.reservation import Reservation, State
from bff.config.settings import Settings
from bff.errors import Code, Conflict, NotFound
from bff.outbox.delivery import Delivery
from bff.outbox.queue import OwedCall
from bff.outbox.settlement import Settlement
from bff.store.database import Store
from bff.store.orders import find_order, set_error
from bff.store.reservations import change, rows_of_order

_LEAVING = (State.CONFIRMING, State.CANCELLING, State.CANCELLED)


class Cancellation:
    """Cancels items of orders."""

    def __init__(
        self, settings: Settings, store: Store, settlement: Settlement, delivery: Delivery
    ) -> None:
        self._settings = settings
        self._store = store
        self._settlement = settlement
        self._delivery = delivery

    def cancel(self, order_id: str, cart_item_id: str | None = None) -> None:
        """Cancel an order's items, or one of them, and try to tell Rokt at once.

        An item whose confirm is still owed is cancelled right after it: a cancel never overtakes a
        confirm. A repetition changes nothing. Raises ``NotFound`` for an unknown order or item, and
        ``Conflict`` when no item can be cancelled: it needs a refund, or has no reservation id.
        """
        with self._store.write() as connection:
            order = find_order(connection, order_id, for_update=True)
            if order is None:
                raise NotFound("There is no such order.")
            items = rows_of_order(connection, order_id)
            rows = [row for row in items if cart_item_id in (None, row.item.cart_item_id)]
            if not rows and cart_item_id is not None:
                raise NotFound("The order has no such item.", code=Code.ITEM_NOT_FOUND)
            owed = [x for row in rows if (x := self._cancel(connection, order, row)) is not None]
            if not owed and not any(row.state in _LEAVING for row in rows):
                raise Conflict("No item of this order can be cancelled.", code=Code.NOT_CANCELLABLE)
            if owed and order.status is not OrderStatus.REFUND_NEEDED:
                set_error(connection, order_id, None)  # of an earlier cancel
        self._delivery.attempt_all(owed, limit=self._settings.confirm_timeout)

    def _cancel(self, connection: Connection, order: OrderRow, row: Reservation) -> OwedCall | None:
        if row.state is State.CONFIRMING:
            # It is owed once Rokt has confirmed.
            change(connection, row.id, State.CONFIRMING, cancel_requested=True)
            return None
        if row.item_reservation_id is None or not change(
            connection, row.id, State.CONFIRMED, State.CANCELLING
        ):
            return None
        return self._settlement.owe_cancel(connection, order, row, claimed=True)
