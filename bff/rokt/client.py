"""The client of Rokt's Cart API: sends one call within a time limit and returns its outcome.

Never raises for a failure of Rokt or of the network. A bulkhead limits the calls, so that a Rokt
that does not answer cannot occupy all threads of a server. ``bff.outbox`` decides whether and when
a call is sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from bff.config.settings import Settings
from bff.rokt.bulkhead import Bulkhead
from bff.rokt.calls import PATHS, Call
from bff.rokt.headers import request_headers
from bff.rokt.outcomes import Cause, Done, NotSent, Outcome, Refused, Unknown, read_response
from bff.rokt.redaction import private_texts, shown_request, shown_response
from bff.rokt.transport import Broken, NeverConnected, Response, Transport


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call as it was made, for listeners. ``private``: texts that they must not see."""

    call: Call
    outcome: Outcome
    started_at: datetime
    milliseconds: float
    number: int
    session_id: str | None
    private: frozenset[str] = field(default=frozenset(), repr=False)

    def request(self) -> dict[str, Any]:
        """Return the request's body as listeners may see it."""
        return shown_request(self.call.kind, self.call.document())

    def response(self) -> dict[str, Any] | None:
        """Return the response's body as listeners may see it; None without a JSON object."""
        body = self.outcome.body if isinstance(self.outcome, Done | Refused) else None
        return shown_response(body, self.request(), self.private)


class CartApi:
    """Rokt's Cart API. Calls ``watch`` with each attempt after it ended."""

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
        """Send a call and return its outcome.

        Args:
            call: The call.
            limit: The seconds for the call and for the wait for a slot together.
            number: The number of this attempt, for listeners.
            session_id: The session that the call is for, for listeners.
        """
        started_at, start = self._clock(), time.monotonic()
        private = self._private(call)
        outcome: Outcome = NotSent(Cause.BUSY, "all slots for calls to Rokt are taken")
        with self.bulkhead.slot(limit) as taken:
            if taken:
                outcome, _ = self._post(call, limit - (time.monotonic() - start), private)
        spent = (time.monotonic() - start) * 1000
        self._watch(Attempt(call, outcome, started_at, spent, number, session_id, private))
        return outcome

    def with_bulkhead(self, bulkhead: Bulkhead) -> CartApi:
        """Return the same API with another bulkhead, for threads that no shopper waits for."""
        other = copy(self)  # it shares the connections
        other.bulkhead = bulkhead
        return other

    def probe(self, call: Call, *, limit: float) -> tuple[Outcome, timedelta | None]:
        """Send a call for a check, and compare the clocks. Listeners do not see it.

        Returns:
            The outcome, and Rokt's ``Date`` minus our time; None without a valid ``Date``.
        """
        outcome, response = self._post(call, limit, self._private(call))
        if response is None or response.date is None:
            return outcome, None
        try:
            theirs = parsedate_to_datetime(response.date)
        except ValueError:
            return outcome, None
        return outcome, theirs - self._clock()

    def _post(
        self, call: Call, limit: float, private: frozenset[str]
    ) -> tuple[Outcome, Response | None]:
        headers = request_headers(call, self._settings)
        url = self._settings.api_url + PATHS[call.kind]
        try:
            response = self._transport.post(
                url, body=call.body, headers=headers, limit=max(limit, 0.001)
            )
        except NeverConnected as error:
            return NotSent(Cause.UNREACHABLE, str(error)), None
        except Broken as error:
            return Unknown(error.cause, str(error)), None
        outcome = read_response(
            response.status,
            response.body,
            retry_after=response.retry_after,
            now=self._clock(),
            private=private,
        )
        return outcome, response

    def _private(self, call: Call) -> frozenset[str]:
        """Return the texts of a call that no detail and no listener may see."""
        language = call.headers.get("Accept-Language", "")
        return frozenset(
            {self._settings.api_key, language, *private_texts(call.kind, call.document())}
        )
