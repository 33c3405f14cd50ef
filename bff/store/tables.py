"""The tables, and how amounts and instants are kept in them the same way on every database.

A change here needs a migration in ``bff/migrations/versions``: a test compares the two.

sessions      one row a shopper's session: the held cart as one JSON document
quotes        one row a quote, as it was given: what may be confirmed
reservations  one row an item asked for at Rokt
orders        one row a paid order
outbox        one row a call owed to Rokt
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
    """An aware UTC time, kept as whole microseconds: SQLite has no time zones of its own."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Turn a time into microseconds since 1970."""
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn microseconds into a time."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class Amount(TypeDecorator[Decimal]):
    """A decimal kept as text: SQLite would make it a binary float."""

    impl = String(40)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write the decimal out."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Read the decimal back."""
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
    # The handle before the last rotation: who was paying under it then has paid.
    Column("previous_hash", String(64), index=True),
    Column("rotated_at", Instant),
    # Somebody is reserving for this session, until then at the latest.
    Column("lease_token", String(36)),
    Column("lease_until", Instant),
)


# For the purge, which ends leases that were left behind; few sessions have one at a time.
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
    # Where the item stood among the cart's lines, so that every list of them has one order.
    Column("position", Integer, nullable=False),
    Index("reservations_of_session", "session_id", "state"),
    Index("reservations_of_order", "order_id"),
    # For the sweep, which looks for what is reserved and left behind.
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
    # Somebody says that the shopper has their money back: see ``flask rokt refunded``.
    Column("refunded_at", Instant),
    # JSON: attributes and further members of confirm, for the case that it must be built anew,
    # and as "quote" the one that the shop named, which another order may have bought.
    Column("extra", Text, nullable=False),
    Column("accept_language", String(64)),
    # For the doctor, and for the purge: nearly all orders are confirmed, and few of them old.
    Index("orders_by_status", "status", "created_at"),
)


outbox = Table(
    "outbox",
    metadata,
    # BigInteger would not count up by itself on SQLite.
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(10), nullable=False),
    Column("state", String(10), nullable=False),
    Column("session_id", String(36), nullable=False),
    Column("order_id", String(128), index=True),
    Column("path", String(64), nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # Ids of our reservation rows that this call is about, as a JSON list.
    Column("subjects", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    # An earlier attempt may have taken effect: the bytes must stay the same from then on.
    Column("unknown", Boolean, nullable=False, default=False),
    # The attempt under way may send the bytes; false while a confirm's items are reserved again.
    # What a lease that was left behind means depends on it.
    Column("sending", Boolean, nullable=False, default=False),
    Column("created_at", Instant, nullable=False),
    Column("next_attempt_at", Instant, nullable=False),
    Column("deadline", Instant, nullable=False),
    Column("lease_token", String(36)),
    Column("lease_until", Instant),
    Column("last_error", Text),
    # In the order of claiming: a backlog that is due at one time must not be sorted each time.
    Index("outbox_due", "state", "next_attempt_at", "id"),
)
