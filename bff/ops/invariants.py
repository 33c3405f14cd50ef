"""The promises as they are looked for in a live database: what breaks one is a finding.

Reads only. Each invariant is one function that yields findings; ``INVARIANTS`` names them all,
and each has a database that was broken on purpose among the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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

# A lease lasts half a minute and delivery looks twice a second: who is late by this much is
# not slow but gone.
LATE = timedelta(minutes=5)


# What no money depends on is told for so long, and then it is too late to matter.
TOLD_FOR = timedelta(days=7)


# The ids of the items that a call is about, where there are none.
NO_SUBJECTS = "[]"


# What an order has paid for.
SOLD = (
    State.CONFIRMING,
    State.CONFIRMED,
    State.CANCELLING,
    State.CANCELLED,
    State.REFUND_NEEDED,
)


NEEDS_REFUND = and_(
    orders.c.status == OrderStatus.REFUND_NEEDED.value, orders.c.refunded_at.is_(None)
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be; ``name`` is stable, for monitoring."""

    name: str
    text: str


Invariant = Callable[[Connection, datetime], Iterator[Finding]]


def paid_and_lost(connection: Connection, _now: datetime) -> Iterator[Finding]:
    """Every item that was paid for is confirmed, or queued, or needs a refund (promise 1)."""
    for state, kind in ((State.CONFIRMING, Kind.CONFIRM), (State.CANCELLING, Kind.CANCEL)):
        query = select(reservations.c.order_id).where(
            reservations.c.state == state.value, ~_has_call(kind, RowState.QUEUED).exists()
        )
        if kind is Kind.CANCEL:  # else it is ``cancel_given_up``
            query = query.where(~_has_call(kind, RowState.GAVE_UP).exists())
        for row in connection.execute(query):
            text = f"an item of order {row.order_id!r} is {state.value}, but no call is owed"
            yield Finding("paid_and_lost", text)
    answered = (State.CONFIRMED, State.CANCELLING, State.CANCELLED)
    query = select(reservations.c.order_id, reservations.c.state).where(
        reservations.c.state.in_([state.value for state in answered]),
        ~_has_call(Kind.CONFIRM, RowState.DONE).exists(),
    )
    for row in connection.execute(query):
        text = f"an item of order {row.order_id!r} is {row.state}, but Rokt confirmed no such call"
        yield Finding("paid_and_lost", text)
    items = select(func.count()).where(reservations.c.order_id == orders.c.id).scalar_subquery()
    sold = select(orders.c.id, orders.c.status, quotes.c.document, items.label("items")).join(
        quotes, quotes.c.id == orders.c.quote_id, isouter=True
    )
    for row in connection.execute(sold):
        bought = 0 if row.document is None else len(load_quote(row.document).reservation_ids)
        # Only an order without an upsell has no item, and that one is confirmed.
        least = 0 if row.status == OrderStatus.CONFIRMED.value else 1
        if row.items < max(bought, least):
            text = f"order {row.id!r} has lost {max(bought, least) - row.items} of its items"
            yield Finding("paid_and_lost", text)


def cancel_lost(connection: Connection, _now: datetime) -> Iterator[Finding]:
    """A cancel that was asked for before the confirm is owed once Rokt has confirmed."""
    query = select(reservations.c.order_id).where(
        reservations.c.state == State.CONFIRMED.value,
        reservations.c.cancel_requested.is_(True),
        reservations.c.item_reservation_id.is_not(None),
        ~_has_call(Kind.CANCEL).exists(),
    )
    for row in connection.execute(query):
        text = f"an item of order {row.order_id!r} was to be cancelled, and Rokt was never told"
        yield Finding("cancel_lost", text)


def cancel_given_up(connection: Connection, _now: datetime) -> Iterator[Finding]:
    """Cancels of which nobody knows whether Rokt made them: somebody must find out."""
    query = select(outbox.c.order_id, outbox.c.last_error).where(
        outbox.c.kind == _name(Kind.CANCEL), outbox.c.state == RowState.GAVE_UP.value
    )
    for row in connection.execute(query):
        cure = f"ask Rokt, or `flask rokt redrive {row.order_id}`"
        yield Finding("cancel_given_up", f"order {row.order_id!r}: {row.last_error}; {cure}")


def purchase_not_told(connection: Connection, now: datetime) -> Iterator[Finding]:
    """Rokt is told of each purchase without an upsell too, where the shop wants it."""
    query = select(outbox.c.order_id, outbox.c.last_error).where(
        outbox.c.kind == _name(Kind.CONFIRM),
        outbox.c.subjects == NO_SUBJECTS,
        outbox.c.state.in_([RowState.REFUSED.value, RowState.GAVE_UP.value]),
        outbox.c.created_at > now - TOLD_FOR,
    )
    for row in connection.execute(query):
        cure = f"`flask rokt redrive {row.order_id}` tells it again"
        yield Finding("purchase_not_told", f"order {row.order_id!r}: {row.last_error}; {cure}")


def status_of_order(connection: Connection, _now: datetime) -> Iterator[Finding]:
    """An order's status is what its items say."""
    query = (
        select(orders.c.id, orders.c.status, reservations.c.state)
        .join(reservations, reservations.c.order_id == orders.c.id)
        .order_by(orders.c.id)
    )
    for (order_id, status), rows in groupby(connection.execute(query), lambda row: row[:2]):
        expected = order_status(State(row.state) for row in rows)
        if expected != status:
            text = f"order {order_id!r} is {status}, but its items say {expected}"
            yield Finding("status_of_order", text)


