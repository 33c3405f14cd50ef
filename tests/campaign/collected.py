"""Lets pytest run the campaign's cases side by side. Each test waits for its own row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import pytest

from tests.campaign.cases import Case
from tests.campaign.points import Kill
from tests.campaign.runner import Campaign, Row
from tests.campaign.verdict import Violation

One = TypeVar("One", Case, Kill)
# Waits for the cases of a row, and returns their violations by case.
Judged = Callable[[Row], dict[str, list[str]]]


def by_row(cases: Iterable[One]) -> Mapping[Row, Sequence[One]]:
    """Group cases by their row of the table."""
    rows: dict[Row, list[One]] = {}
    for case in cases:
        rows.setdefault(case.row, []).append(case)
    return rows


def asked(request: pytest.FixtureRequest, name: str) -> list[Any]:
    """Return the values of a parameter in the selected tests of this module."""
    here = [item for item in request.session.items if item.path == request.path]
    found = [item.callspec.params.get(name) for item in here if hasattr(item, "callspec")]
    return [one for one in found if one is not None]


def judged(
    campaign: Campaign, request: pytest.FixtureRequest, rows: Mapping[Row, Sequence[Case | Kill]]
) -> Judged:
    """Start the cases of these rows, on the selected databases."""
    database = request.config.getoption("--database")
    running: dict[Row, list[tuple[str, Future[list[Violation]]]]] = {
        row: [
            (case.name, campaign.submit(case))
            for case in some
            if database in (None, "both", case.database)
        ]
        for row, some in rows.items()
    }

    def wait(row: Row) -> dict[str, list[str]]:
        found = {name: [str(one) for one in future.result()] for name, future in running[row]}
        return {name: violations for name, violations in found.items() if violations}

    return wait
