"""``placements/any``: the request, and the meaning of its outcome. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bff.rokt.json_values import member
from bff.rokt.outcomes import Cause, Done, Outcome, Refused


@dataclass(frozen=True, slots=True)
class PlacementsRequest:
    """The page and the shopper that ``placements/any`` is asked about."""

    page_identifier: str
    url: str = field(repr=False)
    attributes: Mapping[str, str] = field(repr=False)
    accept_language: str | None = field(default=None, repr=False)


class PlacementsReason(StrEnum):
    """Why the upsell page is shown (``PLACEMENTS``) or skipped (every other value)."""

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
    """Whether to show the upsell page. It counts as true in a condition if so.

    Attributes:
        result: Whether Rokt has anything to show.
        reason: Why.
    """

    result: bool
    reason: PlacementsReason

    def __bool__(self) -> bool:
        return self.result


def read_placements(outcome: Outcome) -> Placements:
    """Read the outcome of ``placements/any``; anything but a clear yes skips the page."""
    if isinstance(outcome, Done):
        result = member(outcome.body, "result")
        if not isinstance(result, bool):
            return Placements(False, PlacementsReason.UNREADABLE)
        reason = PlacementsReason.PLACEMENTS if result else PlacementsReason.NO_PLACEMENTS
        return Placements(result, reason)
    if isinstance(outcome, Refused):
        return Placements(False, PlacementsReason.REFUSED)
    return Placements(False, _REASONS.get(outcome.cause, PlacementsReason.UNREACHABLE))
