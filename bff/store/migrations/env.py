"""Alembic's entry: runs the migrations on the connection that ``bff.store.schema`` passes on."""

from alembic import context

from bff.store.schema import VERSION_TABLE
from bff.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # The caller's transaction holds all of it: a migration that fails leaves nothing behind.
    transaction_per_migration=False,
)
context.run_migrations()
