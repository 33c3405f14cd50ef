"""Only a clear yes shows the upsell page; every other outcome has its reason to skip it."""

from __future__ import annotations

import pytest

from bff.rokt.outcomes import Cause, Done, NotSent, Outcome, Refused, Unknown
from bff.rokt.placements import PlacementsReason, read_placements


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Done(200, {"result": True}), PlacementsReason.PLACEMENTS),
        (Done(200, {"result": False}), PlacementsReason.NO_PLACEMENTS),
        (Done(200), PlacementsReason.UNREADABLE),
        (Done(200, {"result": "true"}), PlacementsReason.UNREADABLE),
        (Done(200, [True]), PlacementsReason.UNREADABLE),
        (Refused(400, "x"), PlacementsReason.REFUSED),
        (NotSent(Cause.BUSY, "x"), PlacementsReason.BUSY),
        (Unknown(Cause.TIMEOUT, "x"), PlacementsReason.TIMEOUT),
    ],
)
def test_an_outcome_has_its_reason(outcome: Outcome, reason: PlacementsReason) -> None:
    placements = read_placements(outcome)
    assert placements.reason is reason
    assert bool(placements) is placements.result is (reason is PlacementsReason.PLACEMENTS)


@pytest.mark.parametrize("cause", sorted({*Cause} - {Cause.BUSY, Cause.TIMEOUT}))
def test_any_other_cause_is_unreachable(cause: Cause) -> None:
    for outcome in (NotSent(cause, "busy"), Unknown(cause, "time limit reached")):
        assert read_placements(outcome).reason is PlacementsReason.UNREACHABLE, "by no text"
