"""Reserve: holds the shopper's items at Rokt, and makes the quote of what may be charged.

There are three steps, without a transaction around the call: plan and take a lease; release what
is stale, then call Rokt; settle and quote. Without the release first, a shopper who changes two to
three would compete with their own two. If the cart changed meanwhile, the plan is made again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from bff.cart.held_cart import Line
from bff.cart.quote import Quote, is_same_quote, make_quote
from bff.cart.renewal import Plan, plan_reserve
from bff.cart.reservation import (
    OPEN_STATES,
    Reason,
    Reservation,
    ReserveOptions,
    State,
    accepted_price,
    row_of_line,
    unanswered_items,
)
from bff.cart.shown_cart import Cart, view_cart
from bff.config.settings import Settings
from bff.outbox.delivery import Delivery
from bff.outbox.queue import LEASE, OwedCall
from bff.outbox.releases import Releases
from bff.rokt.client import CartApi
from bff.rokt.outcomes import NotSent, Refused
from bff.rokt.reserve import (
    ReserveCalls,
    ReserveResult,
    as_passing,
    is_useless,
    unless_lapsed,
)
from bff.store.clock import shared
from bff.store.database import Store, new_id
from bff.store.quotes import add_quote, find_quote
from bff.store.reservations import add_reservations, answer, change, rows_of_session
from bff.store.sessions import Session, end_lease, get_session, save_cart, take_lease

# The seconds between two looks at a lease that another request holds. A reserve takes some tenths
# of a second, so this adds little to it, and causes few queries.
LOOK_AGAIN = 0.05
# The part of the time limit that releases may use before the reserve. The worker has the rest.
RELEASE_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Quoted:
    """A quote, and the cart as it is shown with it. ``cart`` None: nothing changed."""

    quote: Quote
    cart: Cart | None


@dataclass(frozen=True, slots=True)
class _Started:
    """A reserve under a lease, which ``token`` proves.

    Attributes:
        session: The session as it was.
        rows: The open rows that are neither released nor expired.
        asked: The new rows, one for each line that Rokt is asked for.
        doubted: The cart item ids that Rokt may hold by a reserve without a response.
    """

    session: Session
    plan: Plan
    rows: tuple[Reservation, ...]
    asked: tuple[Reservation, ...]
    doubted: frozenset[str]
    token: str = field(repr=False)


class QuoteMaker:
    """Makes quotes."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        api: CartApi,
        clock: Callable[[], datetime],
        releases: Releases,
        delivery: Delivery,
    ) -> None:
        self._settings = settings
        self._store = store
        self._reserve_calls = ReserveCalls(api)
        self._bulkhead = api.bulkhead
        self._clock = clock
        self._releases = releases
        self._delivery = delivery

    def quote(self, session_id: str, options: ReserveOptions) -> Quoted:
        """Reserve what is new or changed, and return the quote.

        An error of Rokt's raises nothing: what could not be reserved is in ``quote.rejected``.
        """
        end = time.monotonic() + self._settings.reserve_timeout
        changed = False
        while True:
            started = self._begin(session_id, options, end)
            if not isinstance(started, _Started):
                quoted = started or self._quote_what_is_held(session_id, options)
                return quoted if changed else replace(quoted, cart=None)
            changed = True
            result = self._reserve_calls.ask(started.asked, options, end=end)
            settled = self._settle(started, options, result, end)
            if settled is not None:
                return settled
            if time.monotonic() >= end:
                return self._quote_what_is_held(session_id, options)

    def _begin(
        self, session_id: str, options: ReserveOptions, end: float
    ) -> _Started | Quoted | None:
        """Start, after another request's reserve if one is under way; None: it took too long."""
        started = self._start(session_id, options, end)
        if started is not None:
            return started
        with self._bulkhead.waiting_slot() as waits:
            while waits and time.monotonic() < end:
                threading.Event().wait(LOOK_AGAIN)
                if self._is_leased(session_id):
                    continue  # a look without the write lock comes first
                started = self._start(session_id, options, end)
                if started is not None:
                    return started
        return None

    def _is_leased(self, session_id: str) -> bool:
        with self._store.read() as connection:
            session = get_session(connection, session_id, for_update=False)
            now = shared(connection, self._clock())
        until = session.lease_until if session else None
        return until is not None and until > now

    def _start(
        self, session_id: str, options: ReserveOptions, end: float
    ) -> _Started | Quoted | None:
        """Plan under a lease. A quote: there is nothing to do. None: the lease is taken."""
        with self._store.write() as connection:
            session = _session(connection, session_id)
            now = self._clock()  # after waiting for the lock
            accept(connection, session, options.accept_prices)
            found = rows_of_session(connection, session.id, (*OPEN_STATES, State.ASKED))
            rows = tuple(row for row in found if row.state is not State.ASKED)
            plan = self._plan(session, rows, now)
            if not (plan.ask or plan.release or plan.lapsed):
                last = find_quote(connection, session.id)
                members = _kept(last, options)
                quote = make_quote(new_id(), session.cart, plan.keep, {}, members)
                if last is not None and is_same_quote(last, quote):
                    quote = last
                else:
                    add_quote(connection, session.id, quote, now=now)
                return Quoted(quote, view_cart(session.cart, rows, now))
            token = new_id()
            if not take_lease(connection, session, token, now=now, lasts=LEASE):
                return None
            for row in plan.lapsed:
                change(connection, row.id, State.RESERVED, State.EXPIRED)
            stale = (*plan.lapsed, *plan.release)
            asked = tuple(_ask_for(line, session, stale, options, now) for line in plan.ask)
            add_reservations(connection, asked)
            owed = self._releases.owe(
                connection, plan.release, accept_language=options.accept_language
            )
        self._release(owed, end)
        left = tuple(row for row in rows if row not in stale)
        return _Started(session, plan, left, asked, unanswered_items(found, now), token)

    def _plan(self, session: Session, rows: Sequence[Reservation], now: datetime) -> Plan:
        return plan_reserve(session.cart.lines, rows, now=now, margin=self._settings.margin)

    def _settle(
        self, started: _Started, options: ReserveOptions, result: ReserveResult, end: float
    ) -> Quoted | None:
        """Write the rows as Rokt's response says, and quote. None: the cart changed meanwhile.

        What was reserved stays so if the next plan still needs it.
        """
        now = self._clock()
        outcome = result.outcome
        answers, unanswered = result.apply(now)
        settled = [
            as_passing(row) if result.unsure or row.item.cart_item_id in started.doubted else row
            for row in (unless_lapsed(row, now) for row in answers)
        ]
        with self._store.write() as connection:
            session = get_session(connection, started.session.id)
            for row in settled:
                answer(connection, row)
            for row in started.asked:
                if row.item.cart_item_id in unanswered and isinstance(outcome, NotSent | Refused):
                    # Surely not held at Rokt. After an unknown outcome the row stays *asked*.
                    change(connection, row.id, State.ASKED, State.EXPIRED)
            end_lease(connection, started.session.id, started.token)
            useless = [row for row in settled if is_useless(row)]
            quoted = None
            if session is not None and session.cart.version == started.session.cart.version:
                members = options
                if not started.asked:
                    members = _kept(find_quote(connection, session.id), options)
                held = [*started.plan.keep, *settled]
                quote = _add_quote(connection, session, held, unanswered, members, now)
                newer = replace(session.cart, version=session.cart.version + 1)
                save_cart(connection, session, newer)
                quoted = Quoted(quote, view_cart(newer, (*started.rows, *settled), now))
            elif session is None or session.cart.cart_id != started.session.cart.cart_id:
                useless += [row for row in settled if row.state is State.RESERVED]
            owed = self._releases.owe(connection, useless, accept_language=options.accept_language)
        self._release(owed, end)
        return quoted

    def _release(self, owed: Sequence[OwedCall], end: float) -> None:
        """Send releases within a part of the time that is left; the worker has the rest."""
        share = self._settings.reserve_timeout * RELEASE_SHARE
        self._delivery.attempt_all(owed, limit=min(share, end - time.monotonic()))

    def _quote_what_is_held(self, session_id: str, options: ReserveOptions) -> Quoted:
        """Quote what is reserved already; another request holds the lease for the rest."""
        with self._store.write() as connection:
            session = _session(connection, session_id)
            now = self._clock()  # after waiting for the lock
            rows = rows_of_session(connection, session.id, OPEN_STATES)
            plan = self._plan(session, rows, now)
            busy = {line.item.cart_item_id: Reason.BUSY for line in plan.ask}
            members = _kept(find_quote(connection, session.id), options)
            quote = _add_quote(connection, session, plan.keep, busy, members, now)
        return Quoted(quote, view_cart(session.cart, rows, now))


