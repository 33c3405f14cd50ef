"""A paid order as it is written down: its items, the call owed, and the cart that follows it.

All of it in the caller's one transaction: from its end on, the purchase cannot get lost. Nothing
here calls Rokt.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bff.cart.held_cart import after_confirm
from bff.cart.order import OrderRow, OrderStatus, Purchase
from bff.cart.quote import Quote
from bff.cart.reservation import Reservation, State
from bff.checkout.order_rows import anew, bought_before, by_quantity
from bff.config.settings import Settings
from bff.errors import Code, NotFound
from bff.outbox import queue as outbox
from bff.outbox.queue import OwedCall
from bff.outbox.releases import Releases
from bff.rokt.calls import confirm_call
from bff.store import orders as order_book
from bff.store import reservations as ledger
from bff.store.database import new_id
from bff.store.orders import LINE_TWICE, TWICE
from bff.store.quotes import find_quote
from bff.store.sessions import Session, save_cart

log = logging.getLogger(__name__)


UNQUOTED = (
    "order %r has no upsell though the shopper holds %d items: call reserve() before the charge, "
    "and confirm what it quoted"
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The calls that a new order owes: its confirm, and releases of what was not bought.

    ``renews``: the confirm has items to be reserved again first, perhaps out of what the
    releases give back. ``is_paid_twice``: it paid for what another order had bought.
    """

    confirm: OwedCall | None
    releases: list[OwedCall]
    renews: bool = False
    is_paid_twice: bool = False


