"""Where processes are killed: every named point of every verb, and every call that hangs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bff.faultpoints import POINTS

Who = Literal["server", "worker"]

GIVEN_BACK = "confirm of what was given back"
UNKNOWN = "confirm that is unknown, to be cancelled"
# Verbs, as they begin: what the shopper has by then is in ``kills._Play.begin``.
IN_LINE: Mapping[str, tuple[str, ...]] = {
    "reserve": ("reserve.started", "reserve.answered", "reserve.settled"),
    "reserve of a changed line": (
        "reserve.started",
        "release.owed",
        "delivery.answered",
        "delivery.settled",
        "reserve.answered",
    ),
    "confirm": ("confirm.recorded", "delivery.answered", "delivery.settled"),
    GIVEN_BACK: (
        "confirm.recorded",
        "confirm.renewed",
        "delivery.answered",
        "delivery.settled",
    ),
    "confirm of a part": ("release.owed",),
    "release": ("release.owed", "delivery.answered", "delivery.settled"),
    "cancel": ("cancel.owed", "delivery.answered", "delivery.settled"),
}
OWED = ("delivery.claimed", "delivery.answered", "delivery.settled")
BY_WORKER: Mapping[str, tuple[str, ...]] = {
    "confirm": OWED,
    GIVEN_BACK: ("delivery.claimed", "confirm.renewed", "delivery.answered"),
    UNKNOWN: OWED,
    "release": OWED,
    "cancel": OWED,
}
# The call of a verb that hangs while its process is killed.
CALLS: Mapping[str, str] = {
    "reserve": "reserve",
    "confirm": "confirm",
    GIVEN_BACK: "reserve",
    "release": "release",
    "cancel": "cancel",
}


@dataclass(frozen=True, slots=True)
class Kill:
    """One case. ``point``: one of ``POINTS``, or "hangs before" or "hangs after" the effect."""

    who: Who
    verb: str
    point: str
    repeat: Literal["ok", "error"] = "error"

    @property
    def row(self) -> tuple[str, str]:
        """The row of the table that it is counted in."""
        return f"kill -9 {self.who}", self.point

    @property
    def name(self) -> str:
        """The case in words."""
        again = "" if self.repeat == "error" else ", repeat ok"
        return f"{self.who}, {self.verb}, {self.point}{again}"

    @property
    def hangs(self) -> Literal["before", "after"] | None:
        """At which side of the effect the call hangs, if that is how the process is killed."""
        if self.point in POINTS:
            return None
        return "before" if self.point == "hangs before" else "after"


def short() -> tuple[Kill, ...]:
    """Return every point of every verb, and every call hanging on both sides of its effect."""
    return tuple(_short())


def long() -> tuple[Kill, ...]:
    """Return the same under both answers to a repeated confirm and cancel."""
    return tuple(_short()) + tuple(replace(kill, repeat="ok") for kill in _short())


def _short() -> Iterator[Kill]:
    for verb, points in IN_LINE.items():
        yield from (Kill("server", verb, point) for point in points)
    for verb, points in BY_WORKER.items():
        yield from (Kill("worker", verb, point) for point in points)
    for verb in CALLS:
        yield from (Kill("server", verb, f"hangs {when}") for when in ("before", "after"))
        if verb in BY_WORKER:
            yield from (Kill("worker", verb, f"hangs {when}") for when in ("before", "after"))
