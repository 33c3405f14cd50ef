"""``placements/any``: what Rokt is asked of a page, and how its answer is read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bff.rokt.outcomes import Cause, Done, Outcome, Refused


@dataclass(frozen=True, slots=True)
class PlacementsRequest:
    """What is told to ``placements/any`` about the page and the shopper."""

    page_identifier: str
    url: str = field(repr=False)
    attributes: Mapping[str, str] = field(repr=False)
    accept_language: str | None = field(default=None, repr=False)


def read_placements(outcome: Outcome) -> Placements:
    """Read the answer to ``placements/any``; anything but a clear yes means "skip"."""
    if isinstance(outcome, Done):
        answer = outcome.answer
        result = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(result, bool):
            return Placements(False, PlacementsReason.UNREADABLE)
        return Placements(
            result, PlacementsReason.PLACEMENTS if result else PlacementsReason.NO_PLACEMENTS
        )
    if isinstance(outcome, Refused):
        return Placements(False, PlacementsReason.REFUSED)
    return Placements(False, _REASONS.get(outcome.cause, PlacementsReason.UNREACHABLE))


class PlacementsReason(StrEnum):
    """What ``placements/any`` said, or why Rokt did not say: all but the first mean "skip"."""

    PLACEMENTS = "placements"
    NO_PLACEMENTS = "no_placements"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BUSY = "busy"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


_REASONS = {Cause.BUSY: PlacementsReason.BUSY, Cause.TIMEOUT: PlacementsReason.TIMEOUT}


@dataclass(frozen=True, slots=True)
class Placements:
    """Whether to show the upsell page; true in a condition when so."""

    result: bool
    reason: PlacementsReason

    def __bool__(self) -> bool:
        return self.result
