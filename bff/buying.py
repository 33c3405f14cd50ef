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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from bff import order_book, store
from bff.answering import to_json
from bff.cart import Update
from bff.checkout import Checkout
from bff.errors import Unauthorized
from bff.instant import Press, Why, difference, hindrance
from bff.pressed import Pressed, ids_of, keep_quote, open_press
from bff.recording import Purchase
from bff.reservation import Wish
from bff.shapes import Order, Quote
from bff.store import Session, Store


@dataclass(frozen=True, slots=True)
class Begun:
    """A press whose items are reserved: ``quote`` may be charged unless ``why`` says no.

    ``order``: it was bought before, and this is a repetition, or says to be one: then ``why`` says
    how this press is another. ``handle`` is the press's own.
    """

    handle: str = field(repr=False)
    quote: Quote | None = None
    order: Order | None = None
    why: Why | None = None


class Buying:
    """Begins presses, and confirms those that were paid for."""

    def __init__(self, database: Store, checkout: Checkout, clock: Callable[[], datetime]) -> None:
        self._store = database
        self._checkout = checkout
        self._clock = clock

    def begin(self, handle: str, press: Press, wish: Wish) -> Begun:
        """Hold and reserve a press's items for the shopper of a handle.

        Raises ``Unauthorized`` for a handle without a live session, ``StoreUnavailable``; never
        for what Rokt does: then ``why`` is set, and what was reserved is given back. The quote of
        a repetition has the id and the total of the first: where the total cannot be that any
        more, the price has changed.
        """
        own = handle_of(handle, press.purchase_id)
        shopper = self._open(handle, own, press)
        ids = ids_of(shopper, press.purchase_id)
        before = self._before(ids)
        if isinstance(before, Order):
            return Begun(own, order=before, why=difference(press, before.items))
        if before is not None and (why := difference(press, before.items)) is not None:
            return Begun(own, why=why)  # it is no repetition, and must not disturb the first
        for item in press.items:
            # Late for a press that was bought meanwhile: the new cart stays empty.
            update = Update(item=item, page=press.purchase_id, seq=1, name="upsellItems")
            self._checkout.update(own, update, shopper.rokt_session_id)
        quote = self._checkout.reserve(own, wish)
        why = hindrance(press, quote)
        with self._store.write() as connection:
            fits = quote if why is None else None
            kept = keep_quote(connection, ids, fits, self._clock())
        if kept is not None:
            return Begun(own, kept)
        before = self._before(ids)
        if isinstance(before, Order):
            # By a repetition that was faster.
            return Begun(own, order=before, why=difference(press, before.items))
        self.give_up(own)
        return Begun(own, quote, why=why or Why.PRICE_CHANGED)

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

    def _open(self, handle: str, own: str, press: Press) -> Session:
        """Start the press's session, once; return the shopper's."""
        now = self._clock()
        try:
            with self._store.write() as connection:
                shopper = store.find_session(connection, handle, now=now)
                if shopper is None:
                    raise Unauthorized("This session has ended.")
                open_press(connection, ids_of(shopper, press.purchase_id), own, now)
        except IntegrityError:
            return self._open(handle, own, press)  # a repetition was faster; now it is there
        return shopper

    def _before(self, ids: Pressed) -> Order | Quote | None:
        """Return what the press was before: bought, or given to the shop to be charged."""
        with self._store.read() as connection:
            order_id = order_book.first_order(connection, ids.session_id)
            quote = store.find_quote(connection, ids.session_id, ids.quote_id)
        return quote if order_id is None else self._checkout.order(order_id)


def begun_to_json(begun: Begun) -> dict[str, Any]:
    """Show a partner's backend what it may charge, and the handle to confirm it with."""
    told: dict[str, Any] = {"handle": begun.handle}
    if begun.quote is not None:
        told["quote"] = to_json(begun.quote)
    if begun.order is not None:
        told["order"] = to_json(begun.order)
    if begun.why is not None:
        told["reason"] = begun.why.value
    return told


def handle_of(handle: str, purchase_id: str) -> str:
    """Return the handle of a press's own session: 256 bits, known to who knows the shopper's."""
    digest = hmac.digest(handle.encode(), f"purchase {purchase_id}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
