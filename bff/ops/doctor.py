"""The doctor: checks the database, the settings and the connection to Rokt. It only reads.

``bff.ops.invariants`` has the checks of the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from bff.cart.reservation import State
from bff.config.security import insecure
from bff.config.settings import Settings
from bff.errors import StoreUnavailable
from bff.ops.invariants import NEEDS_REFUND, Finding, broken_invariants
from bff.outbox.queue import RowState
from bff.rokt.calls import any_call
from bff.rokt.client import CartApi
from bff.rokt.outcomes import Done, Outcome, Refused
from bff.store.clock import ahead
from bff.store.database import Store, new_id
from bff.store.tables import outbox, reservations

# Reservations expire within tens of minutes. With a greater difference of the clocks, a reservation
# with "60 seconds left" may have expired.
CLOCK_TOLERANCE = timedelta(seconds=10)

ROWS_AT_A_TIME = 500

# Rokt may respond with this to the doctor's page identifier, which the shop has not set up.
NO_SUCH_PAGE = 422


def examine_database(store: Store, now: datetime) -> Iterator[Finding]:
    """Check every invariant on one consistent state of the database."""
    try:
        store.check_schema()
        with store.read() as connection:
            # In parts: the tables may be larger than the memory.
            connection = connection.execution_options(yield_per=ROWS_AT_A_TIME)
            yield from broken_invariants(connection, now)
            yield from _clock(ahead(connection), "the database's")
    except StoreUnavailable as error:
        yield Finding("database", str(error))


def count_by_state(connection: Connection) -> dict[str, int]:
    """Return how many rows of the outbox are in each state."""
    query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def count_open(store: Store) -> Mapping[str, int]:
    """Count open and failed calls, orders that need a refund, and reserves without a response."""
    with store.read() as connection:
        calls = count_by_state(connection)
        refunds = select(func.count()).where(NEEDS_REFUND)
        unanswered = select(func.count()).where(reservations.c.state == State.ASKED.value)
        return {
            "calls owed": calls.get(RowState.QUEUED, 0),
            "calls given up": calls.get(RowState.GAVE_UP, 0),
            "orders that need a refund": connection.execute(refunds).scalar_one(),
            "reserves without a response": connection.execute(unanswered).scalar_one(),
        }


def examine_rokt(settings: Settings, api: CartApi) -> Iterator[Finding]:
    """Check that Rokt can be reached, accepts the key, and has the same time."""
    call = any_call(
        cart_id=new_id(),
        page_identifier="doctor",
        url="",
        attributes={},
        rokt_session_id=new_id(),
        accept_language=None,
    )
    outcome, difference = api.probe(call, limit=settings.reserve_timeout)
    yield from _response(outcome)
    if difference is not None:
        yield from _clock(-difference, "Rokt's")


def examine_settings(
    settings: Settings, config: Mapping[str, object], host: str | None = None
) -> Iterator[Finding]:
    """Check for insecure settings, as the start does. A shop may have started before a change."""
    for text in insecure(settings, config, host):
        yield Finding("insecure", text)


def _response(outcome: Outcome) -> Iterator[Finding]:
    if isinstance(outcome, Done):
        return
    if not isinstance(outcome, Refused):
        yield Finding("rokt", f"Rokt cannot be reached: {outcome.detail}")
    elif outcome.status in (401, 403):
        text = f"Rokt rejects ROKT_BFF_API_KEY or ROKT_BFF_TAG_ID ({outcome.status})"
        yield Finding("rokt_key", f"{text}: correct them")
    elif outcome.is_about_setup or outcome.status < 400:
        text = f"ROKT_BFF_API_URL responds with {outcome.status}, so it is not the Cart API"
        yield Finding("rokt", f"{text}: correct it")
    elif outcome.status != NO_SUCH_PAGE:
        yield Finding("rokt", f"Rokt rejected a test request: {outcome.detail}")


def _clock(ahead: timedelta, whose: str) -> Iterator[Finding]:
    if abs(ahead) > CLOCK_TOLERANCE:
        seconds = abs(round(ahead.total_seconds()))
        side = "ahead of" if ahead > timedelta() else "behind"
        text = f"this server's clock is {seconds} s {side} {whose}: synchronize it by NTP"
        yield Finding("clock", text)
