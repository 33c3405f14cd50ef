"""Instant purchase: one press on the thanks page is held, reserved, charged and confirmed.

Its items go through reserve and confirm like any other, in a session of their own. So nothing
else that the shopper holds, in another tab for example, is bought with them. The handle of that
session is derived from the shopper's handle, and its ids from the shopper's session. A repetition
after a lost response therefore finds the same quote and order, also after a login.

The shop decides whether the shopper may be charged again; the page cannot say that it paid.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

from sqlalchemy.exc import IntegrityError

from bff.cart.held_cart import CartItem
from bff.cart.order import Order, Purchase
from bff.cart.quote import Quote
from bff.cart.reservation import Reason, ReserveOptions
from bff.cart.shown_cart import Item
from bff.cart.updates import Update
from bff.checkout.checkout import Checkout
from bff.errors import Unauthorized
from bff.store.database import Store
from bff.store.orders import first_order
from bff.store.quotes import find_quote, keep_quote
from bff.store.sessions import Session, find_session, open_derived_session

# A press has a response within seconds, and a repetition comes within minutes.
LASTS = timedelta(hours=1)


class PurchaseReason(StrEnum):
    """Why nothing was bought. Rokt documents no list: these are ours, for the placement's log."""

    NO_SESSION = "no_session"
    NOT_AVAILABLE = "not_available"
    SOLD_OUT = "sold_out"
    PRICE_CHANGED = "price_changed"
    DECLINED = "declined"
    REFUND_NEEDED = "refund_needed"


@dataclass(frozen=True, slots=True)
class PurchaseRequest:
    """One press of the button.

    Attributes:
        purchase_id: The placement's id of it; a repetition has the same.
        items: What the shopper saw, and agreed to buy: all of it or nothing.
    """

    purchase_id: str
    items: tuple[CartItem, ...]


@dataclass(frozen=True, slots=True)
class BegunPurchase:
    """An instant purchase whose items are reserved. ``handle`` is its own session's.

    ``quote`` may be charged, unless ``reason`` says why not. ``order``: it was paid before.
    """

    handle: str = field(repr=False)
    quote: Quote | None = None
    order: Order | None = None
    reason: PurchaseReason | None = None


@dataclass(frozen=True, slots=True)
class _Ids:
    """The ids of a purchase's session, and of the quote that is charged."""

    session_id: str
    quote_id: str


class InstantPurchases:
    """Begins instant purchases, and confirms those that were charged."""

    def __init__(self, store: Store, checkout: Checkout, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._checkout = checkout
        self._clock = clock

    def begin(
        self, handle: str, request: PurchaseRequest, options: ReserveOptions
    ) -> BegunPurchase:
        """Hold and reserve the items of a purchase.

        An error of Rokt's raises nothing: ``reason`` is set, and what was reserved is released. The
        quote of a repetition has the id and the total of the first one. If its total must differ,
        the price has changed.
        """
        own = _derived_handle(handle, request.purchase_id)
        shopper, ids = self._open(handle, own, request.purchase_id)
        before = self._before(ids)
        if isinstance(before, Order):
            return BegunPurchase(own, order=before, reason=difference(request, before.items))
        if before is not None and (reason := difference(request, before.items)) is not None:
            return BegunPurchase(own, reason=reason)  # not a repetition: it must not disturb it
        for item in request.items:
            # Late, if it was bought meanwhile: then the new cart stays empty.
            update = Update(item=item, page=request.purchase_id, seq=1, name="upsellItems")
            self._checkout.update(own, update, shopper.rokt_session_id)
        quote = self._checkout.reserve(own, options)
        reason = refusal_reason(request, quote)
        with self._store.write() as connection:
            fits = quote if reason is None else None
            kept = keep_quote(connection, ids.session_id, ids.quote_id, fits, self._clock())
        if kept is not None:
            return BegunPurchase(own, kept)
        before = self._before(ids)
        if isinstance(before, Order):  # a repetition was faster
            return BegunPurchase(own, order=before, reason=difference(request, before.items))
        self.give_up(own)
        return BegunPurchase(own, quote, reason=reason or PurchaseReason.PRICE_CHANGED)

    def confirm(self, own: str, quote: Quote, order_id: str, language: str | None) -> Order:
        """Confirm what was charged, as ``Checkout.record`` does."""
        purchase = Purchase(
            order_id=order_id,
            quote_id=quote.quote_id,
            attributes={},
            extra={},
            accept_language=language,
            insists=True,
        )
        return self._checkout.record(own, purchase)[0]

    def give_up(self, own: str) -> None:
        """Release what was reserved for a purchase that was not paid for."""
        with suppress(Unauthorized):  # a repetition after a login has the session now
            self._checkout.release(own)

    def _open(self, handle: str, own: str, purchase_id: str) -> tuple[Session, _Ids]:
        """Start the purchase's session, once; return the shopper's session and the ids."""
        now = self._clock()
        try:
            with self._store.write() as connection:
                shopper = find_session(connection, handle, now=now)
                if shopper is None:
                    raise Unauthorized("This session has ended.")
                ids = _derived_ids(shopper, purchase_id)
                open_derived_session(
                    connection, ids.session_id, own, now=now, expires_at=now + LASTS
                )
        except IntegrityError:
            return self._open(handle, own, purchase_id)  # a repetition has started it meanwhile
        return shopper, ids

    def _before(self, ids: _Ids) -> Order | Quote | None:
        """Return the purchase's order if it was paid, else the quote that the shop may charge."""
        with self._store.read() as connection:
            order_id = first_order(connection, ids.session_id)
            quote = find_quote(connection, ids.session_id, ids.quote_id)
        return quote if order_id is None else self._checkout.order(order_id)


def refusal_reason(request: PurchaseRequest, quote: Quote) -> PurchaseReason | None:
    """Return why a quote is not what the shopper pressed for, or None. Pure.

    All items or none: the shopper agreed to one total. Rokt's price may be lower, never higher.
    """
    if any(x.after > x.before for x in quote.price_changes):
        return PurchaseReason.PRICE_CHANGED
    if any(one.reason == Reason.SOLD_OUT for one in quote.rejected):
        return PurchaseReason.SOLD_OUT
    return difference(request, quote.items)


def difference(request: PurchaseRequest, items: Sequence[Item]) -> PurchaseReason | None:
    """Return how items at Rokt differ from what was pressed for, or None. Pure.

    A second press may have the same id, and other items.
    """
    had = {item.cart_item_id: (item.quantity, item.currency) for item in items}
    wanted = {item.cart_item_id: (item.quantity, item.currency) for item in request.items}
    if had != wanted:
        return PurchaseReason.NOT_AVAILABLE
    agreed = {item.cart_item_id: item.unit_price for item in request.items}
    dearer = any(item.unit_price > agreed[item.cart_item_id] for item in items)
    return PurchaseReason.PRICE_CHANGED if dearer else None


def _derived_handle(handle: str, purchase_id: str) -> str:
    """Return the handle of a purchase's own session: 256 bits, derived from the shopper's."""
    digest = hmac.digest(handle.encode(), f"purchase {purchase_id}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _derived_ids(shopper: Session, purchase_id: str) -> _Ids:
    """Return the ids of a purchase, which cannot be guessed without the shopper's session id."""
    namespace = UUID(shopper.id)
    return _Ids(
        session_id=str(uuid5(namespace, f"session {purchase_id}")),
        quote_id=str(uuid5(namespace, f"quote {purchase_id}")),
    )
