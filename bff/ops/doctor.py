"""The doctor: checks the promises on a live database, the settings, and the way to Rokt.

Reads only. What is looked for in the database is in ``bff.ops.invariants``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from bff.cart.reservation import State
from bff.config.security import insecure
from bff.config.settings import Settings
from bff.errors import StoreUnavailable
from bff.ops.invariants import INVARIANTS, NEEDS_REFUND, Finding
from bff.outbox.queue import RowState
from bff.rokt.calls import any_call
from bff.rokt.client import CartApi
from bff.rokt.outcomes import Done, Outcome, Refused
from bff.store.clock import ahead
from bff.store.database import Store, new_id
from bff.store.tables import outbox, reservations

# Reservations lapse within tens of minutes; clocks that differ by more than this make "60
# seconds left" meaningless, and what is sent just before a lapse arrives after it.
CLOCK_TOLERANCE = timedelta(seconds=10)


ROWS_AT_A_TIME = 500


# The page that the doctor asks about is none of the shop's, which Rokt may say by this.
NO_SUCH_PAGE = 422


def examine_database(store: Store, now: datetime) -> Iterator[Finding]:
    """Check every invariant on one consistent state of the database."""
    try:
        store.check_schema()
        with store.read() as connection:
            # Rows come by and by: a database may be larger than the memory.
            connection = connection.execution_options(yield_per=ROWS_AT_A_TIME)
            for invariant in INVARIANTS.values():
                yield from invariant(connection, now)
            yield from _clock(ahead(connection), "the database's")
    except StoreUnavailable as error:
        yield Finding("database", str(error))


def count_by_state(connection: Connection) -> dict[str, int]:
    """Return how many rows of the outbox are in each state."""
    query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def count_open(store: Store) -> Mapping[str, int]:
    """Count what is not settled, and the reserves of which nobody knows what Rokt holds."""
    with store.read() as connection:
        calls = count_by_state(connection)
        refunds = select(func.count()).where(NEEDS_REFUND)
        unanswered = select(func.count()).where(reservations.c.state == State.ASKED.value)
        return {
            "calls owed": calls.get(RowState.QUEUED, 0),
            "calls given up": calls.get(RowState.GAVE_UP, 0),
            "orders that need a refund": connection.execute(refunds).scalar_one(),
            "reserves without an answer": connection.execute(unanswered).scalar_one(),
        }


def examine_rokt(settings: Settings, api: CartApi) -> Iterator[Finding]:
    """Check that Rokt is reached, accepts the key, and has the same time of day."""
    call = any_call(
        cart_id=new_id(),
        page_identifier="doctor",
        url="",
        attributes={},
        rokt_session_id=new_id(),
        accept_language=None,
    )
    outcome, difference = api.probe(call, limit=settings.reserve_timeout)
    yield from _way(outcome)
    if difference is not None:
        yield from _clock(-difference, "Rokt's")


def examine_settings(
    settings: Settings, config: Mapping[str, object], host: str | None = None
) -> Iterator[Finding]:
    """Check that nothing insecure is set, as the start does: a shop's config may be older."""
    for text in insecure(settings, config, host):
        yield Finding("insecure", text)


def _way(outcome: Outcome) -> Iterator[Finding]:
    """Tell what an outcome says about the way to Rokt."""
    if isinstance(outcome, Done) or (
        isinstance(outcome, Refused) and outcome.status == NO_SUCH_PAGE
    ):
        return
    if not isinstance(outcome, Refused):
        yield Finding("rokt", f"Rokt cannot be reached: {outcome.detail}")
    elif outcome.status in (401, 403):
        yield Finding("rokt_key", f"Rokt does not accept the key or the tag ({outcome.status})")
    elif outcome.is_about_setup or outcome.status < 400:
        text = f"what answers {outcome.status} at ROKT_BFF_API_URL is not the Cart API"
        yield Finding("rokt", text)
    else:
        yield Finding("rokt", f"Rokt takes no question of this shop: {outcome.detail}")


def _clock(ahead: timedelta, whose: str) -> Iterator[Finding]:
    if abs(ahead) > CLOCK_TOLERANCE:
        seconds = abs(round(ahead.total_seconds()))
        side = "ahead of" if ahead > timedelta() else "behind"
        yield Finding("clock", f"this clock is {seconds} s {side} {whose}: set it by NTP")
