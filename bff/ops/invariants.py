"""The promises as queries for rows that break them. They only read.

Each invariant is a function that yields a text for each finding. ``INVARIANTS`` has all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import Connection, Select, and_, func, or_, select

from bff.cart.order import PAID_TWICE, OrderStatus, order_status
from bff.cart.reservation import State
from bff.outbox.queue import LEASE, RowState
from bff.rokt.calls import Kind
from bff.store.documents import load_cart, load_quote
from bff.store.tables import orders, outbox, quotes, reservations, sessions

# A lease lasts half a minute, and due calls are looked for twice a second. After this, a process
# is not slow but dead.
LATE = timedelta(minutes=5)

# No money depends on such a call, and after this it is too late for it.
REPORTED_FOR = timedelta(days=7)

# The subjects of a call that is about no item.
NO_SUBJECTS = "[]"

CONFIRMED = (State.CONFIRMED.value, State.CANCELLING.value, State.CANCELLED.value)
SOLD = (State.CONFIRMING.value, *CONFIRMED, State.REFUND_NEEDED.value)

NEEDS_REFUND = and_(
    orders.c.status == OrderStatus.REFUND_NEEDED.value, orders.c.refunded_at.is_(None)
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule. ``name`` is for monitoring and does not change; ``text`` is for people."""

    name: str
    text: str


Invariant = Callable[[Connection, datetime], Iterator[str]]


def broken_invariants(connection: Connection, now: datetime) -> Iterator[Finding]:
    """Check every invariant."""
    for invariant in INVARIANTS:
        for text in invariant(connection, now):
            yield Finding(invariant.__name__, text)


def paid_and_lost(connection: Connection, _now: datetime) -> Iterator[str]:
    """Every item that was paid for is confirmed, or queued, or needs a refund (promise 1)."""
    items = select(reservations.c.order_id, reservations.c.state)
    confirming = items.where(
        reservations.c.state == State.CONFIRMING.value,
        ~_has_call(Kind.CONFIRM, RowState.QUEUED).exists(),
    )
    # A cancel that was given up is a finding of ``cancel_given_up``.
    cancelling = items.where(
        reservations.c.state == State.CANCELLING.value,
        ~_has_call(Kind.CANCEL, RowState.QUEUED).exists(),
        ~_has_call(Kind.CANCEL, RowState.GAVE_UP).exists(),
    )
    for query in (confirming, cancelling):
        for row in connection.execute(query):
            yield f"an item of order {row.order_id!r} is {row.state}, but no call is owed"
    query = items.where(
        reservations.c.state.in_(CONFIRMED), ~_has_call(Kind.CONFIRM, RowState.DONE).exists()
    )
    for row in connection.execute(query):
        yield f"an item of order {row.order_id!r} is {row.state}, but no confirm of it succeeded"
    count = select(func.count()).where(reservations.c.order_id == orders.c.id).scalar_subquery()
    sold = select(orders.c.id, orders.c.status, quotes.c.document, count).join(
        quotes, quotes.c.id == orders.c.quote_id, isouter=True
    )
    for order_id, status, document, found in connection.execute(sold):
        quoted = 0 if document is None else len(load_quote(document).reservation_ids)
        # Only an order without an upsell has no item, and that one is confirmed.
        least = 0 if status == OrderStatus.CONFIRMED.value else 1
        missing = max(quoted, least) - found
        if missing > 0:
            yield f"order {order_id!r} lacks {missing} of its items"


def cancel_lost(connection: Connection, _now: datetime) -> Iterator[str]:
    """A cancel that was requested before the confirm is owed after it."""
    query = select(reservations.c.order_id).where(
        reservations.c.state == State.CONFIRMED.value,
        reservations.c.cancel_requested.is_(True),
        reservations.c.item_reservation_id.is_not(None),
        ~_has_call(Kind.CANCEL).exists(),
    )
    for row in connection.execute(query):
        yield f"an item of order {row.order_id!r} is to be cancelled, but no cancel was ever owed"


def cancel_given_up(connection: Connection, _now: datetime) -> Iterator[str]:
    """Every cancel has a response. After a cancel that was given up, Rokt's state is unknown."""
    query = select(outbox.c.order_id, outbox.c.last_error).where(
        outbox.c.kind == Kind.CANCEL.value, outbox.c.state == RowState.GAVE_UP.value
    )
    for row in connection.execute(query):
        cure = f"ask Rokt, or `flask rokt redrive {row.order_id}`"
        yield f"order {row.order_id!r}: {row.last_error}; {cure}"


def purchase_not_told(connection: Connection, now: datetime) -> Iterator[str]:
    """Rokt has the purchases without an upsell too, if the shop wants that."""
    query = select(outbox.c.order_id, outbox.c.last_error).where(
        outbox.c.kind == Kind.CONFIRM.value,
        outbox.c.subjects == NO_SUBJECTS,
        outbox.c.state.in_([RowState.REFUSED.value, RowState.GAVE_UP.value]),
        outbox.c.created_at > now - REPORTED_FOR,
    )
    for row in connection.execute(query):
        cure = f"`flask rokt redrive {row.order_id}` sends it again"
        yield f"order {row.order_id!r}: {row.last_error}; {cure}"


