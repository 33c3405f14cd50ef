"""Indexes for the purge, which would read whole tables without them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes."""
    leased = sa.text("lease_until IS NOT NULL")
    op.create_index(
        "sessions_leased",
        "sessions",
        ["lease_until"],
        sqlite_where=leased,
        postgresql_where=leased,
    )
    op.create_index("orders_by_status", "orders", ["status", "created_at"])
    op.drop_index("ix_orders_status")
