"""Writes a paid order: its items, the confirm that it owes, and the cart that follows it.

Everything is in the caller's one transaction. When that ends, the purchase cannot be lost. Rokt
is not called here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from bff.cart.held_cart import after_confirm
from bff.cart.order import (
    Order,
    OrderError,
    OrderRow,
    OrderStatus,
    Purchase,
    order_status,
    view_order,
)
from bff.cart.quote import Quote
from bff.cart.renewal import gone
from bff.cart.reservation import (
    OPEN_STATES,
    Reservation,
    State,
    bought_before,
    reserved_again,
    row_of_line,
)
from bff.cart.shown_cart import Cart, view_cart
from bff.config.settings import Settings
from bff.errors import Code, NotFound
from bff.outbox.queue import Outbox, OwedCall
from bff.outbox.releases import Releases
from bff.rokt.calls import confirm_call
from bff.store.database import new_id
from bff.store.orders import add_order, quotes_of_orders
from bff.store.quotes import find_quote
from bff.store.reservations import (
    add_reservations,
    change,
    items_bought,
    rows_by_id,
    rows_of_session,
)
from bff.store.sessions import Session, save_cart

log = logging.getLogger(__name__)

UNQUOTED = (
    "Order %r was confirmed without a quote, so its %d held items were not bought. Call reserve() "
    "before charging and pass its quote_id to confirm()."
)
QUOTE_BOUGHT = "the quote was confirmed before, for another order"
ITEM_BOUGHT = "an item of the quote was confirmed before, for another order"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order that was just written, and the calls that it owes.

    Attributes:
        cart: The cart that follows it, as a page shows it.
        confirm: Its confirm, if it owes one.
        releases: The calls that give back what was not bought.
        renews: Items must be reserved again before the confirm, perhaps from what is released.
    """

    order: Order
    cart: Cart
    confirm: OwedCall | None
    releases: list[OwedCall]
    renews: bool = False


