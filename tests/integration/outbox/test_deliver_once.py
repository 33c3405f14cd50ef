"""`deliver --once` and `purge`, as a timer runs them: all that a worker does, once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from bff.store.tables import outbox
from tests.support.commands import rokt
from tests.support.emulator_client import Client
from tests.support.owed import leave_owed
from tests.support.processes import ROKT_BFF, settings_for, started
from tests.support.shop import Shop, ok, server_get
from tests.support.summaries import PARKING, at_rokt
from tests.support.waiting import until

MakeShop = Callable[..., Shop]


def status(shop: Shop, order_id: str) -> Any:
    return ok(server_get(shop, f"/orders/{order_id}"))["status"]


def once(shop: Shop) -> str:
    done = rokt(shop, "deliver", "--once")
    assert done.exit_code == 0, done.output
    return done.output


def leave_reserved(shop: Shop) -> None:
    """Have a reservation that nobody is going to pay for."""
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.reserve()
    shopper.remove(PARKING)
    shop.move_clocks(400)


def test_once_delivers_what_is_due_and_gives_back_what_was_left_behind(shop: Shop) -> None:
    leave_reserved(shop)
    leave_owed(shop, "order-1", "order-2")
    told = once(shop)
    assert "3 calls" in told
    assert "1 items" in told
    assert [status(shop, f"order-{n}") for n in (1, 2)] == ["confirmed"] * 2
    assert at_rokt(shop)[0] == (PARKING, 1, "released")
    assert "0 calls" in once(shop)


def test_once_attempts_each_call_once_however_long_it_takes(make_shop: MakeShop) -> None:
    """The first is due again before the last was sent: that is for the next time."""
    shop = make_shop(confirm_timeout=1)
    orders = [f"order-{n}" for n in range(20)]  # more than are sent at a time
    leave_owed(shop, *orders)
    before = len(shop.calls("confirm"))
    shop.emulator.faults("confirm", {"kind": "hang", "seconds": 1.2, "times": None})
    shop.clock.move(60)
    assert "20 calls" in once(shop)
    assert len(shop.calls("confirm")) == before + 20


def test_a_serial_run_attempts_each_call_once_too(make_shop: MakeShop) -> None:
    shop = make_shop(confirm_timeout=0.6)
    leave_owed(shop, "order-1", "order-2", "order-3")
    shop.emulator.faults("confirm", {"kind": "hang", "seconds": 1, "times": None})
    shop.clock.move(60)
    assert shop.deliver() == 3


def test_once_that_is_told_to_stop_finishes_the_call_under_way(
    make_shop: MakeShop, tmp_path: Path, emulator: Client
) -> None:
    shop = make_shop()
    leave_owed(shop, *(f"order-{n}" for n in range(12)))
    shop.clock.ahead = timedelta()  # as the other process's
    with shop.parts.store.write() as connection:
        connection.execute(update(outbox).values(next_attempt_at=shop.clock()))
    emulator.faults("confirm", {"kind": "delay", "seconds": 2.5, "times": None})
    environ = settings_for(emulator.url, database_url=shop.app.config["ROKT_BFF_DATABASE_URL"])
    before = len(shop.calls("confirm"))
    with started(ROKT_BFF, "deliver", "--once", folder=tmp_path, environ=environ) as worker:
        until(lambda: len(shop.calls("confirm")) > before)
        assert worker.stop(signal.SIGTERM) == 0, worker.printed
    with shop.parts.store.read() as connection:
        rows = connection.execute(select(outbox.c.state, outbox.c.lease_token)).all()
    assert all(row.lease_token is None for row in rows)
    done = [row for row in rows if row.state == "done"]
    assert 1 <= len(done) < len(rows)  # what was not begun is left for the next time


@pytest.mark.parametrize("command", [["purge"], ["deliver", "--once"]])
def test_both_leave_the_signals_as_they_were(shop: Shop, command: list[str]) -> None:
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    rokt(shop, *command)
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


def test_purge_gives_back_first_what_keeps_a_session(make_shop: MakeShop) -> None:
    shop = make_shop()
    leave_reserved(shop)
    assert "1 items" in rokt(shop, "purge").output
    shop.deliver()
    assert at_rokt(shop)[0] == (PARKING, 1, "released")