def status_of_order(connection: Connection, _now: datetime) -> Iterator[str]:
    """An order's status follows from its items."""
    query = (
        select(orders.c.id, orders.c.status, reservations.c.state)
        .join(reservations, reservations.c.order_id == orders.c.id)
        .order_by(orders.c.id)
    )
    for (order_id, status), rows in groupby(connection.execute(query), lambda row: row[:2]):
        expected = order_status(State(row.state) for row in rows)
        if expected != status:
            yield f"order {order_id!r} is {status}, but by its items it is {expected}"


def confirm_without_order(connection: Connection, _now: datetime) -> Iterator[str]:
    """Nothing is confirmed without a paid order (promise 2)."""
    calls = select(outbox.c.id, outbox.c.order_id).where(
        outbox.c.kind.in_([Kind.CONFIRM.value, Kind.CANCEL.value]),
        ~select(orders.c.id).where(orders.c.id == outbox.c.order_id).exists(),
    )
    for row in connection.execute(calls):
        yield f"call {row.id} is about order {row.order_id!r}, which does not exist"
    items = select(reservations.c.id, reservations.c.order_id).where(
        or_(reservations.c.order_id.is_not(None), reservations.c.state.in_(SOLD)),
        ~select(orders.c.id).where(orders.c.id == reservations.c.order_id).exists(),
    )
    for row in connection.execute(items):
        yield f"item {row.id} is of order {row.order_id!r}, which does not exist"


def lease_without_owner(connection: Connection, now: datetime) -> Iterator[str]:
    """A lease has a token and an end, and is no longer than any call."""
    for table, what in ((outbox, "calls"), (sessions, "sessions")):
        token, until = table.c.lease_token, table.c.lease_until
        wrong = {
            "expired long ago, so a server was killed": until < now - LATE,
            "is longer than any call: check the servers' clocks": until > now + LEASE + LATE,
            "has an end, but no token": and_(token.is_(None), until.is_not(None)),
            "has a token, but no end": and_(token.is_not(None), until.is_(None)),
        }
        for text, condition in wrong.items():
            count = connection.execute(select(func.count()).where(condition)).scalar_one()
            if count:
                yield f"the lease of {count} {what} {text}"


def overdue(connection: Connection, now: datetime) -> Iterator[str]:
    """An owed call is attempted when it is due."""
    query = select(func.count()).where(
        outbox.c.state == RowState.QUEUED.value, outbox.c.next_attempt_at < now - LATE
    )
    count = connection.execute(query).scalar_one()
    if count:
        yield f"{count} calls owed to Rokt are overdue: check that `deliver` runs"


def live_after_settle(connection: Connection, now: datetime) -> Iterator[str]:
    """Nothing stays reserved by an order, or for a cart that was bought."""
    query = (
        select(reservations.c.id, reservations.c.order_id, reservations.c.cart_id, sessions.c.cart)
        .join(sessions, sessions.c.id == reservations.c.session_id, isouter=True)
        .where(
            reservations.c.state == State.RESERVED.value,
            or_(reservations.c.expires_at.is_(None), reservations.c.expires_at > now),
        )
    )
    for row in connection.execute(query):
        if row.order_id is not None:
            yield f"an item of order {row.order_id!r} is only reserved"
        elif row.cart is None or load_cart(row.cart).cart_id != row.cart_id:
            yield f"reservation {row.id} is live, but its cart does not exist any more"


def sold_twice(connection: Connection, _now: datetime) -> Iterator[str]:
    """A quote is bought once, and so is a reservation."""
    for column, condition, what in (
        (orders.c.quote_id, orders.c.quote_id.is_not(None), "quote"),
        (reservations.c.item_reservation_id, reservations.c.state.in_(SOLD), "Rokt's reservation"),
    ):
        query = select(column, func.count()).where(condition, column.is_not(None))
        for one, count in connection.execute(query.group_by(column).having(func.count() > 1)):
            yield f"{what} {one!r} was bought {count} times"


def refund_needed(connection: Connection, _now: datetime) -> Iterator[str]:
    """No shopper has paid for an item that Rokt did not confirm, without a refund."""
    query = select(orders.c.id, orders.c.last_error, orders.c.error_code).where(NEEDS_REFUND)
    for row in connection.execute(query):
        cure = f"refund it, then `flask rokt refunded {row.id}`"
        if row.error_code not in PAID_TWICE:
            cure += f", or `flask rokt redrive {row.id}`"
        yield f"order {row.id!r}: {row.last_error}; {cure}"


INVARIANTS: Sequence[Invariant] = (
    paid_and_lost,
    cancel_lost,
    cancel_given_up,
    purchase_not_told,
    status_of_order,
    confirm_without_order,
    lease_without_owner,
    overdue,
    live_after_settle,
    sold_twice,
    refund_needed,
)


def _has_call(kind: Kind, state: RowState | None = None) -> Select[tuple[int]]:
    """Select the calls of this kind that are about the outer query's reservation."""
    found = select(outbox.c.id).where(
        outbox.c.order_id == reservations.c.order_id,
        outbox.c.kind == kind.value,
        # A JSON list of ids, which hold no wildcards.
        outbox.c.subjects.contains(reservations.c.id),
    )
    if state is None:
        return found
    # The concatenation keeps SQLite from the index of the states, with which it would read all
    # calls in that state for each reservation. The index of the order's calls is the better one.
    return found.where(outbox.c.state.concat("") == state.value)
