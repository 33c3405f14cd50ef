"""Instant purchase: one press on the thanks page is held, reserved, charged and confirmed.

The items go through reserve and confirm like any other, in a session of the press's own: nothing
else that the shopper holds, in another tab say, is bought with them. Its handle is derived from
the shopper's and the press, so nobody without the shopper's handle has it; its ids are those of
``bff.pressed``, so a repetition after a lost answer finds the same quote and order, also after a
login.

Whether the shopper may be charged again is the shop's to say; the page cannot say that it paid.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from bff.cart.held_cart import CartItem, Update
from bff.cart.order import Order, Purchase
from bff.cart.quote import Quote
from bff.cart.reservation import Reason, ReserveOptions
from bff.cart.shown_cart import Item
from bff.checkout.checkout import Checkout
from bff.errors import Unauthorized
from bff.store import orders as order_book
from bff.store.database import Store
from bff.store.documents import dump_quote
from bff.store.handles import hash_handle
from bff.store.quotes import add_quote, find_quote
from bff.store.sessions import Session, create_session, find_session, get_session
from bff.store.tables import quotes, sessions


@dataclass(frozen=True, slots=True)
class BegunPurchase:
    """An instant purchase whose items are reserved.

    Attributes:
        handle: The handle of the purchase's own session.
        quote: What may be charged, unless ``reason`` is set.
        order: The order, where the purchase was paid before.
        reason: Why nothing may be charged.
    """

    handle: str = field(repr=False)
    quote: Quote | None = None
    order: Order | None = None
    reason: PurchaseReason | None = None


class InstantPurchases:
    """Begins presses, and confirms those that were paid for."""

    def __init__(self, database: Store, checkout: Checkout, clock: Callable[[], datetime]) -> None:
        self._store = database
        self._checkout = checkout
        self._clock = clock

    def begin(self, handle: str, press: PurchaseRequest, wish: ReserveOptions) -> BegunPurchase:
        """Hold and reserve a press's items for the shopper of a handle.

        Raises ``Unauthorized`` for a handle without a live session, ``StoreUnavailable``; never
        for what Rokt does: then ``reason`` is set, and what was reserved is given back. The quote
        of a repetition has the id and the total of the first: where the total cannot be that any
        more, the price has changed.
        """
        own = handle_of(handle, press.purchase_id)
        shopper = self._open(handle, own, press)
        ids = ids_of(shopper, press.purchase_id)
        before = self._before(ids)
        if isinstance(before, Order):
            return BegunPurchase(own, order=before, reason=difference(press, before.items))
        if before is not None and (reason := difference(press, before.items)) is not None:
            return BegunPurchase(
                own, reason=reason
            )  # it is no repetition, and must not disturb the first
        for item in press.items:
            # Late for a press that was bought meanwhile: the new cart stays empty.
            update = Update(item=item, page=press.purchase_id, seq=1, name="upsellItems")
            self._checkout.update(own, update, shopper.rokt_session_id)
        quote = self._checkout.reserve(own, wish)
        reason = refusal_reason(press, quote)
        with self._store.write() as connection:
            fits = quote if reason is None else None
            kept = keep_quote(connection, ids, fits, self._clock())
        if kept is not None:
            return BegunPurchase(own, kept)
        before = self._before(ids)
        if isinstance(before, Order):
            # By a repetition that was faster.
            return BegunPurchase(own, order=before, reason=difference(press, before.items))
        self.give_up(own)
        return BegunPurchase(own, quote, reason=reason or PurchaseReason.PRICE_CHANGED)

    def confirm(self, own: str, quote: Quote, order_id: str, language: str | None) -> Order:
        """Confirm what was charged. Raises as ``Checkout.confirm`` does."""
        purchase = Purchase(
            order_id=order_id,
            quote_id=quote.quote_id,
            attributes={},
            extra={},
            accept_language=language,
            insists=True,
        )
        return self._checkout.confirm(own, purchase)

    def give_up(self, own: str) -> None:
        """Give back what was reserved for a press that was not paid for."""
        with suppress(Unauthorized):  # a repetition after a login has it now
            self._checkout.release(own)

    def _open(self, handle: str, own: str, press: PurchaseRequest) -> Session:
        """Start the press's session, once; return the shopper's."""
        now = self._clock()
        try:
            with self._store.write() as connection:
                shopper = find_session(connection, handle, now=now)
                if shopper is None:
                    raise Unauthorized("This session has ended.")
                open_press(connection, ids_of(shopper, press.purchase_id), own, now)
        except IntegrityError:
            return self._open(handle, own, press)  # a repetition was faster; now it is there
        return shopper

    def _before(self, ids: PurchaseIds) -> Order | Quote | None:
        """Return what the press was before: bought, or given to the shop to be charged."""
        with self._store.read() as connection:
            order_id = order_book.first_order(connection, ids.session_id)
            quote = find_quote(connection, ids.session_id, ids.quote_id)
        return quote if order_id is None else self._checkout.order(order_id)


def handle_of(handle: str, purchase_id: str) -> str:
    """Return the handle of a press's own session: 256 bits, known to who knows the shopper's."""
    digest = hmac.digest(handle.encode(), f"purchase {purchase_id}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class PurchaseReason(StrEnum):
    """Why nothing was bought. Rokt's documentation has no list: ours, for the placement's log."""

    NO_SESSION = "no_session"
    NOT_AVAILABLE = "not_available"
    SOLD_OUT = "sold_out"
    PRICE_CHANGED = "price_changed"
    DECLINED = "declined"
    REFUND_NEEDED = "refund_needed"


@dataclass(frozen=True, slots=True)
class PurchaseRequest:
    """One press of the button: the items and prices that the shopper saw and accepted.

    Attributes:
        purchase_id: The UUID of the press, the same for a repeated request.
        items: The items to buy, all of them or none.
    """

    purchase_id: str
    items: tuple[CartItem, ...]


def refusal_reason(press: PurchaseRequest, quote: Quote) -> PurchaseReason | None:
    """Say why a quote is not what the shopper pressed the button for, None when it is.

    All of it or nothing: the shopper took one total. Rokt's price may be lower, never higher.
    """
    if any(x.after > x.before for x in quote.price_changes):
        return PurchaseReason.PRICE_CHANGED
    if any(one.reason == Reason.SOLD_OUT for one in quote.rejected):
        return PurchaseReason.SOLD_OUT
    return difference(press, quote.items)


def difference(press: PurchaseRequest, items: Sequence[Item]) -> PurchaseReason | None:
    """Say how items at Rokt are other than what was pressed for, None when they are that.

    They can be: a press may come again with the same id and say something else.
    """
    had = {item.cart_item_id: (item.quantity, item.currency) for item in items}
    wanted = {item.cart_item_id: (item.quantity, item.currency) for item in press.items}
    if had != wanted:
        return PurchaseReason.NOT_AVAILABLE
    taken = {item.cart_item_id: item.unit_price for item in press.items}
    dearer = any(item.unit_price > taken[item.cart_item_id] for item in items)
    return PurchaseReason.PRICE_CHANGED if dearer else None


# A press is answered within seconds; a repetition comes within minutes.
SESSION_OF_A_PRESS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class PurchaseIds:
    """The ids of a press's session and of its quote, the one that is charged."""

    session_id: str
    quote_id: str


