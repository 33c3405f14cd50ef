"""The worker: sweeps and purges by itself, and what is paid for never waits for that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask

from bff import upsell_confirmed
from bff.errors import StoreUnavailable
from bff.outbox.worker import PURGE_EVERY, SWEEP_EVERY, Worker
from tests.support.shop import Shop
from tests.support.waiting import PATIENCE


class Chore:
    """A chore that says when it is begun, and takes as many steps as a test lets it."""

    def __init__(self, steps: int = 1) -> None:
        self.steps = steps
        self.begun = 0
        self.stepped = 0
        self.ended = 0
        self._changed = threading.Condition()
        self.on_step: Callable[[], object] = lambda: None

    def __call__(self) -> Iterator[int]:
        with self._changed:
            self.begun += 1
            self._changed.notify_all()
        for _ in range(self.steps):
            self.on_step()
            with self._changed:
                self.stepped += 1
                self._changed.notify_all()
            yield 1
        with self._changed:
            self.ended += 1
            self._changed.notify_all()

    def wait(self, what: str, count: int) -> None:
        with self._changed:
            done = self._changed.wait_for(lambda: getattr(self, what) >= count, timeout=PATIENCE)
        assert done, f"{what} is {getattr(self, what)}"


@contextmanager
def running(worker: Worker) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=[stop])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=PATIENCE)
        assert not thread.is_alive()


def owe(shop: Shop, count: int) -> None:
    """Have confirms that are owed and due."""
    shop.emulator.faults("confirm", {"kind": "status", "status": 503, "times": count})
    for n in range(count):
        shopper = shop.shopper()
        shopper.add()
        shopper.reserve()
        assert shopper.pay(f"order-{n}")["status"] == "confirming"
    shop.move_clocks(60)


def test_both_chores_are_done_at_the_start_and_then_each_at_its_time(shop: Shop) -> None:
    now = 1000.0
    sweep, purge = Chore(), Chore()
    worker = Worker(shop.parts.delivery, sweep, purge, shop.clock, lambda: now)
    with running(worker):
        sweep.wait("ended", 1)
        purge.wait("ended", 1)
        now += SWEEP_EVERY + 1
        sweep.wait("ended", 2)
        assert purge.begun == 1
        now += PURGE_EVERY
        sweep.wait("ended", 3)
        purge.wait("ended", 2)
    assert (sweep.begun, purge.begun) == (3, 2)


def test_a_chore_that_takes_long_does_not_keep_what_is_paid_for_waiting(shop: Shop) -> None:
    owe(shop, 3)
    confirmed = threading.Event()
    orders: list[object] = []
    sweep, purge = Chore(steps=10**9), Chore(steps=10**9)  # they never end

    def hear(_app: Flask, **told: object) -> None:
        orders.append(told["order"])
        if len(orders) == 3:
            confirmed.set()

    with upsell_confirmed.connected_to(hear, sender=shop.app):
        worker = Worker(shop.parts.delivery, sweep, purge, shop.clock)
        with running(worker):
            assert confirmed.wait(timeout=PATIENCE)
    assert sweep.ended == purge.ended == 0


def test_much_to_deliver_does_not_keep_the_chores_waiting(shop: Shop) -> None:
    # Nobody is at Rokt's end, and every call is due again at once: there is always one.
    owe(shop, 1)
    shop.emulator.faults("confirm", {"kind": "status", "status": 503, "times": None})
    shop.clock.move(10**6)
    sweep, purge = Chore(), Chore()
    sweep.on_step = purge.on_step = lambda: shop.clock.move(3600)
    with running(Worker(shop.parts.delivery, sweep, purge, shop.clock)):
        sweep.wait("ended", 1)
        purge.wait("ended", 1)


def test_a_chore_that_fails_is_begun_anew_when_it_is_due_and_ends_nothing(shop: Shop) -> None:
    now = 1000.0
    sweep, purge = Chore(), Chore()
    fails = iter([StoreUnavailable("gone"), ZeroDivisionError()])

    def fail() -> None:
        error = next(fails, None)
        if error:
            raise error

    sweep.on_step = fail
    with running(Worker(shop.parts.delivery, sweep, purge, shop.clock, lambda: now)):
        purge.wait("ended", 1)
        for count in (2, 3):
            sweep.wait("begun", count - 1)
            now += SWEEP_EVERY + 1
            sweep.wait("begun", count)
        sweep.wait("ended", 1)
    assert sweep.begun == 3


def test_what_a_worker_does_it_does_in_steps(shop: Shop) -> None:
    sweep, purge = Chore(steps=5), Chore(steps=3)
    with running(Worker(shop.parts.delivery, sweep, purge, shop.clock)):
        sweep.wait("ended", 1)
        purge.wait("ended", 1)
    assert (sweep.stepped, purge.stepped) == (5, 3)
