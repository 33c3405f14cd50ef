"""Asks Rokt to reserve, again while time is left, and once more without what a refusal names.

Knows rows and outcomes, no database. Who settles what comes back is ``bff.reserving`` for a
shopper's cart and ``bff.renewing`` for a paid order.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bff.calls import Call, reserve_call
from bff.cart_api import CartApi
from bff.granting import deny, named_by
from bff.outcomes import Done, NotSent, Outcome, Refused, Unknown
from bff.reservation import Reservation, Wish


@dataclass(frozen=True, slots=True)
class Verdict:
    """``outcome`` is about ``rows``; ``denied`` were refused by name before, and left out.

    ``unsure``: an attempt before may have taken effect, so Rokt may hold the items already, and
    what it denies may be denied because of that.
    """

    rows: tuple[Reservation, ...]
    denied: tuple[Reservation, ...]
    outcome: Outcome
    unsure: bool = False


class Asking:
    """Makes reserve calls for rows of one cart and one Rokt session."""

    def __init__(self, api: CartApi) -> None:
        self._api = api

    def ask(
        self,
        rows: Sequence[Reservation],
        wish: Wish,
        *,
        end: float,
        number: int = 1,
        again: bool = True,
    ) -> Verdict:
        """Ask for these rows until ``end`` (of the monotonic clock) at the latest.

        ``number`` is which attempt this is; ``again``: a second one may follow, for a shopper
        who waits. Without rows there is nothing to ask, which is done.
        """
        if not rows:
            return Verdict((), (), Done(200, {"items": []}))
        outcome, unsure = self._send(rows, wish, end, number, again)
        named = named_by(rows, outcome)
        if not isinstance(outcome, Refused) or not 0 < len(named) < len(rows):
            return Verdict(tuple(rows), (), outcome, unsure)
        denied = tuple(deny(row, outcome) for row in named)
        rest = tuple(row for row in rows if row not in named)
        outcome, unsure_rest = self._send(rest, wish, end, number, again)
        return Verdict(rest, denied, outcome, unsure or unsure_rest)

    def _send(
        self, rows: Sequence[Reservation], wish: Wish, end: float, number: int, again: bool
    ) -> tuple[Outcome, bool]:
        """Return the outcome, and whether an attempt before it is unknown."""
        call = reserve_call(
            cart_id=rows[0].cart_id,
            lines=[(row.item.cart_item_id, row.item.quantity) for row in rows],
            rokt_session_id=rows[0].rokt_session_id,
            accept_language=wish.accept_language,
            attributes=wish.attributes,
            is_paypal_payment=wish.is_paypal_payment,
            merchant_id=wish.merchant_id,
        )
        session_id = rows[0].session_id
        first = self._one(call, session_id, end, number)
        if isinstance(first, Done | Refused) or not again:
            return first, False
        wait = first.retry_after or 0.0
        if time.monotonic() + wait >= end:
            return first, False
        if wait > 0:
            with self._api.places.room() as waits:
                if not waits:
                    return first, False
                threading.Event().wait(wait)
        # A shopper is waiting, so there is never a third time.
        second = self._one(call, session_id, end, number + 1)
        # That the second was surely not sent says nothing about the first.
        unknown = isinstance(first, Unknown)
        return (first, False) if unknown and isinstance(second, NotSent) else (second, unknown)

    def _one(self, call: Call, session_id: str, end: float, number: int) -> Outcome:
        limit = end - time.monotonic()
        return self._api.send(call, limit=limit, number=number, session_id=session_id)
