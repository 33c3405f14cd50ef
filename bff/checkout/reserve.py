"""Reserve: holds what the shopper has at Rokt, and makes the quote of what may be charged.

Three steps with no transaction around the network: plan and take a lease; give back what is
stale, then ask Rokt; settle and quote. Giving back comes first, so that a shopper who changes
two to three does not compete with their own two. Where the cart changed during the call, the
quote would say what the shopper no longer has: then the plan is made anew, while time is left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from bff.cart.held_cart import Line
from bff.cart.quote import Quote, make_quote, says_the_same
from bff.cart.reservation import (
    Plan,
    Reason,
    Reservation,
    ReserveOptions,
    State,
    ask_for,
    plan_reserve,
)
from bff.config.settings import Settings
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
from bff.store import reservations as ledger
from bff.store.clock import shared
from bff.store.database import Store, new_id
from bff.store.quotes import add_quote, find_quote
from bff.store.reservations import find
from bff.store.sessions import Session, end_lease, get_session, save_cart, take_lease

# How often a request that found the lease taken looks again. Reserving takes a few tenths of a
# second, so this adds little to it and asks the database little.
LOOK_AGAIN = 0.05


# Of the time limit, what giving back may use before the asking: it can go on later by itself.
RELEASE_SHARE = 0.25


OPEN_STATES = (State.RESERVED, State.REJECTED)


@dataclass(frozen=True, slots=True)
class _Started:
    """``ghosts``: cart item ids that Rokt may hold from an earlier call without an answer."""

    session: Session
    plan: Plan
    asked: tuple[Reservation, ...]
    ghosts: frozenset[str]
    token: str = field(repr=False)


class QuoteMaker:
    """Makes quotes."""

    def __init__(
        self,
        settings: Settings,
        database: Store,
        api: CartApi,
        clock: Callable[[], datetime],
        releasing: Releases,
    ) -> None:
        self._settings = settings
        self._store = database
        self._calls = ReserveCalls(api)
        self._bulkhead = api.bulkhead
        self._clock = clock
        self._releasing = releasing

    def quote(self, session_id: str, wish: ReserveOptions) -> tuple[Quote, bool]:
        """Reserve what is new or changed and return the quote, and whether anything changed.

        Never raises for what Rokt does: what could not be had is in ``quote.rejected``.
        """
        end = time.monotonic() + self._settings.reserve_timeout
        asked = False
        while True:
            started = self._begin(session_id, wish, end)
            if isinstance(started, Quote):
                return started, asked
            if started is None:
                return self._quote_without_asking(session_id, wish), asked
            asked = True
            result = self._calls.ask(started.asked, wish, end=end)
            quote = self._settle(started, wish, result, end)
            if quote is not None:
                return quote, True
            if time.monotonic() >= end:
                return self._quote_without_asking(session_id, wish), True

    def _begin(self, session_id: str, wish: ReserveOptions, end: float) -> _Started | Quote | None:
        """Start, waiting for another request of this session that reserves; None: in vain."""
        started = self._start(session_id, wish, end)
        if started is not None:
            return started
        with self._bulkhead.waiting_slot() as waits:
            while waits and time.monotonic() < end:
                threading.Event().wait(LOOK_AGAIN)
                if self._is_leased(session_id):
                    continue  # looking first spares everybody the write lock
                started = self._start(session_id, wish, end)
                if started is not None:
                    return started
        return None

    def _is_leased(self, session_id: str) -> bool:
        with self._store.read() as connection:
            session = get_session(connection, session_id, for_update=False)
            now = shared(connection, self._clock())
        until = session.lease_until if session else None
        return until is not None and until > now

    def _start(self, session_id: str, wish: ReserveOptions, end: float) -> _Started | Quote | None:
        """Plan under a lease; a quote where nothing is to be done, None while it is taken."""
        with self._store.write() as connection:
            session = get_session(connection, session_id)
            if session is None:
                raise LookupError(session_id)
            now = self._clock()  # after its lock was waited for
            accept(connection, session, wish.accept_prices)
            plan = self._plan(connection, session, now)
            if not (plan.ask or plan.give_back or plan.lapsed):
                return self._keep_quote(connection, session, plan, wish, now)
            token = new_id()
            if not take_lease(connection, session, token, now=now, lasts=LEASE):
                return None
            for row in plan.lapsed:
                ledger.change(connection, row.id, State.RESERVED, State.EXPIRED)
            stale = (*plan.lapsed, *plan.give_back)
            asked = tuple(
                replace(
                    ask_for(
                        line,
                        session.cart,
                        row_id=new_id(),
                        session_id=session.id,
                        rokt_session_id=session.rokt_session_id,
                        now=now,
                    ),
                    accepted_price=accepted_price(line, stale, wish.accept_prices),
                )
                for line in plan.ask
            )
            doubted = find(connection, session.id, now)
            ledger.add_reservations(connection, asked)
            language = wish.accept_language
            owed = self._releasing.owe(connection, plan.give_back, now, accept_language=language)
        self._give_back(owed, end)
        return _Started(session, plan, asked, doubted, token)

    def _plan(self, connection: Connection, session: Session, now: datetime) -> Plan:
        rows = ledger.rows_of_session(connection, session.id, OPEN_STATES)
        return plan_reserve(session.cart.lines, rows, now=now, margin=self._settings.margin)

    def _settle(
        self, started: _Started, wish: ReserveOptions, result: ReserveResult, end: float
    ) -> Quote | None:
        """Write what became of the rows and quote; None when the cart changed meanwhile.

        What was reserved then stays so, as far as the next plan finds it still wanted.
        """
        now = self._clock()
        outcome = result.outcome
        settled, unanswered = result.apply(now)
        settled = [unless_lapsed(row, now) for row in settled]
        settled = [
            as_passing(row) if result.unsure or row.item.cart_item_id in started.ghosts else row
            for row in settled
        ]
        useless = [row for row in settled if is_useless(row)]
        with self._store.write() as connection:
            session = get_session(connection, started.session.id)
            for row in settled:
                _write(connection, row)
            for row in started.asked:
                if row.item.cart_item_id in unanswered and isinstance(outcome, NotSent | Refused):
                    # Surely not held at Rokt; an unknown one stays *asked*, and is counted.
                    ledger.change(connection, row.id, State.ASKED, State.EXPIRED)
            language = wish.accept_language
            owed = self._releasing.owe(connection, useless, now, accept_language=language)
            end_lease(connection, started.session.id, started.token)
            quote = None
            if session is not None and session.cart.version == started.session.cart.version:
                rows_now = [*started.plan.keep, *settled]
                members = wish if started.asked else _kept(connection, session, wish)
                quote = make_quote(new_id(), session.cart, rows_now, unanswered, members)
                add_quote(connection, session.id, quote, now=now)
                newer = replace(session.cart, version=session.cart.version + 1)
                save_cart(connection, session, newer)
            elif session is None or session.cart.cart_id != started.session.cart.cart_id:
                held = [row for row in settled if row.state is State.RESERVED]
                owed += self._releasing.owe(connection, held, now, accept_language=language)
        self._give_back(owed, end)
        return quote

    def _give_back(self, owed: Sequence[OwedCall], end: float) -> None:
        """Send releases with a share of the time that is left; the rest is delivery's."""
        share = self._settings.reserve_timeout * RELEASE_SHARE
        self._releasing.send(owed, limit=min(share, end - time.monotonic()))

    def _keep_quote(
        self,
        connection: Connection,
        session: Session,
        plan: Plan,
        wish: ReserveOptions,
        now: datetime,
    ) -> Quote:
        """Return the last quote where it still says the same, else one from what is reserved."""
        members = _kept(connection, session, wish)
        quote = make_quote(new_id(), session.cart, plan.keep, {}, members)
        last = find_quote(connection, session.id)
        if last is not None and says_the_same(last, quote):
            return last
        add_quote(connection, session.id, quote, now=now)
        return quote

    def _quote_without_asking(self, session_id: str, wish: ReserveOptions) -> Quote:
        """Quote what is reserved already; the rest was not asked for, as somebody else is."""
        with self._store.write() as connection:
            session = get_session(connection, session_id)
            if session is None:
                raise LookupError(session_id)
            now = self._clock()  # after its lock was waited for
            plan = self._plan(connection, session, now)
            busy = {line.item.cart_item_id: Reason.BUSY for line in plan.ask}
            members = _kept(connection, session, wish)
            quote = make_quote(new_id(), session.cart, plan.keep, busy, members)
            add_quote(connection, session.id, quote, now=now)
        return quote


