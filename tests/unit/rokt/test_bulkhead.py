"""The slots of the bulkhead: for how many, for how long, and who may wait."""

from __future__ import annotations

from threading import Thread

import pytest

from bff.rokt.bulkhead import Bulkhead
from tests.support.waiting import PATIENCE, until


def is_full(bulkhead: Bulkhead) -> bool:
    with bulkhead.waiting_slot() as free:
        return not free


def test_a_slot_is_for_one_at_a_time_and_is_freed() -> None:
    bulkhead = Bulkhead(1, 1)
    with bulkhead.slot(1) as mine:
        assert mine
        with bulkhead.slot(0.01) as other:
            assert not other
    with pytest.raises(KeyError), bulkhead.slot(1):
        raise KeyError
    with bulkhead.slot(1) as again:
        assert again


def test_without_time_there_is_no_slot() -> None:
    with Bulkhead(1, 1).slot(0) as taken:
        assert not taken


def test_a_request_beyond_those_that_may_wait_does_not_wait() -> None:
    bulkhead = Bulkhead(1, 1)
    waited: list[bool] = []

    def wait() -> None:
        with bulkhead.slot(PATIENCE) as taken:
            waited.append(taken)

    with bulkhead.slot(1):
        waiter = Thread(target=wait)
        waiter.start()
        until(lambda: is_full(bulkhead))
        with bulkhead.slot(PATIENCE) as taken:  # would be waited for until the test fails
            assert not taken
        with bulkhead.waiting_slot() as free:
            assert not free
        assert waited == []
    waiter.join()
    assert waited == [True]
    with bulkhead.waiting_slot() as free:
        assert free
