"""How long an owed call waits for its next attempt."""

from __future__ import annotations

import pytest

from bff.outbox.backoff import LONGEST_WAIT, backoff


@pytest.mark.parametrize("attempts", [1, 2, 3, 9, 10, 11, 12, 100, 5000])
def test_waits_double_up_to_a_quarter_of_an_hour(attempts: int) -> None:
    whole = min(2 ** (attempts - 1), 15 * 60)
    assert backoff(attempts, None, 0.0) == whole
    assert backoff(attempts, None, 1.0) == whole / 2
    assert whole / 2 <= backoff(attempts, None, 0.3) <= whole


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_a_wait_is_never_less_than_rokt_asked_for(jitter: float) -> None:
    assert backoff(1, 40.0, jitter) == 40.0
    assert backoff(30, 0.0, jitter) >= LONGEST_WAIT / 2
    assert backoff(30, 3600.0, jitter) == 3600.0