def accept(connection: Connection, session: Session, prices: Mapping[str, Decimal]) -> None:
    """Note the unit prices that the shopper took, on what is reserved for them now."""
    if not prices:
        return
    for row in ledger.rows_of_session(connection, session.id, [State.RESERVED]):
        price = prices.get(row.item.cart_item_id)
        line = session.cart.line(row.item.cart_item_id)
        if price is not None and line is not None and row.is_for(line):
            ledger.change(connection, row.id, State.RESERVED, accepted_price=price)


def accepted_price(
    line: Line, stale: Iterable[Reservation], taken: Mapping[str, Decimal]
) -> Decimal | None:
    """Return the unit price that the shopper consented to for a line, if they did. Pure.

    One that was taken once stays taken when the reservation of the *same* line is renewed. A
    line that changed since is another offer, perhaps in another currency.
    """
    given = taken.get(line.item.cart_item_id)
    before = [row.accepted_price for row in stale if row.is_for(line)]
    return given if given is not None else next((x for x in before if x is not None), None)


def _kept(connection: Connection, session: Session, wish: ReserveOptions) -> ReserveOptions:
    """Return the members behind a quote for which nothing was asked anew.

    What is reserved was asked for with those of the last quote. What this reserve names and that
    one did not is known from now on.
    """
    last = find_quote(connection, session.id)
    return wish if last is None else wish.over(last.wish)


def _write(connection: Connection, row: Reservation) -> None:
    ledger.change(
        connection,
        row.id,
        State.ASKED,
        row.state,
        quantity=row.quantity,
        unit_price=row.unit_price,
        total_price=row.total_price,
        item_reservation_id=row.item_reservation_id,
        granted_at=row.granted_at,
        expires_at=row.expires_at,
        reason=row.reason,
    )
