"""Confirm when Rokt does not answer: still owed, at least once, byte for byte, until it does."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.interference import Killed, after_call, die
from tests.support.owed import LEASE, SOON, confirm
from tests.support.raw_server import ANSWER, RawServer, raw_server
from tests.support.shop import Shop, Shopper
from tests.support.summaries import PARKING, alarms, bought, fulfilled, read_order
from tests.support.waiting import FOR_EVER, SLACK

MakeShop = Callable[..., Shop]
LOST = {"kind": "drop", "when": "after"}


@pytest.fixture
def ready(shop: Shop, shopper: Shopper) -> Shopper:
    """A shopper with parking reserved."""
    shopper.add(PARKING)
    shopper.reserve()
    return shopper


@pytest.mark.parametrize("repeat", ["ok", "error"])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop"},
        {"kind": "drop", "when": "after"},
        {"kind": "reset", "when": "after"},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503, "when": "after"},
        {"kind": "status", "status": 408, "when": "after"},
        {"kind": "truncate"},
        {"kind": "malformed"},
        {"kind": "html"},
        {"kind": "endless"},
        {"kind": "hang", "seconds": FOR_EVER, "when": "after"},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
def test_an_unknown_confirm_is_owed_until_rokt_says_so_and_fulfils_once(
    make_shop: MakeShop, fault: dict[str, Any], repeat: str
) -> None:
    shop = make_shop()
    shop.emulator.put("settings", {"repeatConfirm": repeat})
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.reserve()
    shop.emulator.faults("confirm", fault)
    before = shop.clock()
    with shop.limits(confirm_timeout=1) if fault["kind"] == "hang" else nullcontext():
        order = shopper.pay()
    assert (order["status"], order["attempts"]) == ("confirming", 1)
    assert bought(order) == {PARKING: (1, "confirming")}
    assert order["lastError"]
    # Half a second at least after the attempt ended, however long that took.
    assert datetime.fromisoformat(order["nextAttemptAt"]) > before + timedelta(seconds=0.5)
    assert shop.heard.of("confirmed") == []
    assert shopper.cart()["items"] == []
    shop.clock.move(SOON)
    assert shop.deliver() == 1
    settled = read_order(shop)
    assert (settled["status"], settled["attempts"]) == ("confirmed", 2)
    assert not {"lastError", "nextAttemptAt"} & set(settled)
    assert fulfilled(shop) == 1
    assert len(shop.heard.of("confirmed")) == 1
    assert alarms(shop) == []
    assert shop.deliver() == 0


def test_a_repeated_confirm_is_the_same_byte_for_byte(make_shop: MakeShop) -> None:
    answers = iter([b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"] * 3 + [ANSWER])

    def serve(server: RawServer, connection: socket.socket) -> None:
        while server.read_request(connection):
            connection.sendall(next(answers))

    with raw_server(serve) as rokt:
        shop = make_shop(api_url=rokt.url, confirm_unreserved=True)
        shopper = shop.shopper()
        shopper.add(PARKING)
        shopper.pay(attributes={"venueName": "Zürich"}, extra={"paymentType": "card"})
        for _ in range(3):
            shopper.add(PARKING, 4)  # what happens since must not show
            shop.clock.move(10)
            assert shop.deliver() == 1
        assert read_order(shop)["status"] == "confirmed"
        shop.parts.api._transport._session().close()
    assert len(rokt.requests) == 4
    assert len(set(rokt.requests)) == 1


def test_once_an_attempt_is_unknown_a_lapsed_reservation_is_not_replaced(
    shop: Shop, ready: Shopper
) -> None:
    shop.emulator.faults("confirm", LOST)
    ready.pay()
    shop.move_clocks(700)
    shop.deliver()
    assert read_order(shop)["status"] == "confirmed"
    assert len(shop.calls("reserve")) == 1
    assert fulfilled(shop) == 1


def test_being_sent_away_is_obeyed(shop: Shop, ready: Shopper) -> None:
    shop.emulator.faults("confirm", {"kind": "status", "status": 429, "retryAfter": 30})
    before = shop.clock()
    order = ready.pay()
    again = datetime.fromisoformat(order["nextAttemptAt"]) - timedelta(seconds=30)
    assert before <= again <= shop.clock()
    shop.clock.move(20)
    assert shop.deliver() == 0
    shop.clock.move(12)
    assert shop.deliver() == 1
    assert read_order(shop)["status"] == "confirmed"


def test_already_without_an_earlier_attempt_is_no_success(shop: Shop, ready: Shopper) -> None:
    body = {"description": "", "errors": [{"code": "ALREADY_CONFIRMED", "message": "Already."}]}
    shop.emulator.faults("confirm", {"kind": "status", "status": 422, "body": body})
    assert ready.pay()["status"] == "refund_needed"


def test_a_refusal_after_an_unknown_attempt_says_that_it_may_have_taken_effect(
    shop: Shop, ready: Shopper
) -> None:
    shop.emulator.faults("confirm", LOST, {"kind": "status", "status": 422})
    ready.pay()
    shop.clock.move(SOON)
    shop.deliver()
    order = read_order(shop)
    assert order["status"] == "refund_needed"
    assert "may have taken effect" in order["lastError"]
    assert alarms(shop) == ["order-1"]


def test_after_the_deadline_the_order_needs_a_refund(make_shop: MakeShop) -> None:
    shop = make_shop(confirm_deadline=60)
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.reserve()
    shop.emulator.faults("confirm", {"kind": "status", "status": 503, "times": None})
    assert shopper.pay()["status"] == "confirming"
    shop.clock.move(30)
    shop.deliver()
    assert read_order(shop)["status"] == "confirming"
    shop.clock.move(31)
    shop.deliver()
    order = read_order(shop)
    assert order["status"] == "refund_needed"
    assert order["lastError"].startswith("given up")
    assert alarms(shop) == ["order-1"]
    shop.clock.move(10_000)
    assert shop.deliver() == 0


@pytest.mark.parametrize("kind", ["hang", "delay"])
def test_confirm_returns_within_its_limit(make_shop: MakeShop, kind: str) -> None:
    shop = make_shop()
    shopper = shop.shopper()
    shopper.add(PARKING)
    quote = shopper.reserve()
    shopper.add("poster.souvenir")  # its reservation is given back at confirm
    shopper.reserve()
    fault = {"kind": kind, "seconds": FOR_EVER, "times": None}
    shop.emulator.put("faults", {"confirm": [fault], "release": [fault]})
    start = time.monotonic()
    with shop.limits(confirm_timeout=0.5):
        order = shopper.pay(quoteId=quote["quoteId"])
    assert time.monotonic() - start < 0.5 + SLACK
    assert order["status"] == "confirming"
    shop.emulator.put("faults", {})
    shop.clock.move(SOON)
    assert shop.deliver() == 2  # the confirm and the release
    assert read_order(shop)["status"] == "confirmed"


@pytest.mark.parametrize("repeat", ["ok", "error"])
def test_a_server_killed_after_rokt_confirmed_loses_no_order(
    shop: Shop, ready: Shopper, repeat: str
) -> None:
    shop.emulator.put("settings", {"repeatConfirm": repeat})
    with after_call(shop, "confirm", die), pytest.raises(Killed):
        confirm(ready)
    assert read_order(shop)["status"] == "confirming"
    shop.clock.move(LEASE)
    assert shop.deliver() == 1
    assert read_order(shop)["status"] == "confirmed"
    assert fulfilled(shop) == 1
    first, second = shop.calls("confirm")
    assert first["body"] == second["body"]


def test_a_server_killed_while_an_order_was_made_ready_loses_no_order(
    shop: Shop, ready: Shopper
) -> None:
    shop.move_clocks(601)
    with after_call(shop, "reserve", die), pytest.raises(Killed):
        confirm(ready)
    assert read_order(shop)["status"] == "confirming"
    shop.clock.move(LEASE)
    shop.deliver()
    # The confirm itself had surely not been sent, so its items could be reserved once more.
    assert read_order(shop)["status"] == "confirmed"
    assert alarms(shop) == []
    assert fulfilled(shop) == 1


def test_who_lost_the_lease_writes_nothing(shop: Shop, ready: Shopper) -> None:
    shop.emulator.faults("confirm", LOST)

    def take_over() -> None:
        shop.clock.move(LEASE)
        assert shop.deliver() == 1

    with after_call(shop, "confirm", take_over):
        order = confirm(ready)
    assert (order.status, order.last_error, order.next_attempt_at) == ("confirmed", None, None)
    assert fulfilled(shop) == 1
    assert len(shop.heard.of("confirmed")) == 1
