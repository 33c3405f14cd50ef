"""The design's promises 1 to 8, one test each. Each docstring names a line without which it fails.

``tests.campaign.breakages`` has these lines. The campaign breaks each in a copy of the package,
where its test must fail. So does ``pytest -m campaign tests/campaign/test_promises.py``.
"""

from __future__ import annotations

import inspect
import logging
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bff.ops.doctor import examine_database
from tests.campaign.breakages import BREAKAGES, is_noticed
from tests.support.interference import after_call
from tests.support.shop import BRIDGE, SERVER, Shop, Shopper, bearer, ok, server_get, server_post

MakeShop = Callable[..., Shop]
PARKING, POSTER = "parking.standard", "poster.souvenir"
# SOON is after the first retry of an owed call is due, LAPSE after a reservation expires.
SOON, LAPSE = 2, 700
# Allowed beyond a time limit, for a busy machine.
SLACK = 3.0
EVERYTHING = ("any", "reserve", "confirm", "release", "cancel")


def read(shop: Shop, order_id: str = "order-1") -> Any:
    return ok(server_get(shop, f"/orders/{order_id}"))


def doctor_of(shop: Shop) -> list[str]:
    """Return the doctor's findings, each as its name and its order."""
    found = examine_database(shop.parts.store, shop.clock())
    return [f"{one.name}: {one.text}" for one in found]


def at_rokt(shop: Shop) -> dict[str, tuple[str, int, int]]:
    """Return each item of the emulator: its state, and how often it was fulfilled and cancelled."""
    made = shop.emulator.state()["reservations"].values()
    return {
        one["catalogItemId"]: (one["state"], one["fulfilled"], one["cancelled"]) for one in made
    }