def accept(connection: Connection, session: Session, prices: Mapping[str, Decimal]) -> None:
    """Write the unit prices that the shopper consented to, on what is reserved for them now."""
    if not prices:
        return
    for row in rows_of_session(connection, session.id, [State.RESERVED]):
        price = prices.get(row.item.cart_item_id)
        line = session.cart.line(row.item.cart_item_id)
        if price is not None and line is not None and row.is_for(line):
            change(connection, row.id, State.RESERVED, accepted_price=price)


def _session(connection: Connection, session_id: str) -> Session:
    session = get_session(connection, session_id)
    if session is None:
        raise LookupError(session_id)
    return session


def _ask_for(
    line: Line,
    session: Session,
    stale: Sequence[Reservation],
    options: ReserveOptions,
    now: datetime,
) -> Reservation:
    row = row_of_line(
        line,
        session.cart,
        row_id=new_id(),
        session_id=session.id,
        rokt_session_id=session.rokt_session_id,
        now=now,
    )
    return replace(row, accepted_price=accepted_price(line, stale, options.accept_prices))


def _kept(last: Quote | None, options: ReserveOptions) -> ReserveOptions:
    """Return the options of a quote for which nothing new was reserved.

    What is reserved was asked for with the last quote's options. This reserve's own are added.
    """
    return options if last is None else options.over(last.options)


def _add_quote(
    connection: Connection,
    session: Session,
    rows: Sequence[Reservation],
    reasons: Mapping[str, Reason],
    options: ReserveOptions,
    now: datetime,
) -> Quote:
    quote = make_quote(new_id(), session.cart, rows, reasons, options)
    add_quote(connection, session.id, quote, now=now)
    return quote
