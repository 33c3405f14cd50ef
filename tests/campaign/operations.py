"""The operations of a process: its commits in the database, and its calls to Rokt.

``watched`` reports each operation twice, just before it and just after it. So a campaign can end a
process at each of them. A new transaction or call in the code is reported too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal
from unittest.mock import patch

from sqlalchemy import Connection, event

from bff.rokt.client import CartApi
from bff.rokt.outcomes import Outcome
from bff.store.database import Store

Kind = Literal["commit", "call"]
Side = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One commit or call.

    Attributes:
        kind: Which of the two.
        number: Counts the operations of this kind from 1.
        call: The endpoint of a call, "" for a commit.
    """

    kind: Kind
    number: int
    call: str = ""

    def at(self, side: Side) -> str:
        """Name the point on one side of it, as in "before commit 1"."""
        return f"{side} {self.kind} {self.number}"


Reach = Callable[[Side, Operation], object]


@contextmanager
def watched(reach: Reach) -> Iterator[None]:
    """Report every operation of this process to ``reach`` until the block ends.

    What ``reach`` raises before a commit rolls the transaction back. A transaction that changes no
    row, or that fails, is not reported.
    """
    commits, calls = count(1), count(1)
    write, send = Store.write, CartApi.send

    @contextmanager
    def watched_write(self: Store, **given: Any) -> Iterator[Connection]:
        operation = None
        with write(self, **given) as connection:
            changes = _changes(connection)
            yield connection
            if changes:
                operation = Operation("commit", next(commits))
                reach("before", operation)
        if operation is not None:
            reach("after", operation)

    def watched_send(self: CartApi, call: Any, **given: Any) -> Outcome:
        operation = Operation("call", next(calls), call.kind.name.lower())
        reach("before", operation)
        outcome = send(self, call, **given)
        reach("after", operation)
        return outcome

    with patch.object(Store, "write", watched_write), patch.object(CartApi, "send", watched_send):
        yield


def _changes(connection: Connection) -> list[str]:
    """Return a list to which every statement is added that changes rows on this connection."""
    found: list[str] = []

    @event.listens_for(connection, "after_cursor_execute")
    def note(_: object, cursor: Any, statement: str, *rest: Any) -> None:
        context = rest[1]
        is_change = context.isinsert or context.isupdate or context.isdelete
        # SQLite counts the rows that a statement returns only when they were fetched.
        if is_change and (cursor.rowcount != 0 or cursor.description):
            found.append(statement)

    return found