def confirm_without_order(connection: Connection, _now: datetime) -> Iterator[Finding]:
    """Nothing is confirmed without an order that is paid (promise 2)."""
    calls = select(outbox.c.id, outbox.c.order_id).where(
        outbox.c.kind.in_([_name(Kind.CONFIRM), _name(Kind.CANCEL)]),
        ~select(orders.c.id).where(orders.c.id == outbox.c.order_id).exists(),
    )
    for row in connection.execute(calls):
        text = f"call {row.id} is about order {row.order_id!r}, which is not there"
        yield Finding("confirm_without_order", text)
    sold = reservations.c.state.in_([state.value for state in SOLD])
    items = select(reservations.c.id, reservations.c.order_id).where(
        or_(reservations.c.order_id.is_not(None), sold),
        ~select(orders.c.id).where(orders.c.id == reservations.c.order_id).exists(),
    )
    for row in connection.execute(items):
        text = f"item {row.id} is of order {row.order_id!r}, which is not there"
        yield Finding("confirm_without_order", text)


def lease_without_owner(connection: Connection, now: datetime) -> Iterator[Finding]:
    """A lease has a holder, is no longer than any call, and ends with it or soon after."""
    for table, what in ((outbox, "calls"), (sessions, "sessions")):
        wrong = {
            "were left behind by a server that died": table.c.lease_until < now - LATE,
            "are held longer than any call takes: was the clock set?": table.c.lease_until
            > now + LEASE + LATE,
            "are held by nobody": and_(
                table.c.lease_token.is_(None), table.c.lease_until.is_not(None)
            ),
            "are held without an end": and_(
                table.c.lease_token.is_not(None), table.c.lease_until.is_(None)
            ),
        }
        for text, condition in wrong.items():
            count = connection.execute(select(func.count()).where(condition)).scalar_one()
            if count:
                yield Finding("lease_without_owner", f"{count} {what} {text}")


def overdue(connection: Connection, now: datetime) -> Iterator[Finding]:
    """What is owed to Rokt is attempted when it is due."""
    query = select(func.count()).where(
        outbox.c.state == RowState.QUEUED.value, outbox.c.next_attempt_at < now - LATE
    )
    count = connection.execute(query).scalar_one()
    if count:
        yield Finding("overdue", f"{count} calls owed to Rokt are overdue: is `deliver` running?")


def live_after_settle(connection: Connection, now: datetime) -> Iterator[Finding]:
    """Nothing stays reserved for a cart that was bought, or by an order."""
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
            text = f"an item of order {row.order_id!r} is only reserved"
            yield Finding("live_after_settle", text)
        elif row.cart is None or load_cart(row.cart).cart_id != row.cart_id:
            yield Finding("live_after_settle", f"reservation {row.id} is live, its cart is gone")


def sold_twice(connection: Connection, _now: datetime) -> Iterator[Finding]:
    """A quote is bought once, and so is a reservation."""
    query = (
        select(orders.c.quote_id, func.count().label("count"))
        .where(orders.c.quote_id.is_not(None))
        .group_by(orders.c.quote_id)
        .having(func.count() > 1)
    )
    for row in connection.execute(query):
        yield Finding("sold_twice", f"quote {row.quote_id} was bought {row.count} times")
    rows = (
        select(reservations.c.item_reservation_id, func.count().label("count"))
        .where(
            reservations.c.item_reservation_id.is_not(None),
            reservations.c.state.in_([state.value for state in SOLD]),
        )
        .group_by(reservations.c.item_reservation_id)
        .having(func.count() > 1)
    )
    for row in connection.execute(rows):
        text = f"Rokt's reservation {row.item_reservation_id!r} was sold {row.count} times"
        yield Finding("sold_twice", text)


def refund_needed(connection: Connection, _now: datetime) -> Iterator[Finding]:
    """Orders that somebody must give money back for."""
    query = select(orders.c.id, orders.c.last_error, orders.c.error_code).where(NEEDS_REFUND)
    for row in connection.execute(query):
        cure = f"refund, then `flask rokt refunded {row.id}`"
        if row.error_code not in PAID_TWICE:  # Rokt did nothing wrong with those
            cure += ", or `redrive` it"
        yield Finding("refund_needed", f"order {row.id!r}: {row.last_error}; {cure}")


INVARIANTS: Mapping[str, Invariant] = {
    invariant.__name__: invariant
    for invariant in (
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
}


def _has_call(kind: Kind, state: RowState | None = None) -> Select[tuple[int]]:
    """Select the calls of this kind that are about the reservation of the query around it."""
    found = select(outbox.c.id).where(
        outbox.c.order_id == reservations.c.order_id,
        outbox.c.kind == _name(kind),
        # A JSON list of ids, which hold no wildcards.
        outbox.c.subjects.contains(reservations.c.id),
    )
    if state is None:
        return found
    # As it is, SQLite would go through all calls in that state for each reservation: without
    # statistics their index looks as good to it as that of the order's few calls.
    return found.where(outbox.c.state.concat("") == state.value)


def _name(kind: Kind) -> str:
    return kind.name.lower()