def ids_of(shopper: Session, purchase_id: str) -> PurchaseIds:
    """Return the ids of a shopper's press; nobody can guess them, as none can the shopper's."""
    of_shopper = UUID(shopper.id)
    return PurchaseIds(
        session_id=str(uuid5(of_shopper, f"session {purchase_id}")),
        quote_id=str(uuid5(of_shopper, f"quote {purchase_id}")),
    )


def open_press(connection: Connection, ids: PurchaseIds, own: str, now: datetime) -> None:
    """Start a press's session, once, known by the handle ``own``.

    Where a login gave the shopper another handle since, the press's follows it.
    """
    if get_session(connection, ids.session_id) is None:
        ends = now + SESSION_OF_A_PRESS
        create_session(connection, own, now=now, expires_at=ends, session_id=ids.session_id)
        return
    hashed = hash_handle(own)
    connection.execute(
        sessions.update()
        .where(sessions.c.id == ids.session_id, sessions.c.handle_hash != hashed)
        .values(handle_hash=hashed, previous_hash=sessions.c.handle_hash, rotated_at=now)
    )


def keep_quote(
    connection: Connection, ids: PurchaseIds, quote: Quote | None, now: datetime
) -> Quote | None:
    """Make a quote the one of its press, for the shop to charge; None when the total is another.

    Then a charge that was perhaps made for the first would not be one for this. ``quote`` None:
    what can be had now is not what was pressed for. Beside a quote that was given to be charged
    no other stays, so that nothing else is confirmed.
    """
    get_session(connection, ids.session_id)  # locks it
    first = find_quote(connection, ids.session_id, ids.quote_id)
    if first is None and quote is None:
        return None
    others = (quotes.c.session_id == ids.session_id, quotes.c.id != ids.quote_id)
    connection.execute(quotes.delete().where(*others))
    if quote is None or (first is not None and first.totals != quote.totals):
        return None
    kept = replace(quote, quote_id=ids.quote_id)
    if first is None:
        add_quote(connection, ids.session_id, kept, now=now)
    else:
        now_says = quotes.update().where(quotes.c.id == ids.quote_id)
        connection.execute(now_says.values(document=dump_quote(kept)))
    return kept
