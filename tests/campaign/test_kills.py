"""``kill -9`` at every named point and within every call: nothing that was paid for gets lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bff.faultpoints import POINTS
from tests import TOP
from tests.campaign import points
from tests.campaign.cases import DATABASES
from tests.campaign.collected import Judged, by_row, judged
from tests.campaign.runner import Campaign, Row

# Processes that start compute, so few at a time.
LANES = 3
ROWS = by_row(points.short())


@pytest.fixture(scope="module")
def outcome(request: pytest.FixtureRequest) -> Iterator[Judged]:
    with Campaign(LANES) as campaign:
        yield judged(campaign, request, ROWS)


@pytest.mark.campaign
@pytest.mark.parametrize("row", ROWS, ids=" at ".join)
def test_the_invariants_hold_after_a_kill(outcome: Judged, row: Row) -> None:
    """Each case fails too where its process was not really killed by its point."""
    assert outcome(row) == {}


def test_the_points_are_those_of_the_code_and_each_is_in_the_campaign() -> None:
    reached: list[str] = []
    for path in (TOP / "bff").rglob("*.py"):
        reached += re.findall(r'\breach\("([^"]+)"\)', path.read_text())
    assert len(reached) == len(set(reached)), "a point has one place"
    assert set(reached) == set(POINTS)
    assert {kill.point for kill in points.short()} - {"hangs before", "hangs after"} == set(POINTS)


def test_both_a_server_and_a_worker_are_killed_in_every_verb() -> None:
    played = {(kill.who, kill.verb.split()[0]) for kill in points.short()}
    verbs = ("reserve", "confirm", "release", "cancel")
    assert {("server", verb) for verb in verbs} <= played
    # A worker does not reserve for a shopper, but it does for a paid order.
    assert {("worker", verb) for verb in verbs[1:]} <= played
    assert ("worker", points.GIVEN_BACK.split()[0]) in played
    by_worker = {kill.verb for kill in points.short() if kill.who == "worker" and kill.hangs}
    assert {points.GIVEN_BACK, points.UNKNOWN} < by_worker
    assert {kill.verb for kill in points.short() if kill.who == "command"} == {points.REDRIVE}


def test_all_are_killed_on_sqlite_and_one_of_each_family_on_postgresql() -> None:
    on = {
        database: [kill for kill in points.short() if kill.database == database]
        for database in DATABASES
    }
    families = [kill.family for kill in on["postgresql"]]
    assert len(families) == len(set(families))
    assert set(families) == {kill.family for kill in on["sqlite"]}
    assert len({replace(kill, database="sqlite") for kill in points.long()}) == 2 * len(
        on["sqlite"]
    )
