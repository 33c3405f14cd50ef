"""The error of an order as a code, beside its text: code decides by it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The texts of version 0.1.0, the last of which counts.
_CODES = (
    ("confirm_refused", "Rokt refused (%"),
    ("confirm_given_up", "given up: %"),
    ("partly_confirmed", "Rokt confirmed the order without some of its items"),
    ("reserve_pending", "the items could not be reserved again yet"),
    ("not_reserved", "an item could not be reserved again at its price"),
    ("quote_bought", "the quote was confirmed before, for another order"),
    ("item_bought", "an item of the quote was confirmed before, for another order"),
    ("cancel_failed", "cancel: %"),
    ("not_cancellable", "cancel: Rokt named no reservation that could be cancelled"),
)


def upgrade() -> None:
    """Add the column, and fill it for orders whose error is known by its text."""
    op.add_column("orders", sa.Column("error_code", sa.String(40)))
    orders = sa.table("orders", sa.column("error_code"), sa.column("last_error"))
    for code, text in _CODES:
        update = orders.update().where(orders.c.last_error.like(text)).values(error_code=code)
        op.execute(update)