class NewOrders:
    """Writes paid orders."""

    def __init__(self, settings: Settings, outbox: Outbox, releases: Releases) -> None:
        self._settings = settings
        self._outbox = outbox
        self._releases = releases

    def record(
        self, connection: Connection, session: Session, purchase: Purchase, now: datetime
    ) -> NewOrder:
        """Write a new order.

        Raises ``NotFound`` if the session never had the quote that the purchase names.
        """
        quote = find_quote(connection, session.id, purchase.quote_id)
        if quote is None and purchase.quote_id is not None:
            raise NotFound("This session has no such quote.", code=Code.QUOTE_NOT_FOUND)
        if purchase.accept_language is None and quote is not None:
            purchase = replace(purchase, accept_language=quote.options.accept_language)
        if quote is None:
            rows = self._unreserved(connection, session, purchase, now)
            return self._write(connection, session, purchase, None, rows, now)
        before = quotes_of_orders(connection, session.id, quote.cart_id)
        if quote.quote_id not in before:
            rows = self._items(connection, session, quote, purchase, before, now)
            return self._write(connection, session, purchase, quote, rows, now)
        if purchase.quote_id is None or not quote.reservation_ids:
            # The last quote belongs to another order, so this order has no upsell.
            return self._write(connection, session, purchase, None, [], now)
        return self._write_twice_paid(connection, session, purchase, quote, now)

    def _write(
        self,
        connection: Connection,
        session: Session,
        purchase: Purchase,
        quote: Quote | None,
        rows: Sequence[Reservation],
        now: datetime,
    ) -> NewOrder:
        buys = [row for row in rows if row.state is State.CONFIRMING]
        error = None if len(buys) == len(rows) else OrderError.ITEM_BOUGHT
        cart_id = quote.cart_id if quote else session.cart.cart_id
        order = _order_row(session, purchase, cart_id, rows, now)
        order = replace(
            order,
            quote_id=quote.quote_id if quote else None,
            error_code=error,
            last_error=error and ITEM_BOUGHT,
        )
        add_order(connection, order)
        cart, releases = self._start_new_cart(connection, session, purchase, quote, rows, now)
        confirm = None
        if buys or (not rows and self._settings.confirm_every_order):
            call = confirm_call(order, buys)
            confirm = self._outbox.owe(connection, call, buys, order=order, claimed=True)
        renews = bool(gone(buys, now))
        return NewOrder(_view(order, rows, confirm, now), cart, confirm, releases, renews)

    def _write_twice_paid(
        self,
        connection: Connection,
        session: Session,
        purchase: Purchase,
        quote: Quote,
        now: datetime,
    ) -> NewOrder:
        """Two orders were paid for one quote: the second needs a refund."""
        rows = [
            bought_before(row, row_id=new_id(), order_id=purchase.order_id, now=now)
            for row in rows_by_id(connection, quote.reservation_ids)
        ]
        order = replace(
            _order_row(session, purchase, quote.cart_id, rows, now),
            status=OrderStatus.REFUND_NEEDED,
            error_code=OrderError.QUOTE_BOUGHT,
            last_error=QUOTE_BOUGHT,
        )
        add_order(connection, order)
        add_reservations(connection, rows)
        held = rows_of_session(connection, session.id, OPEN_STATES)
        cart = view_cart(session.cart, held, now)
        return NewOrder(_view(order, rows, None, now), cart, None, [])

    def _items(
        self,
        connection: Connection,
        session: Session,
        quote: Quote,
        purchase: Purchase,
        before: Sequence[str | None],
        now: datetime,
    ) -> list[Reservation]:
        """Give the order what was quoted: each reservation, or a row to be reserved again.

        Several quotes may name one line, for example from two tabs. A line that another order has
        bought is not bought again; it needs a refund. ``before``: the quotes of the cart's other
        orders.
        """
        rows: list[Reservation] = []
        bought = _lines_bought(connection, session.id, quote, before) if before else frozenset()
        for row in rows_by_id(connection, quote.reservation_ids):
            item_id = row.item.cart_item_id
            if not bought.isdisjoint((item_id, *quote.former.get(item_id, ()))):
                new = bought_before(row, row_id=new_id(), order_id=purchase.order_id, now=now)
            elif change(
                connection, row.id, State.RESERVED, State.CONFIRMING, order_id=purchase.order_id
            ):
                rows.append(replace(row, state=State.CONFIRMING, order_id=purchase.order_id))
                continue
            else:
                new = reserved_again(row, row_id=new_id(), order_id=purchase.order_id, now=now)
            add_reservations(connection, [new])
            rows.append(new)
        return rows

    def _unreserved(
        self, connection: Connection, session: Session, purchase: Purchase, now: datetime
    ) -> list[Reservation]:
        """Return the lines that the order buys by quantity, where the shop allows it.

        Only in a session that never had a quote: Rokt's minimal integration. A shop that reserves
        charges its quote, so a line outside the quote was not paid for.
        """
        if not self._settings.confirm_unreserved:
            if session.cart.lines:
                log.warning(UNQUOTED, purchase.order_id, len(session.cart.lines))
            return []
        answered = rows_of_session(connection, session.id, OPEN_STATES)
        rows = [
            row_of_line(
                line,
                session.cart,
                row_id=new_id(),
                session_id=session.id,
                rokt_session_id=session.rokt_session_id,
                now=now,
                order_id=purchase.order_id,
            )
            for line in session.cart.lines
            if not any(row.is_for(line) for row in answered)
        ]
        add_reservations(connection, rows)
        return rows

    def _start_new_cart(
        self,
        connection: Connection,
        session: Session,
        purchase: Purchase,
        quote: Quote | None,
        rows: Sequence[Reservation],
        now: datetime,
    ) -> tuple[Cart, list[OwedCall]]:
        """Start the next cart with what was added after the quote; release what was not bought.

        Its items are reserved again with the new cart id, because a reservation belongs to a cart.
        """
        bought = {row.item.cart_item_id for row in rows if row.by_quantity}
        lines = tuple(x for x in session.cart.lines if x.item.cart_item_id not in bought)
        cart = after_confirm(
            replace(session.cart, lines=lines), quote.cart_version if quote else -1, new_id()
        )
        save_cart(connection, session, cart)
        left = rows_of_session(connection, session.id, OPEN_STATES)
        reserved = [row for row in left if row.state is State.RESERVED]
        for row in reserved:
            if row.lapsed(now):
                change(connection, row.id, State.RESERVED, State.EXPIRED)
        live = [row for row in reserved if not row.lapsed(now)]
        releases = self._releases.owe(connection, live, accept_language=purchase.accept_language)
        return view_cart(cart, [row for row in left if row not in reserved], now), releases


def _order_row(
    session: Session,
    purchase: Purchase,
    cart_id: str,
    rows: Sequence[Reservation],
    now: datetime,
) -> OrderRow:
    return OrderRow(
        id=purchase.order_id,
        session_id=session.id,
        cart_id=cart_id,
        quote_id=None,
        rokt_session_id=rows[0].rokt_session_id if rows else session.rokt_session_id,
        status=order_status(row.state for row in rows),
        created_at=now,
        attributes=purchase.attributes,
        extra=purchase.extra,
        accept_language=purchase.accept_language,
        named_quote_id=purchase.quote_id,
    )


def _view(
    order: OrderRow, rows: Sequence[Reservation], confirm: OwedCall | None, now: datetime
) -> Order:
    attempts = confirm.attempts if confirm else 0
    ordered = sorted(rows, key=lambda row: row.position)
    return view_order(order, ordered, attempts=attempts, next_attempt_at=now if confirm else None)


def _lines_bought(
    connection: Connection, session_id: str, quote: Quote, before: Sequence[str | None]
) -> frozenset[str]:
    """Return the cart item ids of the cart's lines that orders have, with their former ids."""
    bought = set(items_bought(connection, session_id, quote.cart_id))
    for quote_id in before:
        other = find_quote(connection, session_id, quote_id) if quote_id else None
        for item_id in bought.copy() if other else ():
            bought.update(other.former.get(item_id, ()) if other else ())
    return frozenset(bought)
