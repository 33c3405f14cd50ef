"""Migrations of tests beside those of the package, for databases of other versions."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from bff.store import schema
from bff.store.database import Store
from bff.store.schema import head

FIRST = '''
"""A version before the first."""
revision = "0000"
down_revision = None
branch_labels = None
depends_on = None

def upgrade():
    pass
'''
NEXT = '''
"""The next version."""
import sqlalchemy as sa
from alembic import op
revision = "0098"
down_revision = "{head}"
branch_labels = None
depends_on = None

def upgrade():
    op.create_table("new_things", sa.Column("id", sa.Integer))
'''


def run(store: Store, *statements: str) -> None:
    """Execute statements in one transaction."""
    with store.write() as connection:
        for statement in statements:
            connection.execute(text(statement))


class History:
    """Migrations of the package's, and more of a test's, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.versions = folder / "versions"
        original = Path(schema.__file__).parent / "migrations"
        for path in original.rglob("*.py*"):
            if "__pycache__" not in path.parts:
                copy = folder / path.relative_to(original)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(path.read_text())

    def add(self, name: str, source: str) -> None:
        (self.versions / name).write_text(source.replace("{head}", head()))
        schema._scripts.cache_clear()

    def put_before(self) -> None:
        """Let there be a version before the first."""
        self.add("0000_before.py", FIRST)
        first = next(self.versions.glob("0001_*.py"))
        text = first.read_text()
        assert "down_revision = None" in text
        first.write_text(text.replace("down_revision = None", 'down_revision = "0000"'))
        schema._scripts.cache_clear()
