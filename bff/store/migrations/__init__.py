"""The database's history, as Alembic migrations; applied by ``flask rokt init-db``."""
