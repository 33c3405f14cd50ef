"""The grid: which fault, at which endpoint, at which moment of the call, for how long. Pure.

A fault is what the emulator is told (``/_emulator/faults``), or what the gate before it does. A
moment that makes no sense for a fault is in ``LEFT_OUT`` with its reason, and so is a fault that
makes no sense at an endpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Moment = Literal["before", "middle", "after"]
Lasts = Literal["once", "lifted", "forever", "redriven"]
Repeat = Literal["ok", "error"]

ENDPOINTS = ("any", "reserve", "confirm", "release", "cancel")
# Rokt as a whole, from the first call on or from the moment that the shopper pays.
ROKT, ROKT_AT_PAY = "rokt", "rokt at pay"
MOMENTS: tuple[Moment, ...] = ("before", "middle", "after")
REPEATS: tuple[Repeat, ...] = ("ok", "error")

# Slower than usual, within every time limit of ``lane.SHORT``; and far beyond each of them.
SLOW, HANG = 0.1, 60.0
SLOW_BYTE = 0.0002
# No wait for the next byte reaches a limit, the whole answer never comes within one.
DRIP = 0.15

# What the gate does: the emulator cannot refuse a connection, nor end one within an answer.
SHUT = {"gate": "shut"}
CUT = {"gate": "cut"}

FAULTS: Mapping[str, Mapping[Moment, Mapping[str, Any]]] = {
    "refused": {"before": SHUT},
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
    "429": {"before": {"kind": "status", "status": 429}},
    "429 Retry-After": {"before": {"kind": "status", "status": 429, "retryAfter": 2}},
    "500": {
        "before": {"kind": "status", "status": 500},
        "after": {"kind": "status", "status": 500, "when": "after"},
    },
    "503": {
        "before": {"kind": "status", "status": 503, "retryAfter": 2, "html": True},
        "after": {"kind": "status", "status": 503, "when": "after"},
    },
    "422": {"before": {"kind": "status", "status": 422}},
    "401": {"before": {"kind": "status", "status": 401}},
}

_LIE = "Rokt would have acted and said surely not, which nobody could find out"
_WHOLE = "the answer is whole, and says no more in its middle than at its end"
LEFT_OUT: Mapping[tuple[str, Moment], str] = {
    ("refused", "middle"): "there is no answer where there is no connection",
    ("refused", "after"): "a call that never arrived has no effect",
    ("truncated", "before"): "a cut answer is the middle of an answer",
    ("truncated", "after"): "a cut answer is the middle of an answer",
    ("malformed", "middle"): _WHOLE,
    ("wrong types", "middle"): _WHOLE,
    ("HTML", "middle"): _WHOLE,
    ("429", "middle"): _WHOLE,
    ("429", "after"): _LIE,
    ("429 Retry-After", "middle"): _WHOLE,
    ("429 Retry-After", "after"): _LIE,
    ("500", "middle"): _WHOLE,
    ("503", "middle"): _WHOLE,
    ("422", "middle"): _WHOLE,
    ("422", "after"): _LIE,
    ("401", "middle"): _WHOLE,
    ("401", "after"): _LIE,
}
# A cancel is answered without a body, so nothing of it can be slow or hang in its middle.
LEFT_OUT_AT: Mapping[tuple[str, str, Moment], str] = {
    ("cancel", "slow", "middle"): "the answer to a cancel has no body",
    ("cancel", "hang", "middle"): "the answer to a cancel has no body",
}

# Ways of a reserve to say no, of an emulator's ``rejectionForm``.
FORMS = ("absent", "no_id", "smaller", "status", "error_value", "422_named", "422_all")
PARKING, POSTER = "parking.standard", "poster.souvenir"
# What is the matter with an item, rather than with the line to Rokt.
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
# A call that outlasts its lease: somebody else makes it too before its answer is written down.
OVERTAKEN: Mapping[str, Mapping[str, Any] | None] = {
    "overtaken": None,
    "overtaken, unanswered": {"kind": "reset", "when": "after"},
}


@dataclass(frozen=True, slots=True)
class Case:
    """One case. ``lasts``: one call long, until lifted after a while, never lifted, or lifted
    after all was given up, and redriven.

    ``then``: a second fault, right after the first. ``repeat``: how Rokt answers a confirm and a
    cancel that it has carried out before. ``accept``: the shopper takes a dearer price.
    """

    endpoint: str
    fault: str
    moment: Moment
    lasts: Lasts = "once"
    repeat: Repeat = "ok"
    then: tuple[str, Moment] | None = None
    accept: bool = False
    database: Literal["sqlite", "postgresql"] = "sqlite"

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
        """Return what the emulator is told for the endpoint."""
        times = 1 if self.lasts == "once" else None
        return [{**one, "times": times} for one in self._told() if "gate" not in one]

    @property
    def gate(self) -> str | None:
        """What the gate does: "shut", "cut", or nothing."""
        return next((str(one["gate"]) for one in self._told() if "gate" in one), None)

    @property
    def waits(self) -> bool:
        """Tell whether time limits are waited for, so that they had better be short."""
        names = {self.fault, self.then[0] if self.then else ""}
        return "hang" in names or any("retryAfter" in one for one in self._told())

    def _told(self) -> list[Mapping[str, Any]]:
        if self.fault in OVERTAKEN:
            lost = OVERTAKEN[self.fault]
            return [lost] if lost else []
        if self.fault in ITEM_FAULTS:
            return [ITEM_FAULTS[self.fault]]
        told = [FAULTS[self.fault][self.moment]]
        return told + ([FAULTS[self.then[0]][self.then[1]]] if self.then else [])


def is_left_out(endpoint: str, fault: str, moment: Moment) -> bool:
    """Tell whether a cell of the grid makes no sense."""
    return (fault, moment) in LEFT_OUT or (endpoint, fault, moment) in LEFT_OUT_AT


def short() -> tuple[Case, ...]:
    """Return every cell of the grid, once and until lifted, and Rokt down as a whole."""
    return tuple(_short())


def long() -> tuple[Case, ...]:
    """Return the short form with its combinations, on both databases."""
    return tuple(dict.fromkeys(_long()))  # some combinations are in the short form already


def _cells(endpoint: str) -> Iterator[Case]:
    for fault, moments in FAULTS.items():
        for moment in moments:
            if not is_left_out(endpoint, fault, moment):
                yield Case(endpoint, fault, moment)


def _short() -> Iterator[Case]:
    for endpoint in ENDPOINTS:
        for case in _cells(endpoint):
            # A repetition may come only after an attempt that took effect.
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
        yield Case("confirm", "500", "after", "redriven", repeat)
    for endpoint in (ROKT, ROKT_AT_PAY):
        for fault in ("refused", "hang", "503", "401"):
            yield Case(endpoint, fault, "before", "lifted")
    yield Case(ROKT_AT_PAY, "refused", "before", "forever")


def _long() -> Iterator[Case]:
    yield from _short()
    for endpoint in ENDPOINTS:
        for case in _cells(endpoint):
            other: Repeat = "ok" if case.moment != "before" else "error"
            yield replace(case, repeat=other)
            yield replace(case, lasts="lifted", repeat="error")
            yield replace(case, database="postgresql", repeat="error")
            yield replace(case, database="postgresql", lasts="lifted")
            if case.gate is None:
                for then in (("reset", "after"), ("503", "before"), ("hang", "after")):
                    yield replace(case, then=then, repeat="error")
    for case in _cells("cancel"):
        yield replace(case, lasts="forever", repeat="error")
    for case in _cells("confirm"):
        yield replace(case, lasts="forever", repeat="error")
        yield replace(case, lasts="redriven", repeat="error")
        yield replace(case, lasts="redriven", database="postgresql")
    for fault in ITEM_FAULTS:
        yield Case("reserve", fault, "before", "lifted", database="postgresql")
    for endpoint in (ROKT, ROKT_AT_PAY):
        for case in _cells("reserve"):
            yield replace(case, endpoint=endpoint, lasts="lifted", repeat="error")
