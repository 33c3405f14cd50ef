"""Counts the transactions and statements of a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event

from bff.store.database import Store

# What belongs to a transaction's start, not to its work.
_START = ("BEGIN", "PRAGMA", "SET LOCAL")
# PostgreSQL's clock, for leases: SQLite needs no query for it.
_CLOCK = "SELECT clock_timestamp()"


@dataclass
class Counted:
    """How many transactions ran, and the statements in them."""

    transactions: int = 0
    statements: list[str] = field(default_factory=list)

    @property
    def numbers(self) -> tuple[int, int]:
        return self.transactions, len(self.statements)


@contextmanager
def counted(store: Store) -> Iterator[Counted]:
    """Count within the block. Statements that look at the database's clock are left out."""
    count = Counted()

    def begun(_connection: Any) -> None:
        count.transactions += 1

    def executed(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith((*_START, _CLOCK)):
            count.statements.append(" ".join(statement.split()))

    event.listen(store.engine, "begin", begun)
    event.listen(store.engine, "before_cursor_execute", executed)
    try:
        yield count
    finally:
        event.remove(store.engine, "begin", begun)
        event.remove(store.engine, "before_cursor_execute", executed)
