"""The first tables: sessions, quotes, reservations, orders, outbox.

Column types are spelled out here, not imported from ``bff.store.tables``: a migration says what
was, also after the tables changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("handle_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("cart", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("rokt_session_id", sa.String(128), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("previous_hash", sa.String(64), index=True),
        sa.Column("rotated_at", sa.BigInteger),
        sa.Column("lease_token", sa.String(36)),
        sa.Column("lease_until", sa.BigInteger),
    )
    op.create_table(
        "quotes",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("quotes_of_session", "quotes", ["session_id", "number"], unique=True)
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("cart_id", sa.String(36), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price", sa.String(40), nullable=False),
        sa.Column("total_price", sa.String(40), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("rokt_session_id", sa.String(128), nullable=False),
        sa.Column("item_reservation_id", sa.String(200)),
        sa.Column("granted_at", sa.BigInteger),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("accepted_price", sa.String(40)),
        sa.Column("reason", sa.String(40)),
        sa.Column("order_id", sa.String(128)),
        sa.Column("by_quantity", sa.Boolean, nullable=False),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
    )
    op.create_index("reservations_of_session", "reservations", ["session_id", "state"])
    op.create_index("reservations_of_order", "reservations", ["order_id"])
    # For the sweep, which looks for what is reserved and left behind.
    op.create_index("reservations_by_state", "reservations", ["state", "created_at"])
    op.create_table(
        "orders",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("session_id", sa.String(36), nullable=False, index=True),
        sa.Column("cart_id", sa.String(36), nullable=False),
        sa.Column("quote_id", sa.String(36)),
        sa.Column("rokt_session_id", sa.String(128), nullable=False),
        sa.Column("status", sa.String(20), nullable=False, index=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("refunded_at", sa.BigInteger),
        sa.Column("extra", sa.Text, nullable=False),
        sa.Column("accept_language", sa.String(64)),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("order_id", sa.String(128), index=True),
        sa.Column("path", sa.String(64), nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("subjects", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("unknown", sa.Boolean, nullable=False),
        sa.Column("sending", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger, nullable=False),
        sa.Column("deadline", sa.BigInteger, nullable=False),
        sa.Column("lease_token", sa.String(36)),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("last_error", sa.Text),
    )
    op.create_index("outbox_due", "outbox", ["state", "next_attempt_at", "id"])
