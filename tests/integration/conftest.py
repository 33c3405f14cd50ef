"""Fixtures that tests of several packages share."""

from __future__ import annotations

from pathlib import Path

import pytest

from bff.store import schema
from tests.support.migrations import History


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """Migrations in a folder of the test's own, which the package reads instead of its own."""
    made = History(tmp_path / "migrations")
    monkeypatch.setattr(schema, "__file__", str(tmp_path / "schema.py"))
    return made


@pytest.fixture
def older(history: History) -> None:
    """Let a version 0000 exist before the first."""
    history.put_before()
