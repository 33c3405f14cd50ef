"""Asks Rokt to reserve rows, and applies its responses to them. Knows no database.

``ReserveCalls`` makes the calls: a second one while time is left, and one more without the items
that a refusal names. ``ReserveResult.apply`` turns the outcome into the rows as they are now.
``bff.checkout.reserve`` stores them for a cart, ``bff.outbox.renewal`` for a paid order.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bff.cart.reservation import Reason, Reservation, ReserveOptions, State
from bff.rokt.calls import Call, reserve_call
from bff.rokt.client import CartApi
from bff.rokt.json_values import member, objects, texts
from bff.rokt.outcomes import Cause, Done, NotSent, Outcome, Refused, Unknown
from bff.rokt.responses import Granted, read_reserve, reason_of


@dataclass(frozen=True, slots=True)
class ReserveResult:
    """The result of the reserve calls for some rows.

    Attributes:
        asked: The rows of the last call.
        outcome: The outcome of the last call.
        denied: Rows that an earlier response refused by name; they are rejected.
        unsure: An earlier call may have taken effect. Then Rokt may hold the items already, and
            may deny them for that reason.
    """

    asked: tuple[Reservation, ...]
    outcome: Outcome
    denied: tuple[Reservation, ...] = ()
    unsure: bool = False

    def apply(self, now: datetime) -> tuple[list[Reservation], dict[str, Reason]]:
        """Apply the outcome to the rows.

        Args:
            now: The time of the response.

        Returns:
            The rows that have an answer, and a reason for each cart item that has none.
        """
        outcome = self.outcome
        if isinstance(outcome, Refused) and not outcome.is_about_setup:
            return [*(_refused(row, outcome) for row in self.asked), *self.denied], {}
        results = None
        if isinstance(outcome, Done):
            results = read_reserve(outcome.body, [row.item for row in self.asked])
        if results is None:
            busy = isinstance(outcome, NotSent) and outcome.cause is Cause.BUSY
            reason = Reason.BUSY if busy else Reason.UNREACHABLE
            return [*self.denied], {row.item.cart_item_id: reason for row in self.asked}
        rows = [
            _granted(row, result, now)
            if isinstance(result, Granted)
            else _rejected(row, result.reason, result.item_reservation_id)
            for row, result in zip(self.asked, results, strict=True)
        ]
        return [*rows, *self.denied], {}


class ReserveCalls:
    """Makes reserve calls for rows of one cart and one Rokt session."""

    def __init__(self, api: CartApi) -> None:
        self._api = api

    def ask(
        self,
        rows: Sequence[Reservation],
        options: ReserveOptions,
        *,
        end: float,
        number: int = 1,
        retry: bool = True,
    ) -> ReserveResult:
        """Ask Rokt to reserve rows.

        Args:
            rows: The rows. Without any, no call is made, and the outcome is done.
            options: The optional members of the request.
            end: The time on the monotonic clock at which the last call must have ended.
            number: The number of the first attempt, for listeners.
            retry: Whether a second attempt may follow, for a shopper who waits.

        Returns:
            The result.
        """
        if not rows:
            return ReserveResult((), Done(200, {"items": []}))
        outcome, unsure = self._send(rows, options, end, number, retry)
        named = outcome.named if isinstance(outcome, Refused) else frozenset()
        rest = tuple(row for row in rows if row.item.cart_item_id not in named)
        if not isinstance(outcome, Refused) or not 0 < len(rest) < len(rows):
            return ReserveResult(tuple(rows), outcome, unsure=unsure)
        denied = tuple(_refused(row, outcome) for row in rows if row not in rest)
        outcome, unsure_rest = self._send(rest, options, end, number, retry)
        return ReserveResult(rest, outcome, denied, unsure or unsure_rest)

    def _send(
        self,
        rows: Sequence[Reservation],
        options: ReserveOptions,
        end: float,
        number: int,
        retry: bool,
    ) -> tuple[Outcome, bool]:
        """Return the outcome, and whether the outcome of an earlier attempt is unknown."""
        call = reserve_call(
            cart_id=rows[0].cart_id,
            lines=[(row.item.cart_item_id, row.item.quantity) for row in rows],
            rokt_session_id=rows[0].rokt_session_id,
            options=options,
        )
        session_id = rows[0].session_id
        first = self._attempt(call, session_id, end, number)
        if isinstance(first, Done | Refused) or not retry:
            return first, False
        if not self._wait(first.retry_after or 0.0, end):
            return first, False
        # A shopper waits, so there is never a third attempt.
        second = self._attempt(call, session_id, end, number + 1)
        # If the second was surely not sent, that says nothing about the first.
        unknown = isinstance(first, Unknown)
        return (first, False) if unknown and isinstance(second, NotSent) else (second, unknown)

    def _attempt(self, call: Call, session_id: str, end: float, number: int) -> Outcome:
        limit = end - time.monotonic()
        return self._api.send(call, limit=limit, number=number, session_id=session_id)

    def _wait(self, seconds: float, end: float) -> bool:
        """Wait before the second attempt; False if there is no time or no slot to wait."""
        if time.monotonic() + seconds >= end:
            return False
        if seconds <= 0:
            return True
        with self._api.bulkhead.waiting_slot() as admitted:
            if admitted:
                time.sleep(seconds)
            return admitted


def as_passing(row: Reservation) -> Reservation:
    """Make a denial a passing one, for an item that Rokt may hold by an unanswered call."""
    denied = row.state is State.REJECTED and row.item_reservation_id is None
    return replace(row, reason=Reason.UNREACHABLE) if denied else row


def unless_lapsed(row: Reservation, now: datetime) -> Reservation:
    """Reject a reservation that has expired by the time it arrives: it must not be charged."""
    if row.state is State.RESERVED and row.lapsed(now):
        return _rejected(row, Reason.REJECTED)
    return row


def is_useless(row: Reservation) -> bool:
    """Tell whether Rokt holds an item that is not going to be sold."""
    return row.state is State.REJECTED and row.item_reservation_id is not None


def _refused(row: Reservation, refusal: Refused) -> Reservation:
    """Reject a row after a refusal of the whole request, for the item's own reason if any."""
    own = [
        str(error.get("code"))
        for error in objects(member(refusal.body, "errors"))
        if row.item.cart_item_id in texts(error.get("value"))
    ]
    return _rejected(row, reason_of(" ".join(own or refusal.codes)))


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


def _rejected(row: Reservation, reason: Reason, reservation_id: str | None = None) -> Reservation:
    return replace(
        row,
        state=State.REJECTED,
        reason=reason,
        item_reservation_id=reservation_id,
        granted_at=None,
        expires_at=None,  # an earlier reservation's, where the row is reserved again
    )
