"""The entries that the panel shows, in memory, one trail for each shopper.

The BFF's signals name a session by its public reference. The first signal inside a request ties
that reference to the shopper. So a later call by a background thread (a confirm from the outbox)
lands on the right trail. Trails and ties are bounded in number. They hold no secrets: the signals
carry bodies without headers, and no handle.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bff.demo.timeline.captions import TIMES, Caption, repeated

TRAILS = 200  # shoppers at a time; the one without an entry for longest is dropped first
ENTRIES = 300  # of one shopper: about five complete checkouts

# The SDK sends each change twice within milliseconds, under a newer and an older name.
_SAME_CHANGE = timedelta(seconds=2)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the sequence: an arrow between two lanes, or a state of one lane.

    Attributes:
        key: The entry's number.
        revision: Grows with every change of any entry. A poll asks for newer revisions.
        at: When it happened.
        source: ``page``, ``bff`` or ``rokt``.
        target: The same names. If it equals ``source``, the entry is a state.
        label: The text on the arrow.
        caption: The explanation.
        response: The text on the arrow back.
        times: How often the same message came.
        names: The names under which the same message came.
        detail: The JSON that the entry shows when it is opened.
        explains: Whether the caption explains the repeated message. One per trail does.
    """

    key: int
    revision: int
    at: datetime
    source: str
    target: str
    label: str
    caption: Caption
    response: str = ""
    times: int = 1
    names: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    explains: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON that the panel's script reads."""
        text = repeated(self.caption.text) if self.explains else self.caption.text
        return {
            "key": self.key,
            "revision": self.revision,
            "at": self.at.isoformat(timespec="milliseconds"),
            # In this machine's time zone. The demo serves loopback, so the shopper is on it too.
            "clock": self.at.astimezone().strftime("%H:%M:%S"),
            "source": self.source,
            "target": self.target,
            "label": f"{self.label} {TIMES}{self.times}" if self.times > 1 else self.label,
            "response": self.response,
            "step": self.caption.step,
            "caption": text,
            "tone": self.caption.tone,
            "detail": self.detail,
        }


class Timeline:
    """The trails of all shoppers of this process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trails: OrderedDict[str, deque[Entry]] = OrderedDict()
        self._shopper_of: OrderedDict[str, str] = OrderedDict()
        self._began: OrderedDict[str, datetime] = OrderedDict()
        self._last = 0

    def tie(self, session_ref: str, shopper: str) -> None:
        """Store which shopper a session of the BFF belongs to."""
        with self._lock:
            self._shopper_of[session_ref] = shopper
            self._shopper_of.move_to_end(session_ref)
            while len(self._shopper_of) > 2 * TRAILS:
                self._shopper_of.popitem(last=False)

    def shopper_of(self, session_ref: str) -> str | None:
        """Return the shopper of a session of the BFF, or None."""
        with self._lock:
            return self._shopper_of.get(session_ref)

    def add(
        self,
        shopper: str,
        source: str,
        target: str,
        label: str,
        caption: Caption,
        *,
        response: str = "",
        detail: Mapping[str, Any] | None = None,
        at: datetime | None = None,
        name: str = "",
        once: bool = False,
    ) -> None:
        """Add an entry, or count a repeated SDK message into the entry that is there.

        Args:
            shopper: Whose trail it is.
            source: The lane in which the arrow begins.
            target: The lane in which the arrow ends.
            label: The text on the arrow.
            caption: The explanation.
            response: The text on the arrow back.
            detail: The JSON to show.
            at: When it happened; now if left out.
            name: The name of the SDK's message. The same message has two names.
            once: Skip the entry if the same caption was added since the last call to Rokt.
        """
        at = at or datetime.now(UTC)
        detail = detail or {}
        with self._lock:
            trail = self._trail(shopper)
            if once and _is_shown(trail, caption):
                return
            for place, entry in enumerate(trail):
                if name and _is_repeated(entry, name, detail, at):
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
            trail.append(
                Entry(
                    number,
                    number,
                    at,
                    source,
                    target,
                    label,
                    caption,
                    response,
                    names=(name,) if name else (),
                    detail=detail,
                )
            )

    def since(self, shopper: str, revision: int = 0) -> tuple[list[Entry], int]:
        """Return the entries newer than ``revision``, by time, and the last revision."""
        with self._lock:
            trail = self._trails.get(shopper, ())
            newer = [entry for entry in trail if entry.revision > revision]
            return sorted(newer, key=lambda entry: (entry.at, entry.key)), self._last

    def forget(self, shopper: str) -> None:
        """Empty a shopper's trail. A new one begins now."""
        with self._lock:
            self._trails.pop(shopper, None)
            self._began[shopper] = datetime.now(UTC)
            self._began.move_to_end(shopper)
            while len(self._began) > TRAILS:
                self._began.popitem(last=False)

    def began(self, shopper: str) -> datetime:
        """Return when the shopper last started over, or the earliest time if never."""
        with self._lock:
            return self._began.get(shopper, _NEVER)

    def _trail(self, shopper: str) -> deque[Entry]:
        trail = self._trails.setdefault(shopper, deque(maxlen=ENTRIES))
        self._trails.move_to_end(shopper)
        while len(self._trails) > TRAILS:
            self._trails.popitem(last=False)
        return trail

    def _next(self) -> int:
        self._last += 1
        return self._last


def _is_shown(trail: Iterable[Entry], caption: Caption) -> bool:
    is_shown = False
    for entry in trail:
        is_shown = entry.caption == caption or (is_shown and entry.target != "rokt")
    return is_shown


def _is_repeated(entry: Entry, name: str, detail: Mapping[str, Any], at: datetime) -> bool:
    return (
        bool(entry.names)
        and name not in entry.names
        and entry.detail == detail
        and abs(entry.at - at) <= _SAME_CHANGE
    )
