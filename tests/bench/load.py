"""A load of shoppers on a real server, with as little work of our own as possible."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import urlsplit

ORIGIN = "https://shop.example"


class Page:
    """A page elsewhere, with a session of its own."""

    def __init__(self, base: str, number: int) -> None:
        parts = urlsplit(base)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._prefix = parts.path
        self._headers = {"Rokt-Bff": "1", "Origin": ORIGIN, "Content-Type": "application/json"}
        self._number = number
        self._quantity = 0
        handle = self._post("/session", {})["handle"]
        self._headers["Authorization"] = f"Bearer {handle}"

    def update(self) -> None:
        """Change the quantity of the one item."""
        self._quantity = self._quantity % 4 + 1
        item = {
            "cartItemId": f"v1:{self._number}:parking.standard",
            "catalogItemId": "parking.standard",
            "name": "Parking",
            "description": "",
            "quantity": self._quantity,
            "unitPrice": 12.5,
            "totalPrice": 12.5 * self._quantity,
            "currency": "USD",
        }
        self._post("/cart/updates", {"updatedItem": item, "oldItem": None})

    def reserve(self) -> str:
        """Reserve; give the first reason of a rejection, or nothing."""
        rejected = self._post("/cart/reserve", {})["rejected"]
        return rejected[0]["reason"] if rejected else ""

    def _post(self, path: str, body: object) -> Any:
        self._connection.request("POST", self._prefix + path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status in (200, 201), text
        return json.loads(text)


class Crowd:
    """Threads that do the same over and over, and a count of how often that was.

    At once again, or ``every`` so many seconds, however long it took; then they begin one after
    another, spread over that time. What one of them raises is raised by ``rate`` and ``end``.
    """

    def __init__(self, works: list[Callable[[], object]], every: float = 0.0) -> None:
        self.count = 0
        self._lock = Lock()
        self._stop = Event()
        self._every = every
        self._failed: list[BaseException] = []
        self._threads = [
            Thread(target=self._run, args=[work, every * n / len(works)])
            for n, work in enumerate(works)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, work: Callable[[], object], late: float) -> None:
        due = time.monotonic() + late
        while not self._stop.wait(max(due - time.monotonic(), 0.0) if self._every else 0.0):
            try:
                work()
            except BaseException as error:
                self._failed.append(error)
                return
            with self._lock:
                self.count += 1
            due = max(due + self._every, time.monotonic())

    def rate(self, seconds: float) -> float:
        """Count for a while; give the number a second."""
        before = self.count
        start = time.monotonic()
        self._stop.wait(seconds)
        self._look()
        return (self.count - before) / (time.monotonic() - start)

    def end(self) -> None:
        """Stop, and wait for what is under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._look()

    def _look(self) -> None:
        if self._failed:
            raise self._failed[0]
