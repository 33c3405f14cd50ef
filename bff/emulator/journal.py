"""The journal: the calls that the emulator received, in order of arrival, and its responses.

An entry exists as soon as the call arrives (`open: true`). It is completed just before the response
is sent, so a client that has the response finds the entry complete. The API key is never stored:
its value is replaced by "present", "wrong" or "absent". The journal is in memory and bounded. The
oldest entries are dropped first, and `dropped` counts them.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

# Bounds the memory of a long load test. Tests rarely read older entries.
LIMIT = 20_000


@dataclass(slots=True)
class Entry:
    """One call. `status` and `answer` are None if no response was sent."""

    n: int
    at: datetime
    endpoint: str
    path: str
    headers: dict[str, str]
    body: Any
    status: int | None = None
    answer: Any = None
    fault: str | None = None
    effect: bool = False
    open: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the JSON for `GET /_emulator/journal`."""
        return {
            "n": self.n,
            "at": self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "endpoint": self.endpoint,
            "path": self.path,
            "headers": self.headers,
            "body": self.body,
            "status": self.status,
            "answer": self.answer,
            "fault": self.fault,
            "effect": self.effect,
            "open": self.open,
        }


@dataclass(slots=True)
class Journal:
    """The entries that are still kept. Thread-safe."""

    _entries: deque[Entry] = field(default_factory=deque)
    _count: int = 0
    _lock: Lock = field(default_factory=Lock)

    def arrive(
        self, at: datetime, endpoint: str, path: str, headers: dict[str, str], body: Any
    ) -> Entry:
        """Add a call that has just arrived."""
        with self._lock:
            self._count += 1
            entry = Entry(self._count, at, endpoint, path, headers, body)
            self._entries.append(entry)
            if len(self._entries) > LIMIT:
                self._entries.popleft()
            return entry

    def read(self, endpoint: str | None = None, after: int = 0) -> dict[str, Any]:
        """Return the entries with a number above `after`, of one endpoint or of all."""
        with self._lock:
            kept = list(self._entries)
            count = self._count
        chosen = [e for e in kept if e.n > after and endpoint in (None, e.endpoint)]
        return {
            "entries": [entry.to_json() for entry in chosen],
            "count": count,
            "limit": LIMIT,
            "dropped": count - len(kept),
        }

    def clear(self) -> None:
        """Delete all entries. Numbers start at 1 again."""
        with self._lock:
            self._entries.clear()
            self._count = 0


def headers_for_journal(headers: Iterable[tuple[str, str]], api_key: str) -> dict[str, str]:
    """Return the headers with lower-case names and without the API key."""
    found: dict[str, str] = {"rokt-api-key": "absent"}
    for name, value in headers:
        lower = name.lower()
        if lower == "rokt-api-key":
            found[lower] = "present" if value == api_key else "wrong"
        else:
            found[lower] = value.replace(api_key, "present")
    return found


def body_for_journal(raw: bytes, api_key: str) -> Any:
    """Return a body as parsed JSON, as text if it is not JSON, or None if it is empty.

    An API key that was sent in the body by mistake is replaced too.
    """
    raw = raw.replace(api_key.encode(), b"present")
    if not raw:
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw.decode("utf-8", "replace")
