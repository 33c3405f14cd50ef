"""When a session ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bff.store.sessions import LONGEST_SESSION, session_expiry
from tests.support.samples import NOW

DAY = timedelta(days=1)


@pytest.mark.parametrize("age", [timedelta(), DAY, LONGEST_SESSION - 2 * DAY])
def test_a_session_ends_when_it_was_idle_for_long(age: timedelta) -> None:
    assert session_expiry(NOW - age, NOW, DAY) == NOW + DAY


@pytest.mark.parametrize("idle", [DAY, 400 * DAY])
def test_a_session_in_use_ends_after_thirty_days(idle: timedelta) -> None:
    end = session_expiry(NOW, NOW + LONGEST_SESSION - DAY / 2, idle)
    assert end == NOW + timedelta(days=30)
