"""``kill -9`` before and after every commit and call: nothing that was paid for gets lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

import pytest

from tests.campaign import points
from tests.campaign.cases import DATABASES, PARKING, POSTER, REPEATS
from tests.campaign.collected import Judged, asked, judged
from tests.campaign.operations import Operation, Side, watched
from tests.campaign.points import SIDES, VERBS, Hang, Kill, Operations, Verb
from tests.campaign.runner import Campaign
from tests.support.shop import Shop, Shopper, ok

# Processes that start compute, so few at a time.
LANES = 3
# The calls to Rokt that each verb makes; that a dry run finds them shows that it looks.
CALLS: Mapping[Verb, Sequence[str]] = {
    ("server", "reserve"): ["reserve"],
    ("server", points.CHANGED): ["release", "reserve"],
    ("server", "confirm"): ["confirm"],
    ("server", points.GIVEN_BACK): ["reserve", "confirm"],
    ("server", points.PART): ["confirm", "release"],
    ("server", "release"): ["release"],
    ("server", "cancel"): ["cancel", "cancel"],
    ("worker", "confirm"): ["confirm"],
    ("worker", points.GIVEN_BACK): ["reserve", "confirm"],
    ("worker", points.UNKNOWN): ["confirm", "cancel"],
    ("worker", "release"): ["release"],
    ("worker", "cancel"): ["cancel"],
    ("worker", points.SWEEP): ["release"],
    ("command", points.REDRIVE): [],
}


class Outcome:
    """The dry runs and the kills of the verbs that this run of pytest asks for."""

    def __init__(self, campaign: Campaign, request: pytest.FixtureRequest) -> None:
        self.operations: Operations = campaign.dry_runs(asked(request, "verb"))
        self.kills: dict[tuple[str, str], list[Kill]] = {verb: [] for verb in self.operations}
        for kill in points.short(self.operations):
            self.kills[kill.who, kill.verb].append(kill)
        self.judged: Judged = judged(campaign, request, self.kills)


@pytest.fixture(scope="module")
def outcome(request: pytest.FixtureRequest) -> Iterator[Outcome]:
    with Campaign(LANES) as campaign:
        yield Outcome(campaign, request)


@pytest.mark.campaign
@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_the_invariants_hold_after_a_kill_at_each_commit_and_call(
    outcome: Outcome, verb: Verb
) -> None:
    """A case fails too when its process was not killed at its point."""
    found = outcome.operations[verb]
    assert [one.call for one in found if one.kind == "call"] == CALLS[verb]
    # Each call has a commit before it, which owes the call, and one after it with its outcome.
    assert [found[0].kind, found[-1].kind] == ["commit", "commit"]
    points_killed_at = {kill.point for kill in outcome.kills[verb] if kill.database == "sqlite"}
    assert points_killed_at >= {one.at(side) for one in found for side in SIDES}
    assert outcome.judged(verb) == {}


@pytest.mark.campaign
@pytest.mark.parametrize(
    "kill",
    [
        Kill("server", "reserve", "after commit 99"),
        Kill("worker", "confirm", "before commit 99"),
        Kill("command", points.REDRIVE, "before call 1"),
    ],
    ids=lambda kill: kill.name,
)
def test_a_case_fails_whose_process_is_not_killed(kill: Kill) -> None:
    with Campaign(1) as campaign:
        found = campaign.submit(kill).result()
    assert [one.invariant for one in found] == ["the_fault_was_met"]


def test_every_commit_and_call_is_reported_on_both_sides(shop: Shop, shopper: Shopper) -> None:
    reported: list[str] = []
    shopper.add(PARKING)
    with watched(lambda side, one: reported.append(f"{one.at(side)} {one.call}".strip())):
        shopper.reserve()
        assert reported == [
            "before commit 1", "after commit 1",
            "before call 1 reserve", "after call 1 reserve",
            "before commit 2", "after commit 2",
        ]  # fmt: skip
        shopper.reserve()  # which changes nothing
        ok(shopper.post("/cart/release"))
    assert reported[6:] == [
        "before commit 3", "after commit 3",
        "before call 2 release", "after call 2 release",
        "before commit 4", "after commit 4",
    ]  # fmt: skip
    reported.clear()
    shopper.reserve()
    assert reported == []


class Ended(BaseException):
    """The process has ended."""


@pytest.mark.parametrize("side", SIDES)
def test_a_process_that_ends_before_a_commit_has_written_nothing(
    shop: Shop, shopper: Shopper, side: Side
) -> None:
    def end(at: Side, _: Operation) -> None:
        if at == side:
            raise Ended

    shopper.add(POSTER)
    with watched(end), pytest.raises(Ended):
        shopper.add(PARKING)
    assert len(shopper.cart()["items"]) == (2 if side == "after" else 1)


# What a dry run finds, for the tests of the list.
SOME: Operations = {
    ("server", "cancel"): [
        Operation("commit", 1),
        Operation("call", 1, "cancel"),
        Operation("commit", 2),
        Operation("call", 2, "cancel"),
    ],
    ("command", points.REDRIVE): [Operation("commit", 1)],
}


def test_there_is_a_kill_on_both_sides_of_each_commit_and_call_and_in_each_call() -> None:
    killed = [(kill.point, kill.hang) for kill in points.short(SOME) if kill.who == "server"]
    assert killed[:-1] == [
        ("before commit 1", None),
        ("after commit 1", None),
        ("before call 1", None),
        ("after call 1", None),
        ("in call 1, before effect", Hang("cancel", 0, "before")),
        ("in call 1, after effect", Hang("cancel", 0, "after")),
        ("before commit 2", None),
        ("after commit 2", None),
        ("before call 2", None),
        ("after call 2", None),
        ("in call 2, before effect", Hang("cancel", 1, "before")),
        ("in call 2, after effect", Hang("cancel", 1, "after")),
    ]


def test_all_are_killed_on_sqlite_and_one_of_each_verb_on_postgresql() -> None:
    on = {one: [kill for kill in points.short(SOME) if kill.database == one] for one in DATABASES}
    assert [(kill.who, kill.verb) for kill in on["postgresql"]] == list(SOME)
    assert {replace(kill, database="sqlite") for kill in on["postgresql"]} < {*on["sqlite"]}
    everything = points.long(SOME)
    assert {*points.short(SOME)} < {*everything}
    assert len(everything) == 4 * len(on["sqlite"])
    assert {(kill.repeat, kill.database) for kill in everything} == {*product(REPEATS, DATABASES)}


def test_each_kill_has_a_name_of_its_own() -> None:
    for chosen in (points.short(SOME), points.long(SOME)):
        names = [one.name for one in chosen]
        assert len(set(names)) == len(names)
