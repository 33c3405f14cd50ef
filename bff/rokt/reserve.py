"""Asks Rokt to reserve, again while time is left, and once more without what a refusal names.

Knows rows and outcomes, no database. Who settles what comes back is ``bff.reserving`` for a
shopper's cart and ``bff.renewing`` for a paid order.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bff.cart.reservation import Reason, Reservation, ReserveOptions, State
from bff.rokt.calls import Call, reserve_call
from bff.rokt.client import CartApi
from bff.rokt.outcomes import Cause, Done, NotSent, Outcome, Refused, Unknown
from bff.rokt.responses import Denied, Granted, mentions, read_reserve, reason_of


@dataclass(frozen=True, slots=True)
class ReserveResult:
    """``outcome`` is about ``rows``; ``denied`` were refused by name before, and left out.

    ``unsure``: an attempt before may have taken effect, so Rokt may hold the items already, and
    what it denies may be denied because of that.
    """

    rows: tuple[Reservation, ...]
    denied: tuple[Reservation, ...]
    outcome: Outcome
    unsure: bool = False


class ReserveCalls:
    """Makes reserve calls for rows of one cart and one Rokt session."""

    def __init__(self, api: CartApi) -> None:
        self._api = api

    def ask(
        self,
        rows: Sequence[Reservation],
        wish: ReserveOptions,
        *,
        end: float,
        number: int = 1,
        again: bool = True,
    ) -> ReserveResult:
        """Ask for these rows until ``end`` (of the monotonic clock) at the latest.

        ``number`` is which attempt this is; ``again``: a second one may follow, for a shopper
        who waits. Without rows there is nothing to ask, which is done.
        """
        if not rows:
            return ReserveResult((), (), Done(200, {"items": []}))
        outcome, unsure = self._send(rows, wish, end, number, again)
        named = named_by(rows, outcome)
        if not isinstance(outcome, Refused) or not 0 < len(named) < len(rows):
            return ReserveResult(tuple(rows), (), outcome, unsure)
        denied = tuple(deny(row, outcome) for row in named)
        rest = tuple(row for row in rows if row not in named)
        outcome, unsure_rest = self._send(rest, wish, end, number, again)
        return ReserveResult(rest, denied, outcome, unsure or unsure_rest)

    def _send(
        self,
        rows: Sequence[Reservation],
        wish: ReserveOptions,
        end: float,
        number: int,
        again: bool,
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
            with self._api.bulkhead.waiting_slot() as waits:
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


# These say that the key, the tag or the address is wrong, and nothing about the items: once the
# shop's setup is mended, the next reserve must ask again.
ABOUT_US = frozenset({401, 403, 404, 405, 407})


def read_outcome(
    rows: Sequence[Reservation], outcome: Outcome, now: datetime
) -> tuple[list[Reservation], dict[str, Reason]]:
    """Turn an outcome into the rows as they are now, and the items without an answer."""
    if isinstance(outcome, Refused) and not _is_about_us(outcome):
        return [deny(row, outcome) for row in rows], {}
    answers = None
    if isinstance(outcome, Done):
        answers = read_reserve(outcome.answer, [row.item for row in rows])
    if answers is None:
        busy = isinstance(outcome, NotSent) and outcome.cause is Cause.BUSY
        reason = Reason.BUSY if busy else Reason.UNREACHABLE
        return [], {row.item.cart_item_id: reason for row in rows}
    return [
        _granted(row, answer, now) if isinstance(answer, Granted) else _denied(row, answer)
        for row, answer in zip(rows, answers, strict=True)
    ], {}


def named_by(rows: Sequence[Reservation], outcome: Outcome) -> list[Reservation]:
    """Return the rows whose items a refusal of the whole request names."""
    if not isinstance(outcome, Refused):
        return []
    return [row for row in rows if row.item.cart_item_id in outcome.named]


def deny(row: Reservation, refusal: Refused) -> Reservation:
    """Reject a row for a refusal of the whole request, for the item's own reason if it has one."""
    answer = refusal.answer
    errors = answer.get("errors") if isinstance(answer, dict) else None
    own = [
        str(error.get("code"))
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict) and mentions(error.get("value"), row.item.cart_item_id)
    ]
    reason = reason_of(" ".join(own or refusal.codes))
    return _denied(row, Denied(row.item.cart_item_id, reason))


def as_passing(row: Reservation) -> Reservation:
    """Take a denial for a passing one, where Rokt may hold the item for us without our knowing."""
    denied = row.state is State.REJECTED and row.item_reservation_id is None
    return replace(row, reason=Reason.UNREACHABLE) if denied else row


def unless_lapsed(row: Reservation, now: datetime) -> Reservation:
    """Reject what has lapsed by the time it arrives: nobody is to be charged for it."""
    if row.state is State.RESERVED and row.lapsed(now):
        return _denied(row, Denied(row.item.cart_item_id, Reason.REJECTED))
    return row


def is_useless(row: Reservation) -> bool:
    """Tell whether Rokt holds something for a row that is not going to be sold."""
    return row.state is State.REJECTED and row.item_reservation_id is not None


def _is_about_us(outcome: Refused) -> bool:
    return outcome.status in ABOUT_US or 300 <= outcome.status < 400


def _granted(row: Reservation, grant: Granted, now: datetime) -> Reservation:
    return replace(
        row,
        state=State.RESERVED,
        quantity=grant.quantity,
        unit_price=grant.unit_price,
        total_price=grant.total_price,
        item_reservation_id=grant.item_reservation_id,
        granted_at=now,
        expires_at=grant.expires_at,
        reason=Reason.PARTLY_RESERVED if grant.quantity < row.item.quantity else None,
    )


def _denied(row: Reservation, answer: Denied) -> Reservation:
    return replace(
        row,
        state=State.REJECTED,
        reason=answer.reason,
        item_reservation_id=answer.item_reservation_id,
    )