def test_promise_1_a_paid_upsell_is_confirmed_or_owed_or_to_be_refunded_with_an_alarm(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails when ``change(…, State.REFUND_NEEDED)`` of outbox/settlement.py is broken.

    The alarm is a status of the item and of the order, a signal, a log line at error level, and a
    finding of the doctor.
    """
    alarms = shop.heard.of
    lost = shop.shopper()
    lost.add(PARKING)
    lost.reserve()
    shop.emulator.faults("confirm", {"kind": "drop"})
    assert lost.pay("owed")["status"] == "confirming"
    assert read(shop, "owed")["nextAttemptAt"]
    shop.clock.move(SOON)
    shop.deliver()
    assert read(shop, "owed")["status"] == "confirmed"
    assert doctor_of(shop) == []
    refused = shop.shopper()
    refused.add(POSTER)
    refused.reserve()
    shop.emulator.faults("confirm", {"kind": "status", "status": 422})
    order = refused.pay("refused")
    assert order["status"] == "refund_needed"
    assert [item["status"] for item in order["items"]] == ["refund_needed"]
    assert [told["order"].order_id for told in alarms("refund")] == ["refused"]
    logged = [x.getMessage() for x in caplog.records if x.levelno == logging.ERROR]
    assert [line for line in logged if "'refused' needs a refund" in line]
    (finding,) = doctor_of(shop)
    assert finding.startswith("refund_needed: ")
    assert "refused" in finding
    assert at_rokt(shop) == {PARKING: ("confirmed", 1, 0), POSTER: ("reserved", 0, 0)}


def test_promise_2_only_the_shops_server_confirms(shop: Shop, shopper: Shopper) -> None:
    """Fails when ``_check_server(request, settings)`` of web/guard.py is left out."""
    shopper.add(PARKING)
    quote = shopper.reserve()
    body = {"handle": shopper.handle, "orderId": "stolen", "quoteId": quote["quoteId"]}
    handle = bearer(shopper.handle)
    origin = {"Origin": "http://localhost"}
    for headers in (BRIDGE, handle, handle | origin, SERVER | origin, SERVER | BRIDGE, {}):
        answer = shopper.client.post("/rokt/orders", json=body, headers=headers)
        assert answer.status_code in (401, 403), headers
    shop.clock.move(SOON)
    shop.deliver()
    assert shop.calls("confirm") == []
    assert server_post(shop, "/orders", body).status_code == 201


def test_promise_3_an_update_that_was_answered_stays(shop: Shop, shopper: Shopper) -> None:
    """Fails when ``return update.seq <= cart.seen…`` of cart/updates.py is broken."""
    offers = [PARKING, "parking.vip", "insurance.ticket", POSTER]
    shopper.cart()
    ok(shopper.update(shopper.item(POSTER, 1)))
    headers = bearer(shopper.handle)

    def write(number: int) -> str:
        """Hold a line of its own, from a page of its own, at the same time as the others."""
        offer = offers[number % len(offers)]
        item = shopper.item(offer, 1) | {"cartItemId": f"v1:{number}:{offer}"}
        body = {"updatedItem": item, "oldItem": None, "page": shopper.page, "seq": number + 1}
        answer = shop.app.test_client().post("/rokt/cart/updates", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(item["cartItemId"])

    with ThreadPoolExecutor(8) as pool:
        written = set(pool.map(write, range(1, 25)))
    assert written < {item["cartItemId"] for item in shopper.cart()["items"]}
    late = shopper.item(PARKING, 3)
    ok(shopper.update(late | {"quantity": 2, "totalPrice": 25.0}, seq=50))
    before = shopper.cart()
    ok(shopper.update(late, seq=49))  # sent earlier, arrived later
    ok(shopper.update(late | {"quantity": 2, "totalPrice": 25.0}, seq=50))  # sent twice
    assert shopper.cart() == before


def test_promise_4_the_charge_is_what_was_seen_and_locked(shop: Shop, shopper: Shopper) -> None:
    """Fails when ``if not row.is_dearer()`` of cart/quote.py is left out."""
    shop.emulator.faults(
        "reserve", {"kind": "price", "catalogItemId": PARKING, "unitPrice": 14, "times": None}
    )
    shopper.add(PARKING, 2)
    quote = shopper.reserve()
    assert (quote["items"], quote["totals"]) == ([], {})
    (change,) = quote["priceChanges"]
    assert (change["from"], change["to"]) == ("12.50", "14.00")
    taken = shopper.reserve(acceptPrices={change["cartItemId"]: change["to"]})
    assert taken["totals"] == {"USD": "28.00"}
    cheaper = shop.shopper()
    shop.emulator.faults("reserve", {"kind": "price", "catalogItemId": POSTER, "unitPrice": 9})
    cheaper.add(POSTER)  # which the browser says costs 15
    assert Decimal(cheaper.reserve()["totals"]["USD"]) == 9


def test_promise_5_nothing_about_to_lapse_is_charged(shop: Shop, shopper: Shopper) -> None:
    """Fails when ``… row.expires_at - now >= margin`` of cart/renewal.py is left out."""
    shopper.add(PARKING)
    first = shopper.reserve()
    shop.move_clocks(530)  # 70 of its 600 seconds are left
    assert shopper.reserve()["quoteId"] == first["quoteId"]
    shop.move_clocks(20)
    renewed = shopper.reserve()
    assert renewed["expiresAt"] > first["expiresAt"]
    assert len(shop.calls("reserve")) == 2
    shop.move_clocks(100)  # beyond the first one's end
    assert shopper.pay(quoteId=renewed["quoteId"])["status"] == "confirmed"
    assert len(shop.calls("reserve")) == 2


def test_promise_6_a_release_or_cancel_never_overtakes_a_confirm(
    shop: Shop, shopper: Shopper
) -> None:
    """Fails when ``if row.state is State.CONFIRMING:`` of checkout/cancel.py is left out."""
    shopper.add(PARKING)
    shopper.add(POSTER)
    quote = shopper.reserve()
    poster = next(i["cartItemId"] for i in quote["items"] if i["catalogItemId"] == POSTER)
    shop.emulator.faults("confirm", {"kind": "drop"})

    def interfere() -> None:
        """Release and cancel in another tab, during the confirm."""
        ok(shopper.post("/cart/release"))
        ok(server_post(shop, "/orders/order-1/cancel", {"cartItemId": poster}))

    with after_call(shop, "confirm", interfere):
        assert shopper.pay()["status"] == "confirming"
    assert shop.calls("release", "cancel") == []
    shop.clock.move(SOON)
    shop.deliver()
    assert at_rokt(shop) == {PARKING: ("confirmed", 1, 0), POSTER: ("cancelled", 1, 1)}
    assert [call["endpoint"] for call in shop.calls("confirm", "cancel")] == [
        "confirm", "confirm", "cancel",
    ]  # fmt: skip


@pytest.mark.parametrize("down", ["refused", "hang", "drip", "503"])
def test_promise_7_without_rokt_the_shops_checkout_completes_in_time(
    make_shop: MakeShop, down: str
) -> None:
    """Fails when ``self._timer = threading.Timer(…)`` of rokt/transport.py is broken."""
    limits = {"placements_timeout": 0.4, "reserve_timeout": 0.8, "confirm_timeout": 0.8}
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # a port without a listener
        port = unused.getsockname()[1]
        more = {"api_url": f"http://127.0.0.1:{port}"} if down == "refused" else {}
        shop = make_shop(**limits, **more)
        faults: dict[str, dict[str, Any]] = {
            "hang": {"kind": "hang", "seconds": 30},
            "drip": {"kind": "drip", "secondsPerByte": 0.1},
            "503": {"kind": "status", "status": 503, "html": True},
        }
        if down in faults:
            told = [faults[down] | {"times": None}]
            shop.emulator.put("faults", dict.fromkeys(EVERYTHING, told))
        start = time.monotonic()
        shopper = shop.shopper()
        ok(shopper.post("/placements/any", {"pageIdentifier": "checkout.upsell"}))
        shopper.add(PARKING)
        assert shopper.reserve()["totals"] == {}
        order = shopper.pay()
        spent = time.monotonic() - start
    assert (order["status"], order["items"]) == ("confirmed", [])
    assert spent < sum(limits.values()) + SLACK


@pytest.mark.parametrize("repeat", ["ok", "error"])
def test_promise_8_a_confirm_of_which_nobody_knows_is_repeated_as_it_was(
    shop: Shop, shopper: Shopper, repeat: str
) -> None:
    """Fails when ``return Unknown(error.cause, …)`` of rokt/client.py returns *not sent*."""
    shop.emulator.put("settings", {"repeatConfirm": repeat})
    shopper.add(PARKING)
    shopper.reserve()
    shop.emulator.faults("confirm", {"kind": "drop", "when": "after"}, {"kind": "drop"})
    assert shopper.pay()["status"] == "confirming"
    for _ in range(2):
        shop.move_clocks(LAPSE)
        shop.deliver()
    assert read(shop)["status"] == "confirmed"
    calls = shop.calls("confirm")
    assert len(calls) == 3
    assert all(call["body"] == calls[0]["body"] for call in calls)
    assert len(shop.calls("reserve")) == 1
    assert at_rokt(shop) == {PARKING: ("confirmed", 1, 0)}


@pytest.mark.parametrize("promise", BREAKAGES)
def test_the_line_that_is_broken_is_in_the_code_and_in_the_docstring(promise: int) -> None:
    (name,) = (one for one in globals() if one.startswith(f"test_promise_{promise}_"))
    about = inspect.getdoc(globals()[name]) or ""
    assert BREAKAGES[promise].module in about
    assert BREAKAGES[promise].is_there()


@pytest.mark.campaign
@pytest.mark.parametrize("promise", BREAKAGES)
def test_the_broken_line_is_noticed(promise: int, tmp_path: Path) -> None:
    noticed, printed = is_noticed(promise, tmp_path)
    assert noticed, printed
