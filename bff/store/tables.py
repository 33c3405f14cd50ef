"""The five tables. Amounts and times are stored in the same way on every database.

A change here needs a migration in ``bff/store/migrations/versions``: a test compares the two.

sessions      a shopper's session, with the held cart as one JSON document
quotes        a quote as it was given: what may be charged
reservations  an item that was asked for at Rokt
orders        a paid order
outbox        a call owed to Rokt
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """An aware UTC time, stored as whole microseconds, because SQLite has no time zones."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Turn a time into microseconds since 1970."""
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn microseconds into a time."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class Amount(TypeDecorator[Decimal]):
    """A decimal, stored as text, because SQLite would make it a binary float."""

    impl = String(40)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Turn the decimal into text."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Turn the text into a decimal."""
        return None if value is None else Decimal(value)


metadata = MetaData()

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("handle_hash", String(64), nullable=False, unique=True),
    Column("cart", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("rokt_session_id", String(128), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    # The handle before the last rotation: see ``bff.store.handles.find_payer``.
    Column("previous_hash", String(64), index=True),
    Column("rotated_at", Instant),
    # A request calls Rokt for this session, until then at the latest.
    Column("lease_token", String(36)),
    Column("lease_until", Instant),
)


# For the purge, which clears leases of killed servers. Few sessions have a lease at a time.
Index(
    "sessions_leased",
    sessions.c.lease_until,
    sqlite_where=sessions.c.lease_until.is_not(None),
    postgresql_where=sessions.c.lease_until.is_not(None),
)


quotes = Table(
    "quotes",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("session_id", String(36), nullable=False),
    Column("number", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("document", Text, nullable=False),
    Index("quotes_of_session", "session_id", "number", unique=True),
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("session_id", String(36), nullable=False),
    Column("cart_id", String(36), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("item", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price", Amount, nullable=False),
    Column("total_price", Amount, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("rokt_session_id", String(128), nullable=False),
    Column("item_reservation_id", String(200)),
    Column("granted_at", Instant),
    Column("expires_at", Instant),
    Column("accepted_price", Amount),
    Column("reason", String(40)),
    Column("order_id", String(128)),
    Column("by_quantity", Boolean, nullable=False, default=False),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    # The item's place among the cart's lines, so that every list has the same order.
    Column("position", Integer, nullable=False),
    Index("reservations_of_session", "session_id", "state"),
    Index("reservations_of_order", "order_id"),
    # For the sweep, which looks for abandoned reservations.
    Index("reservations_by_state", "state", "created_at"),
)

orders = Table(
    "orders",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("session_id", String(36), nullable=False, index=True),
    Column("cart_id", String(36), nullable=False),
    Column("quote_id", String(36)),
    Column("rokt_session_id", String(128), nullable=False),
    Column("status", String(20), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_error", Text),
    # The same as a code: a value of ``bff.cart.order.OrderError``.
    Column("error_code", String(40)),
    # When the shopper got their money back: see ``flask rokt refunded``.
    Column("refunded_at", Instant),
    # JSON: the confirm's attributes and further members, in case that it must be built again, and
    # the quote that the shop named, which another order may have bought.
    Column("extra", Text, nullable=False),
    Column("accept_language", String(64)),
    # For the doctor and the purge: nearly all orders are confirmed, and few of them are old.
    Index("orders_by_status", "status", "created_at"),
)

outbox = Table(
    "outbox",
    metadata,
    # Not BigInteger, which SQLite does not count up by itself.
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(10), nullable=False),
    Column("state", String(10), nullable=False),
    Column("session_id", String(36), nullable=False),
    Column("order_id", String(128), index=True),
    Column("path", String(64), nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # The ids of the reservation rows that the call is about, as a JSON list.
    Column("subjects", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    # An earlier attempt may have taken effect, so the bytes must stay the same.
    Column("unknown", Boolean, nullable=False, default=False),
    # The attempt under way may have sent the bytes. If its process dies, it counts as unknown.
    # False while a confirm's items are reserved again.
    Column("sending", Boolean, nullable=False, default=False),
    Column("created_at", Instant, nullable=False),
    Column("next_attempt_at", Instant, nullable=False),
    Column("deadline", Instant, nullable=False),
    Column("lease_token", String(36)),
    Column("lease_until", Instant),
    Column("last_error", Text),
    # Sorted as it is claimed, so that a large backlog is not sorted at each claim.
    Index("outbox_due", "state", "next_attempt_at", "id"),
)
