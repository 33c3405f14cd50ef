"""Lets pytest run a campaign's cases side by side: each test waits for its own row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import TypeVar

import pytest

from tests.campaign.cases import Case
from tests.campaign.points import Kill
from tests.campaign.runner import Campaign, Row
from tests.campaign.verdict import Violation

One = TypeVar("One", Case, Kill)
# What a test is given: waits for the cases of a row and returns what is wrong, by case.
Judged = Callable[[Row], dict[str, list[str]]]


def by_row(cases: Iterable[One]) -> Mapping[Row, Sequence[One]]:
    """Group cases by their row of the table."""
    rows: dict[Row, list[One]] = {}
    for case in cases:
        rows.setdefault(case.row, []).append(case)
    return rows


def judged(
    campaign: Campaign, request: pytest.FixtureRequest, rows: Mapping[Row, Sequence[Case | Kill]]
) -> Judged:
    """Start the cases of every row that this run of pytest asks for, on its databases."""
    asked = request.config.getoption("--database")
    wanted: list[Row] = []
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.path == request.path:
            row = item.callspec.params.get("row") if hasattr(item, "callspec") else None
            wanted += [row] if isinstance(row, tuple) else []
    running: dict[Row, list[tuple[str, Future[list[Violation]]]]] = {
        row: [
            (case.name, campaign.submit(case))
            for case in rows[row]
            if asked in ("both", case.database)
        ]
        for row in wanted
    }

    def wait(row: Row) -> dict[str, list[str]]:
        found = {name: [str(one) for one in future.result()] for name, future in running[row]}
        return {name: violations for name, violations in found.items() if violations}

    return wait
