"""The grid of faults: which fault, at which endpoint and moment of the call, for how long. Pure.

The emulator causes a fault (``/_emulator/faults``), or the gate before it does. ``LEFT_OUT`` has
the moments that make no sense for a fault, each with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any, Literal

Moment = Literal["before", "middle", "after"]
Lasts = Literal["once", "lifted", "forever", "redriven"]
Repeat = Literal["ok", "error"]
Database = Literal["sqlite", "postgresql"]

ENDPOINTS = ("any", "reserve", "confirm", "release", "cancel")
# Rokt as a whole, from the first call on or from the moment that the shopper pays.
ROKT, ROKT_AT_PAY = "rokt", "rokt at pay"
MOMENTS: tuple[Moment, ...] = ("before", "middle", "after")
REPEATS: tuple[Repeat, ...] = ("ok", "error")
DATABASES: tuple[Database, ...] = ("sqlite", "postgresql")

# SLOW is within every time limit of ``lane.SHORT``. HANG is far beyond each limit with its slack.
SLOW, HANG = 0.1, 60.0
SLOW_BYTE = 0.0002
# The wait for each byte is within the time limits, the wait for the whole response is not.
DRIP = 0.15

# Faults of the gate. The emulator cannot refuse a connection, nor end one within a response.
SHUT = {"gate": "shut"}
HOLE = {"gate": "hole"}
CUT = {"gate": "cut"}
# The emulator sends its response, and the gate resets the connection in its body.
CUT_BODY = {"gate": "cut body"}
REFUSED = {"kind": "status", "status": 422}

FAULTS: Mapping[str, Mapping[Moment, Mapping[str, Any]]] = {
    "refused": {"before": SHUT},
    "black hole": {"before": HOLE},
    "reset": {
        "before": {"kind": "reset"},
        "middle": CUT,
        "after": {"kind": "reset", "when": "after"},
    },
    "slow": {
        "before": {"kind": "delay", "seconds": SLOW},
        "middle": {"kind": "drip", "secondsPerByte": SLOW_BYTE},
        "after": {"kind": "delay", "seconds": SLOW, "when": "after"},
    },
    "hang": {
        "before": {"kind": "hang", "seconds": HANG},
        "middle": {"kind": "drip", "secondsPerByte": DRIP},
        "after": {"kind": "hang", "seconds": HANG, "when": "after"},
    },
    "truncated": {"middle": {"kind": "truncate"}},
    "malformed": {
        "before": {"kind": "malformed", "when": "before"},
        "after": {"kind": "malformed"},
    },
    "wrong types": {
        "before": {"kind": "wrong_types", "when": "before"},
        "after": {"kind": "wrong_types"},
    },
    "HTML": {"before": {"kind": "html", "when": "before"}, "after": {"kind": "html"}},
    "429": {
        "before": {"kind": "status", "status": 429},
        "middle": {"kind": "status", "status": 429, **CUT_BODY},
    },
    "429 Retry-After": {
        "before": {"kind": "status", "status": 429, "retryAfter": 2},
        "middle": {"kind": "status", "status": 429, "retryAfter": 2, **CUT_BODY},
    },
    "500": {
        "before": {"kind": "status", "status": 500},
        "middle": {"kind": "status", "status": 500, "when": "after", **CUT_BODY},
        "after": {"kind": "status", "status": 500, "when": "after"},
    },
    "503": {
        "before": {"kind": "status", "status": 503, "retryAfter": 2, "html": True},
        "middle": {"kind": "status", "status": 503, "when": "after", **CUT_BODY},
        "after": {"kind": "status", "status": 503, "when": "after"},
    },
    "422": {"before": REFUSED, "middle": {**REFUSED, **CUT_BODY}},
    "401": {
        "before": {"kind": "status", "status": 401},
        "middle": {"kind": "status", "status": 401, **CUT_BODY},
    },
}
# The response to a cancel has no body to be slow or to hang in, so the gate stalls in its head.
FAULTS_AT: Mapping[tuple[str, str, Moment], Mapping[str, Any]] = {
    ("cancel", "slow", "middle"): {"gate": "stall", "seconds": SLOW},
    ("cancel", "hang", "middle"): {"gate": "stall", "seconds": HANG},
}

_LIE = "Rokt would have acted and said surely not, which nobody could find out"
_CUT = "what cannot be read is no other thing when it is cut: see truncated"
_NEVER = "a call that never arrived has no effect"
LEFT_OUT: Mapping[tuple[str, Moment], str] = {
    ("refused", "middle"): "there is no answer where there is no connection",
    ("refused", "after"): _NEVER,
    ("black hole", "middle"): "there is no answer where there is no connection",
    ("black hole", "after"): _NEVER,
    ("truncated", "before"): "a cut answer is the middle of an answer",
    ("truncated", "after"): "a cut answer is the middle of an answer",
    ("malformed", "middle"): _CUT,
    ("wrong types", "middle"): _CUT,
    ("HTML", "middle"): _CUT,
    ("429", "after"): _LIE,
    ("429 Retry-After", "after"): _LIE,
    ("422", "after"): _LIE,
    ("401", "after"): _LIE,
}

# The forms of a rejection in a reserve response: the emulator's ``rejectionForm``.
FORMS = ("absent", "no_id", "smaller", "status", "error_value", "422_named", "422_all")
PARKING, POSTER = "parking.standard", "poster.souvenir"
# Faults of an item, not of the connection to Rokt.
ITEM_FAULTS: Mapping[str, Mapping[str, Any]] = {
    **{
        f"rejected ({form})": {"kind": "reject", "catalogItemIds": [POSTER], "form": form}
        for form in FORMS
    },
    "dearer": {"kind": "price", "catalogItemId": PARKING, "unitPrice": 14},
    "cheaper": {"kind": "price", "catalogItemId": PARKING, "unitPrice": 9.5},
    "partly": {"kind": "grant_less", "catalogItemIds": [PARKING], "quantity": 1},
    "sold out": {"kind": "no_stock", "catalogItemIds": [POSTER]},
}
# A call that outlasts its lease: another worker makes it too, before its outcome is written.
OVERTAKEN: Mapping[str, Mapping[str, Any] | None] = {
    "overtaken": None,
    "overtaken, unanswered": {"kind": "reset", "when": "after"},
}


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Attributes:
        endpoint: The endpoint whose calls meet the fault, or Rokt as a whole.
        fault: The name of the fault.
        moment: When it occurs: before, during or after the response.
        lasts: "once" is one call. "lifted" ends after some attempts. "forever" does not end.
            "redriven" ends after the call was given up, which is then redriven.
        repeat: Rokt's response to a repeated confirm or cancel.
        then: A second fault, right after the first.
        accept: The shopper accepts a higher price.
        database: The database.
    """

    endpoint: str
    fault: str
    moment: Moment
    lasts: Lasts = "once"
    repeat: Repeat = "ok"
    then: tuple[str, Moment] | None = None
    accept: bool = False
    database: Database = "sqlite"

    @property
    def row(self) -> tuple[str, str]:
        """The row of the table that it is counted in."""
        return self.endpoint, self.fault

    @property
    def name(self) -> str:
        """The case in words."""
        words = [self.endpoint, self.fault, self.moment, self.lasts]
        words += [f"then {' '.join(self.then)}"] if self.then else []
        words += ["repeat refused"] if self.repeat == "error" else []
        words += ["accepted"] if self.accept else []
        words += [self.database] if self.database != "sqlite" else []
        return ", ".join(words)

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults to set in the emulator."""
        given = [{k: v for k, v in one.items() if k != "gate"} for one in self._told()]
        return [{**one, "times": self.times} for one in given if "kind" in one]

    @property
    def times(self) -> int | None:
        """How many calls meet the fault. None: all, until it is lifted."""
        return 1 if self.lasts == "once" else None

    @property
    def gate(self) -> str | None:
        """The fault of the gate, None without one: "shut", "hole", "cut", "cut body" or "stall"."""
        return next((str(one["gate"]) for one in self._told() if "gate" in one), None)

    @property
    def silence(self) -> float:
        """For how many seconds a stalling gate sends nothing."""
        return next(float(one["seconds"]) for one in self._told() if "seconds" in one)

    @property
    def waits(self) -> bool:
        """Tell whether its calls wait for a time limit to pass, which then has to be short."""
        names = {self.fault, self.then[0] if self.then else ""}
        waits = any("retryAfter" in one for one in self._told())
        return waits or bool(names & {"hang", "black hole"})

    def _told(self) -> list[Mapping[str, Any]]:
        if self.fault in OVERTAKEN:
            lost = OVERTAKEN[self.fault]
            return [lost] if lost else []
        if self.fault in ITEM_FAULTS:
            return [ITEM_FAULTS[self.fault]]
        at = FAULTS_AT.get((self.endpoint, self.fault, self.moment))
        told = [at or FAULTS[self.fault][self.moment]]
        return told + ([FAULTS[self.then[0]][self.then[1]]] if self.then else [])


def short() -> tuple[Case, ...]:
    """Return every cell of the grid, for one call and until lifted, and an outage of all of Rokt.

    Each cell has a case on SQLite and one on PostgreSQL.
    """
    one, other = DATABASES
    in_turns = cycle((one, other, other, one))
    return tuple(replace(case, database=next(in_turns)) for case in _short())


def long() -> tuple[Case, ...]:
    """Return the short form on both databases, and its combinations, in turns."""
    both = [replace(case, database=one) for one in DATABASES for case in _short()]
    in_turns = cycle(DATABASES)
    more = [replace(case, database=next(in_turns)) for case in dict.fromkeys(_combined())]
    return tuple(dict.fromkeys((*both, *more)))  # some combinations are in the short form already


def _cells(endpoint: str) -> Iterator[Case]:
    for fault, moments in FAULTS.items():
        yield from (Case(endpoint, fault, moment) for moment in moments)


def _short() -> Iterator[Case]:
    for endpoint in ENDPOINTS:
        for case in _cells(endpoint):
            # Only an attempt that took effect leads to a repeated call.
            after = case.moment != "before" and endpoint in ("confirm", "cancel")
            yield replace(case, repeat="error" if after else "ok")
            yield replace(case, lasts="lifted")
    for fault in ITEM_FAULTS:
        yield Case("reserve", fault, "before")
    yield Case("reserve", "dearer", "before", accept=True)
    for fault in OVERTAKEN:
        for endpoint in ("reserve", "confirm", "release", "cancel"):
            yield Case(endpoint, fault, "after", repeat="error")
    for endpoint in ("confirm", "cancel"):
        yield Case(endpoint, "refused", "before", "forever")
        yield Case(endpoint, "500", "after", "forever")
        yield Case(endpoint, "hang", "before", "forever")
    for fault in ("refused", "503", "401", "422"):
        yield Case("confirm", fault, "before", "redriven")
    for repeat in REPEATS:
        for endpoint in ("confirm", "cancel"):
            yield Case(endpoint, "500", "after", "redriven", repeat)
    yield Case("cancel", "refused", "before", "redriven")
    for endpoint in (ROKT, ROKT_AT_PAY):
        for fault in ("refused", "hang", "503", "401"):
            yield Case(endpoint, fault, "before", "lifted")
    yield Case(ROKT_AT_PAY, "refused", "before", "forever")


def _combined() -> Iterator[Case]:
    for endpoint in ENDPOINTS:
        for case in _cells(endpoint):
            other: Repeat = "ok" if case.moment != "before" else "error"
            yield replace(case, repeat=other)
            yield replace(case, lasts="lifted", repeat="error")
            if case.gate is None:
                for then in (("reset", "after"), ("503", "before"), ("hang", "after")):
                    yield replace(case, then=then, repeat="error")
    for case in _cells("cancel"):
        yield replace(case, lasts="forever", repeat="error")
    for case in _cells("confirm"):
        yield replace(case, lasts="forever", repeat="error")
        yield replace(case, lasts="redriven", repeat="error")
        yield replace(case, lasts="redriven")
    for fault in ITEM_FAULTS:
        yield Case("reserve", fault, "before", "lifted")
    for endpoint in (ROKT, ROKT_AT_PAY):
        for case in _cells("reserve"):
            yield replace(case, endpoint=endpoint, lasts="lifted", repeat="error")
