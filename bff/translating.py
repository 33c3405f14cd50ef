"""What a database's driver raises, in words of ours that carry no statement's parameters."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bff.errors import InvalidInput, SchemaMismatch, StoreUnavailable
from bff.schema import CURE

# PostgreSQL: no such table, no such column.
_MISSING = frozenset({"42P01", "42703"})
# SQLite has one code for all of it.
_MISSING_WORDS = ("no such table", "no such column", "has no column")
# PostgreSQL: no permission. The database is not ready for us.
_UNUSABLE = frozenset({"42501"})


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the driver raises into ``StoreUnavailable``, or ``InvalidInput`` of a text.

    Without its own text, which may carry a statement's parameters.
    """
    try:
        yield
    except UnicodeEncodeError:  # which has the whole text with it
        raise InvalidInput("An id has half a character, which no database keeps.") from None
    except (IntegrityError, ProgrammingError, DataError) as error:
        _refuse_missing(error)
        if getattr(error.orig, "sqlstate", None) in _UNUSABLE:
            reason = type(error.orig).__name__
            raise StoreUnavailable(f"The database cannot be used ({reason}).") from None
        # Ours, not the database's. The engine keeps the parameters out of the text, but
        # PostgreSQL's own words name the values of a key that is there already.
        reason = type(error.orig).__name__
        raise type(error)(error.statement, None, _Said(reason)) from None
    except (DBAPIError, PoolTimeout) as error:
        _refuse_missing(error)
        reason = type(getattr(error, "orig", None) or error).__name__
        raise StoreUnavailable(f"The database cannot be used right now ({reason}).") from None


def _refuse_missing(error: DBAPIError | PoolTimeout) -> None:
    """Raise ``SchemaMismatch`` where a table or a column is not there."""
    cause = getattr(error, "orig", None)
    words = str(cause) if isinstance(cause, sqlite3.OperationalError) else ""
    missing = getattr(cause, "sqlstate", None) in _MISSING
    if missing or any(text in words for text in _MISSING_WORDS):
        raise SchemaMismatch(f"The database lacks the tables of this rokt-bff. {CURE}") from None


class _Said(Exception):
    """Stands for the driver's error: its name without its words."""
