"""The client of Rokt's Cart API: sends one call within a time limit and tells its outcome.

Never raises for what Rokt or the network does. Calls have their places (``bff.bulkhead``), so that
a hanging Rokt cannot take all of a server's threads; who gets none within the limit is told
``NotSent``. Who repeats a call, and when, is for ``bff.outbox``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from bff.config.settings import Settings
from bff.rokt.bulkhead import Bulkhead
from bff.rokt.calls import PATHS, Call, Kind
from bff.rokt.outcomes import Cause, NotSent, Outcome, Unknown, read_response
from bff.rokt.redaction import mask_answer, mask_request, private_texts
from bff.rokt.transport import Broken, NeverConnected, Reply, Transport


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call as it was made, for those who watch. ``private``: what they must not be told."""

    call: Call
    outcome: Outcome
    started_at: datetime
    milliseconds: float
    number: int
    session_id: str | None
    private: frozenset[str] = field(default=frozenset(), repr=False)

    def request(self) -> Any:
        """Return the body that was sent, with what is the shopper's masked."""
        return mask_request(self.call.kind, self.call.document())

    def answer(self) -> Any:
        """Return Rokt's answer, where there is an object, as far as it may be shown."""
        answer = getattr(self.outcome, "answer", None)
        if not isinstance(answer, Mapping):
            return None
        return mask_answer(answer, self.request(), self.private)


class CartApi:
    """Rokt's Cart API as configured. ``watch`` is told each attempt after it ended."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], datetime],
        watch: Callable[[Attempt], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._watch = watch
        self.bulkhead = Bulkhead(settings.max_calls, settings.max_waiting)
        self._transport = Transport(connect_timeout=settings.connect_timeout)

    def send(
        self, call: Call, *, limit: float, number: int = 1, session_id: str | None = None
    ) -> Outcome:
        """Make the call, waiting for a place included, in ``limit`` seconds.

        ``number`` (which attempt this is) and ``session_id`` are for the watcher only.
        """
        started_at, start = self._clock(), time.monotonic()
        outcome: Outcome = NotSent(Cause.BUSY, "all slots for calls to Rokt are taken")
        with self.bulkhead.slot(limit) as taken:
            if taken:
                outcome, _ = self._post(call, limit - (time.monotonic() - start))
        spent = (time.monotonic() - start) * 1000
        private = self._private(call)
        self._watch(Attempt(call, outcome, started_at, spent, number, session_id, private))
        return outcome

    def with_bulkhead(self, places: Bulkhead) -> CartApi:
        """Return the same API with other places: for threads that no shopper waits for."""
        other = copy(self)  # connections and all
        other.bulkhead = places
        return other

    def probe(self, call: Call, *, limit: float) -> tuple[Outcome, timedelta | None]:
        """Make a call for a check-up, and compare the clocks: Rokt's ``Date`` less our time.

        Nobody who watches is told. The difference is None when Rokt did not say its time.
        """
        outcome, reply = self._post(call, limit)
        if reply is None or reply.date is None:
            return outcome, None
        try:
            theirs = parsedate_to_datetime(reply.date)
        except ValueError:
            return outcome, None
        return outcome, theirs - self._clock()

    def _post(self, call: Call, limit: float) -> tuple[Outcome, Reply | None]:
        headers = {
            "rokt-api-key": self._settings.api_key,
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "rokt-bff",
            **call.headers,
        }
        if call.kind is not Kind.CANCEL:  # the one call that is documented without it
            headers["rokt-tag-id"] = self._settings.tag_id
        url = self._settings.api_url + PATHS[call.kind]
        try:
            reply = self._transport.post(
                url, body=call.body, headers=headers, limit=max(limit, 0.001)
            )
        except NeverConnected as error:
            return NotSent(Cause.UNREACHABLE, str(error)), None
        except Broken as error:
            return Unknown(error.cause, str(error)), None
        now = self._clock()
        outcome = read_response(
            reply.status,
            reply.body,
            retry_after=reply.retry_after,
            now=now,
            private=() if reply.status < 300 else self._private(call),
        )
        return outcome, reply

    def _private(self, call: Call) -> frozenset[str]:
        """Return what is sent with a call and is nobody else's business."""
        language = call.headers.get("Accept-Language", "")
        told = private_texts(call.kind, call.document())
        return frozenset({self._settings.api_key, language, *told})
