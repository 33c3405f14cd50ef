"""What happened in a shopper's checkout, step by step, kept in memory for the panel to draw.

A *trail* is one shopper's entries. The BFF's signals name a session by its public reference;
the first signal inside a request ties that reference to the shopper, so that a call made later
by a thread (a confirm out of the outbox) lands on the right trail. Both are bounded. Nothing
secret gets in: the signals carry bodies without headers, and no handle.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bff.demo.timeline.captions import TIMES, Words, twice

TRAILS = 200  # shoppers at a time; the one longest without an entry goes first
ENTRIES = 300  # of one shopper: some five times through the whole checkout

# The older name of a message follows the newer one within milliseconds.
_SAME_CHANGE = timedelta(seconds=2)
_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the sequence: an arrow between two lanes, or a state of one.

    ``source``, ``target``: ``page``, ``bff`` or ``rokt``; the same twice is a state.
    ``label`` stands on the arrow, ``answer`` on the way back. ``revision`` grows with every
    change of any entry, so that a poll asks for what is newer than the last it saw.
    ``explains``: the caption says why the message came twice; once in a trail is enough.
    """

    key: int
    revision: int
    at: datetime
    source: str
    target: str
    label: str
    words: Words
    answer: str = ""
    times: int = 1
    names: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    explains: bool = False

    def to_json(self) -> dict[str, Any]:
        """As the panel's script reads it."""
        caption = twice(self.words.caption) if self.explains else self.words.caption
        return {
            "key": self.key,
            "revision": self.revision,
            "at": self.at.isoformat(timespec="milliseconds"),
            # by this machine's clock, which is the shopper's too: the demo serves loopback
            "clock": self.at.astimezone().strftime("%H:%M:%S"),
            "source": self.source,
            "target": self.target,
            "label": f"{self.label} {TIMES}{self.times}" if self.times > 1 else self.label,
            "answer": self.answer,
            "step": self.words.step,
            "caption": caption,
            "tone": self.words.tone,
            "detail": self.detail,
        }


class Timeline:
    """The trails of all shoppers of this process. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trails: OrderedDict[str, deque[Entry]] = OrderedDict()
        self._shopper_of: OrderedDict[str, str] = OrderedDict()
        self._began: OrderedDict[str, datetime] = OrderedDict()
        self._last = 0

    def tie(self, session_ref: str, shopper: str) -> None:
        """Remember whose the BFF's session is."""
        with self._lock:
            self._shopper_of[session_ref] = shopper
            self._shopper_of.move_to_end(session_ref)
            while len(self._shopper_of) > 2 * TRAILS:
                self._shopper_of.popitem(last=False)

    def shopper_of(self, session_ref: str) -> str | None:
        """Whose the BFF's session is, or None."""
        with self._lock:
            return self._shopper_of.get(session_ref)

    def add(
        self,
        shopper: str,
        source: str,
        target: str,
        label: str,
        words: Words,
        *,
        answer: str = "",
        detail: Mapping[str, Any] | None = None,
        at: datetime | None = None,
        name: str = "",
        once: bool = False,
    ) -> None:
        """Write an entry. The same SDK message under another ``name`` counts into the first.

        ``once``: not when the same words stand there since the last call to Rokt.
        """
        at = at or datetime.now(UTC)
        detail = detail or {}
        with self._lock:
            trail = self._trail(shopper)
            if once and _is_told(trail, words):
                return
            for place, entry in enumerate(trail):
                if name and _is_echo(entry, name, detail, at):
                    names = (*entry.names, name)
                    explains = entry.explains or not any(one.explains for one in trail)
                    trail[place] = replace(
                        entry,
                        times=entry.times + 1,
                        names=names,
                        revision=self._next(),
                        explains=explains,
                    )
                    return
            number = self._next()
            names = (name,) if name else ()
            trail.append(
                Entry(number, number, at, source, target, label, words, answer, 1, names, detail)
            )

    def since(self, shopper: str, revision: int = 0) -> tuple[list[Entry], int]:
        """The entries that are newer than ``revision``, in the order of time; the last revision."""
        with self._lock:
            trail = self._trails.get(shopper, ())
            newer = [entry for entry in trail if entry.revision > revision]
            return sorted(newer, key=lambda entry: (entry.at, entry.key)), self._last

    def forget(self, shopper: str) -> None:
        """Empty a shopper's trail: a new one begins now."""
        with self._lock:
            self._trails.pop(shopper, None)
            self._began[shopper] = datetime.now(UTC)
            self._began.move_to_end(shopper)
            while len(self._began) > TRAILS:
                self._began.popitem(last=False)

    def began(self, shopper: str) -> datetime:
        """When the shopper last started over; the beginning of time when never."""
        with self._lock:
            return self._began.get(shopper, _ALWAYS)

    def _trail(self, shopper: str) -> deque[Entry]:
        trail = self._trails.setdefault(shopper, deque(maxlen=ENTRIES))
        self._trails.move_to_end(shopper)
        while len(self._trails) > TRAILS:
            self._trails.popitem(last=False)
        return trail

    def _next(self) -> int:
        self._last += 1
        return self._last


def _is_told(trail: Iterable[Entry], words: Words) -> bool:
    told = False
    for entry in trail:
        told = entry.words == words or (told and entry.target != "rokt")
    return told


def _is_echo(entry: Entry, name: str, detail: Mapping[str, Any], at: datetime) -> bool:
    return (
        bool(entry.names)
        and name not in entry.names
        and entry.detail == detail
        and abs(entry.at - at) <= _SAME_CHANGE
    )
