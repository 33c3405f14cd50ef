"""Where processes are killed: before and after each commit and call of each verb. Pure.

The commits and calls of a verb are not listed here. ``kills.dry_run`` finds them in the code.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from tests.campaign.cases import DATABASES, REPEATS, Database, Repeat
from tests.campaign.operations import Operation, Side

Who = Literal["server", "worker", "command"]
Verb = tuple[Who, str]
Operations = Mapping[Verb, Sequence[Operation]]
One = TypeVar("One")

CHANGED = "reserve of a changed line"
GIVEN_BACK = "confirm of what was given back"
PART = "confirm of a part"
UNKNOWN = "confirm that is unknown, to be cancelled"
SWEEP = "sweep of what was left behind"
REDRIVE = "redrive of what was refused"
# Who does what. ``kills._Play.begin`` brings the shopper up to each of them.
VERBS: tuple[Verb, ...] = (
    ("server", "reserve"),
    ("server", CHANGED),
    ("server", "confirm"),
    ("server", GIVEN_BACK),
    ("server", PART),
    ("server", "release"),
    ("server", "cancel"),
    ("worker", "confirm"),
    ("worker", GIVEN_BACK),
    ("worker", UNKNOWN),
    ("worker", "release"),
    ("worker", "cancel"),
    ("worker", SWEEP),
    ("command", REDRIVE),
)
SIDES: tuple[Side, ...] = ("before", "after")


@dataclass(frozen=True, slots=True)
class Hang:
    """A call that hangs, before or after its effect at Rokt.

    Attributes:
        call: The endpoint of the call.
        earlier: How many calls of the verb to this endpoint come before it.
        side: The side of the effect.
    """

    call: str
    earlier: int
    side: Side


@dataclass(frozen=True, slots=True)
class Kill:
    """One case.

    Attributes:
        who: The process that is killed.
        verb: What it does meanwhile.
        point: Where it is killed, as in "before commit 1" or "in call 1, before its effect".
        hang: The call that hangs while the process is killed, for a kill in a call.
        repeat: Rokt's response to a repeated confirm or cancel.
        database: The database.
    """

    who: Who
    verb: str
    point: str
    hang: Hang | None = None
    repeat: Repeat = "error"
    database: Database = "sqlite"

    @property
    def row(self) -> tuple[str, str]:
        """The row of the table that it is counted in."""
        return f"kill -9 {self.who}", self.point

    @property
    def kind(self) -> tuple[str, str]:
        """Its row, whichever call it is: the brief form has one case of each kind."""
        return self.who, re.sub(r"call \d+", "call", self.point)

    @property
    def name(self) -> str:
        """The case in words."""
        words = [self.who, self.verb, self.point]
        words += ["repeat ok"] if self.repeat == "ok" else []
        words += [self.database] if self.database != "sqlite" else []
        return ", ".join(words)


def one_of_each(some: Sequence[One], kinds: Sequence[Hashable]) -> Sequence[One]:
    """Choose one of each kind: the first variant, then another kind's second one, in turns."""
    variants: dict[Hashable, list[One]] = {}
    for kind, one in zip(kinds, some, strict=True):
        variants.setdefault(kind, []).append(one)
    return [found[n % len(found)] for n, found in enumerate(variants.values())]


def short(operations: Operations) -> tuple[Kill, ...]:
    """Return a kill at every point of every verb on SQLite, and one of each verb on PostgreSQL."""
    kills = tuple(_all(operations))
    chosen = one_of_each(kills, [(kill.who, kill.verb) for kill in kills])
    return (*kills, *(replace(kill, database="postgresql") for kill in chosen))


def long(operations: Operations) -> tuple[Kill, ...]:
    """Return all on both databases, under both responses to a repeated confirm and cancel."""
    return tuple(
        replace(kill, repeat=repeat, database=database)
        for database in DATABASES
        for repeat in REPEATS
        for kill in _all(operations)
    )


def _all(operations: Operations) -> Iterator[Kill]:
    for (who, verb), found in operations.items():
        for n, operation in enumerate(found):
            yield from (Kill(who, verb, operation.at(side)) for side in SIDES)
            if operation.kind == "call":
                earlier = [one.call for one in found[:n]].count(operation.call)
                for side in SIDES:
                    point = f"in call {operation.number}, {side} effect"
                    yield Kill(who, verb, point, Hang(operation.call, earlier, side))
