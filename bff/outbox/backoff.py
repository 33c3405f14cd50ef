"""How long an owed call waits between its attempts. Pure."""

from __future__ import annotations

# Seconds.
FIRST_WAIT = 1.0
# A quarter of an hour: an outage of a day then costs a hundred attempts, not a hundred thousand.
LONGEST_WAIT = 900.0


def backoff(attempts: int, retry_after: float | None, jitter: float) -> float:
    """Return the seconds to wait after this many attempts. Pure.

    The wait doubles from one second to a quarter of an hour. ``jitter``, from 0 to 1, takes away up
    to half of it, so that rows spread out. It is never less than Rokt's ``Retry-After``.
    """
    wait = min(FIRST_WAIT * 2.0 ** min(attempts - 1, 20), LONGEST_WAIT)
    return max(wait * (1 - jitter / 2), retry_after or 0.0)
