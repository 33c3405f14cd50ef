"""What Rokt's answer to a reserve makes of the rows that were asked for. Pure.

One row a line, from *asked* to *reserved* or *rejected*; where Rokt gave no answer about the
items, the row stays as it was and the item gets a passing reason. Who calls Rokt, and when, is
for ``bff.reserving``; how one item of an answer is read, for ``bff.answers``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bff.answers import Denied, Granted, mentions, read_reserve, reason_of
from bff.cart import HeldCart, Line
from bff.cart_api import BUSY
from bff.outcomes import Done, NotSent, Outcome, Refused
from bff.reservation import Reason, Reservation, State
from bff.shapes import Quote

# These say that the key, the tag or the address is wrong, and nothing about the items: once the
# shop's setup is mended, the next reserve must ask again.
ABOUT_US = frozenset({401, 403, 404, 405, 407})


def ask_for(
    line: Line, cart: HeldCart, *, row_id: str, session_id: str, rokt_session_id: str, now: datetime
) -> Reservation:
    """Make the row of a line that is about to be asked for, as the shopper saw it."""
    item = line.item
    return Reservation(
        id=row_id,
        session_id=session_id,
        cart_id=cart.cart_id,
        revision=line.revision,
        item=item,
        state=State.ASKED,
        quantity=item.quantity,
        unit_price=item.unit_price,
        total_price=item.total_price,
        currency=item.currency,
        created_at=now,
        rokt_session_id=rokt_session_id,
        position=cart.lines.index(line),
    )


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
        busy = isinstance(outcome, NotSent) and outcome.detail == BUSY
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


def doubt(row: Reservation) -> Reservation:
    """Take a denial for a passing one, where Rokt may hold the item for us without our knowing."""
    denied = row.state is State.REJECTED and row.item_reservation_id is None
    return replace(row, reason=Reason.UNREACHABLE) if denied else row


def still_held(row: Reservation, now: datetime) -> Reservation:
    """Reject what has lapsed by the time it arrives: nobody is to be charged for it."""
    if row.state is State.RESERVED and row.lapsed(now):
        return _denied(row, Denied(row.item.cart_item_id, Reason.REJECTED))
    return row


def is_useless(row: Reservation) -> bool:
    """Tell whether Rokt holds something for a row that is not going to be sold."""
    return row.state is State.REJECTED and row.item_reservation_id is not None


def says_the_same(one: Quote, other: Quote) -> bool:
    """Tell whether two quotes differ in nothing that a shopper could see."""
    return replace(one, quote_id="", cart_version=0) == replace(other, quote_id="", cart_version=0)


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
