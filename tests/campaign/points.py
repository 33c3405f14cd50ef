"""Where processes are killed: every named point of every verb, and every call that hangs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bff.faultpoints import POINTS
from tests.campaign.cases import DATABASES, REPEATS, Database, Repeat

Who = Literal["server", "worker", "command"]

GIVEN_BACK = "confirm of what was given back"
UNKNOWN = "confirm that is unknown, to be cancelled"
SWEEP = "sweep of what was left behind"
REDRIVE = "redrive of what was refused"
# In an answer's writing down, which all calls share.
WRITTEN = ("delivery.answered", "delivery.settling", "delivery.settled")
OWED = ("delivery.claimed", *WRITTEN)
RENEWED = ("renew.held_back", "renew.answered", "renew.replacing", "renew.replaced")
# Verbs, as they begin: what the shopper has by then is in ``kills._Play.begin``.
POINTS_OF: Mapping[Who, Mapping[str, tuple[str, ...]]] = {
    "server": {
        "reserve": (
            "reserve.starting",
            "reserve.started",
            "reserve.answered",
            "reserve.settling",
            "reserve.settled",
        ),
        "reserve of a changed line": (
            "release.owing",
            "release.owed",
            "delivery.answered",
            "delivery.settled",
            "reserve.answered",
        ),
        "confirm": ("confirm.recording", "confirm.recorded", *WRITTEN),
        GIVEN_BACK: ("confirm.recorded", *RENEWED, "delivery.answered", "delivery.settled"),
        "confirm of a part": ("release.owing", "release.owed"),
        "release": ("release.owing", "release.owed", *WRITTEN),
        "cancel": ("cancel.owing", "cancel.owed", *WRITTEN),
    },
    "worker": {
        "confirm": OWED,
        GIVEN_BACK: ("delivery.claimed", *RENEWED, "delivery.answered"),
        UNKNOWN: OWED,
        "release": OWED,
        "cancel": OWED,
        SWEEP: ("sweep.owing", "sweep.owed", "delivery.claimed"),
    },
    "command": {REDRIVE: ("redrive.owing", "redrive.owed")},
}
# The call of a verb that hangs while its process is killed.
CALLS: Mapping[str, str] = {
    "reserve": "reserve",
    "confirm": "confirm",
    GIVEN_BACK: "reserve",
    UNKNOWN: "confirm",
    "release": "release",
    "cancel": "cancel",
}
HANGS = ("hangs before", "hangs after")


@dataclass(frozen=True, slots=True)
class Kill:
    """One case. ``point``: one of ``POINTS``, or "hangs before" or "hangs after" the effect."""

    who: Who
    verb: str
    point: str
    repeat: Repeat = "error"
    database: Database = "sqlite"

    @property
    def row(self) -> tuple[str, str]:
        """The row of the table that it is counted in."""
        return f"kill -9 {self.who}", self.point

    @property
    def name(self) -> str:
        """The case in words."""
        words = [self.who, self.verb, self.point]
        words += ["repeat ok"] if self.repeat == "ok" else []
        words += [self.database] if self.database != "sqlite" else []
        return ", ".join(words)

    @property
    def family(self) -> tuple[str, str]:
        """Whom it kills, and in what: the word before the point's dot."""
        return self.who, self.point.split(".")[0].split()[0]

    @property
    def hangs(self) -> Literal["before", "after"] | None:
        """At which side of the effect the call hangs, if that is how the process is killed."""
        if self.point in POINTS:
            return None
        return "before" if self.point == "hangs before" else "after"


def short() -> tuple[Kill, ...]:
    """Return every point of every verb and every call hanging on both sides of its effect.

    All of them on SQLite; of each family one on PostgreSQL.
    """
    one_of_each = {kill.family: kill for kill in reversed(tuple(_all()))}
    return (*_all(), *(replace(kill, database="postgresql") for kill in one_of_each.values()))


def long() -> tuple[Kill, ...]:
    """Return all on both databases, under both answers to a repeated confirm and cancel."""
    return tuple(
        replace(kill, repeat=repeat, database=database)
        for database in DATABASES
        for repeat in REPEATS
        for kill in _all()
    )


def _all() -> Iterator[Kill]:
    for who, verbs in POINTS_OF.items():
        for verb, points in verbs.items():
            hangs = HANGS if verb in CALLS else ()
            yield from (Kill(who, verb, point) for point in (*points, *hangs))