class NewOrders:
    """Writes paid orders."""

    def __init__(self, settings: Settings, releasing: Releases) -> None:
        self._settings = settings
        self._releasing = releasing

    def record(
        self, connection: Connection, session: Session, purchase: Purchase, now: datetime
    ) -> Recorded:
        """Write a new order.

        Raises ``NotFound`` for a named quote that this session never had.
        """
        quote = find_quote(connection, session.id, purchase.quote_id)
        if quote is None and purchase.quote_id is not None:
            raise NotFound("This session has no such quote.", code=Code.QUOTE_NOT_FOUND)
        had_quote = quote is not None
        language = purchase.accept_language or (quote.wish.accept_language if quote else None)
        purchase = replace(purchase, accept_language=language)
        if quote is not None and order_book.order_of_quote(connection, session.id, quote.quote_id):
            if purchase.quote_id is not None and quote.reservation_ids:
                self._record_twice(connection, session, purchase, quote, now)
                return Recorded(None, [], is_paid_twice=True)
            quote = None  # it was bought, or had nothing to buy: this order has no upsell
        rows = self._items(connection, session, quote, purchase, now) if quote else []
        if not had_quote:
            rows += self._unreserved(connection, session, purchase, now)
        buys = [row for row in rows if row.state is State.CONFIRMING]
        order = OrderRow(
            id=purchase.order_id,
            session_id=session.id,
            cart_id=quote.cart_id if quote else session.cart.cart_id,
            quote_id=quote.quote_id if quote else None,
            rokt_session_id=rows[0].rokt_session_id if rows else session.rokt_session_id,
            status=OrderStatus.CONFIRMED,
            created_at=now,
            attributes=purchase.attributes,
            extra=purchase.extra,
            accept_language=purchase.accept_language,
            named_quote_id=purchase.quote_id,
            last_error=None if len(buys) == len(rows) else LINE_TWICE,
        )
        order_book.add_order(connection, order)
        order_book.sum_up(connection, order.id)
        released = self._start_new_cart(connection, session, quote, rows, language, now)
        if not buys and (rows or not self._settings.confirm_every_order):
            return Recorded(None, released, is_paid_twice=bool(rows))
        owed = self._owe_confirm(connection, order, now)
        renews = any(row.item_reservation_id is None and not row.by_quantity for row in buys)
        return Recorded(owed, released, renews, is_paid_twice=len(buys) < len(rows))

    def _owe_confirm(self, connection: Connection, order: OrderRow, now: datetime) -> OwedCall:
        """Owe the confirm of what the order buys, for this process to send at once."""
        buys = [
            row
            for row in ledger.rows_of_order(connection, order.id)
            if row.state is State.CONFIRMING
        ]
        return outbox.enqueue(
            connection,
            confirm_call(order, buys),
            session_id=order.session_id,
            order_id=order.id,
            subjects=[row.id for row in buys],
            now=now,
            deadline=now + timedelta(seconds=self._settings.confirm_deadline),
            in_line=True,
        )

    def _record_twice(
        self,
        connection: Connection,
        session: Session,
        purchase: Purchase,
        quote: Quote,
        now: datetime,
    ) -> None:
        """Two orders were paid for one quote: the second gets its money back, and is shown."""
        order = OrderRow(
            id=purchase.order_id,
            session_id=session.id,
            cart_id=quote.cart_id,
            quote_id=None,
            rokt_session_id=session.rokt_session_id,
            status=OrderStatus.REFUND_NEEDED,
            created_at=now,
            attributes=purchase.attributes,
            extra=purchase.extra,
            accept_language=purchase.accept_language,
            named_quote_id=purchase.quote_id,
            last_error=TWICE,
        )
        order_book.add_order(connection, order)
        ledger.add_reservations(
            connection,
            [
                bought_before(row, order.id, now)
                for row in ledger.rows_by_id(connection, quote.reservation_ids)
            ],
        )

    def _items(
        self,
        connection: Connection,
        session: Session,
        quote: Quote,
        purchase: Purchase,
        now: datetime,
    ) -> list[Reservation]:
        """Give the order what was quoted: each reservation, or a row to be reserved again.

        Several quotes may name one line, in two tabs say. What another order has bought of them
        is not bought again; that item gets its money back.
        """
        rows: list[Reservation] = []
        quoted = ledger.rows_by_id(connection, quote.reservation_ids)
        before = _lines_bought(connection, session.id, {row.cart_id for row in quoted})
        for row in quoted:
            item_id = row.item.cart_item_id
            names = (item_id, *quote.former.get(item_id, ()))
            if any((row.cart_id, name) in before for name in names):
                rows.append(twice := bought_before(row, purchase.order_id, now))
                ledger.add_reservations(connection, [twice])
                continue
            taken = ledger.change(
                connection,
                row.id,
                State.RESERVED,
                State.CONFIRMING,
                order_id=purchase.order_id,
            )
            if taken:
                rows.append(replace(row, state=State.CONFIRMING, order_id=purchase.order_id))
                continue
            again = anew(row, purchase.order_id, now)
            rows.append(again)
            ledger.add_reservations(connection, [again])
        return rows

    def _unreserved(
        self,
        connection: Connection,
        session: Session,
        purchase: Purchase,
        now: datetime,
    ) -> list[Reservation]:
        """Where the shop allows it, lines that nobody reserved go by quantity.

        Only in a session that never had a quote: the documentation's minimal integration. A shop
        that reserves charges the quote, so what is not in it was not paid for.
        """
        if not self._settings.confirm_unreserved:
            if session.cart.lines:
                log.warning(UNQUOTED, purchase.order_id, len(session.cart.lines))
            return []
        answered = ledger.rows_of_session(connection, session.id, [State.RESERVED, State.REJECTED])
        rows = [
            by_quantity(session, line, purchase.order_id, now)
            for line in session.cart.lines
            if not any(row.is_for(line) for row in answered)
        ]
        ledger.add_reservations(connection, rows)
        return rows

    def _start_new_cart(
        self,
        connection: Connection,
        session: Session,
        quote: Quote | None,
        rows: Sequence[Reservation],
        language: str | None,
        now: datetime,
    ) -> list[OwedCall]:
        """Leave what came after the quote in a new cart, and give back what was not bought.

        What is left is reserved anew with the new cart id: a reservation belongs to its cart.
        """
        bought = {row.item.cart_item_id for row in rows if row.by_quantity}
        lines = tuple(x for x in session.cart.lines if x.item.cart_item_id not in bought)
        cart = after_confirm(
            replace(session.cart, lines=lines), quote.cart_version if quote else -1, new_id()
        )
        save_cart(connection, session, cart)
        left = ledger.rows_of_session(connection, session.id, [State.RESERVED])
        for row in left:
            if row.lapsed(now):
                ledger.change(connection, row.id, State.RESERVED, State.EXPIRED)
        live = [row for row in left if not row.lapsed(now)]
        return self._releasing.owe(connection, live, now, accept_language=language)


def _lines_bought(
    connection: Connection, session_id: str, cart_ids: set[str]
) -> set[tuple[str, str]]:
    """Return the lines of these carts that orders have, by each id that a line had in its cart."""
    bought = set(ledger.lines_bought(connection, session_id, cart_ids))
    for quote_id in order_book.quotes_bought(connection, session_id, cart_ids):
        quote = find_quote(connection, session_id, quote_id)
        former = quote.former if quote else {}
        for cart_id, item_id in bought.copy():
            bought.update((cart_id, name) for name in former.get(item_id, ()))
    return bought
