"""``placements/any``: what Rokt is asked of a page, and how its answer is read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bff.cart_api import BUSY
from bff.outcomes import Done, NotSent, Outcome, Refused
from bff.shapes import Placements


@dataclass(frozen=True, slots=True)
class PageQuestion:
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
            return Placements(False, "unreadable")
        return Placements(result, "placements" if result else "no_placements")
    if isinstance(outcome, Refused):
        return Placements(False, "refused")
    if isinstance(outcome, NotSent):
        return Placements(False, "busy" if outcome.detail == BUSY else "unreachable")
    return Placements(False, "timeout" if "time limit" in outcome.detail else "unreachable")
