"""Reserve when Rokt is down or slow, and when others act on the session meanwhile."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest

from bff.cart.reservation import ReserveOptions
from bff.checkout import reserve as reserving
from bff.rokt.calls import Call, Kind
from bff.rokt.outcomes import Outcome
from bff.store.sessions import find_session, take_lease
from tests.support.interference import Killed, after_call, at_once, die
from tests.support.shop import Shop, Shopper
from tests.support.summaries import PARKING, POSTER, at_rokt, quoted, reasons, statuses
from tests.support.waiting import FOR_EVER, SLACK, until

MakeShop = Callable[..., Shop]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.monotonic()
    return work(), time.monotonic() - start


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "hang", "seconds": FOR_EVER},
        {"kind": "delay", "seconds": FOR_EVER},
        {"kind": "drip", "secondsPerByte": 0.1},
        {"kind": "status", "status": 503, "retryAfter": 60},
        {"kind": "status", "status": 500},
        {"kind": "drop"},
        {"kind": "reset"},
        {"kind": "truncate"},
        {"kind": "malformed"},
        {"kind": "wrong_types"},
        {"kind": "endless"},
    ],
    ids=lambda fault: str(fault["kind"]),
)
def test_without_rokt_the_quote_is_empty_in_time_and_the_next_one_works(
    make_shop: MakeShop, fault: dict[str, Any]
) -> None:
    limit = 1.0 if fault["kind"] in ("hang", "delay", "drip") else 20.0
    shop = make_shop()
    shopper = shop.shopper()
    shopper.add(PARKING)
    shop.emulator.faults("reserve", fault | {"times": None})
    with shop.limits(reserve_timeout=limit):
        quote, spent = timed(shopper.reserve)
    assert spent < limit + SLACK
    assert (quote["items"], quote["totals"]) == ([], {})
    assert reasons(quote) == {PARKING: (1, "unreachable")}
    assert statuses(shopper.cart()) == {PARKING: "held"}
    shop.emulator.faults("reserve")
    assert quoted(shopper.reserve()) == {PARKING: 1}


def test_a_refused_connection_ends_in_an_empty_quote(make_shop: MakeShop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    shop = make_shop(api_url=url)
    shopper = shop.shopper()
    shopper.add(PARKING)
    quote, spent = timed(shopper.reserve)
    assert reasons(quote) == {PARKING: (1, "unreachable")}
    assert spent < SLACK
    assert shopper.pay()["status"] == "confirmed"  # the shop's own checkout goes on


@pytest.mark.parametrize("status", [500, 429])
def test_a_failed_call_is_made_a_second_time_and_no_third(
    shop: Shop, shopper: Shopper, status: int
) -> None:
    shopper.add(PARKING)
    shop.emulator.faults("reserve", {"kind": "status", "status": status})
    assert quoted(shopper.reserve()) == {PARKING: 1}
    assert len(shop.calls()) == 2
    shopper.add(PARKING, 2)
    shop.emulator.faults("reserve", {"kind": "status", "status": status, "times": None})
    assert quoted(shopper.reserve()) == {}
    assert len(shop.calls("reserve")) == 4


def test_a_shopper_beyond_the_limit_of_calls_goes_on_without_the_upsell(
    make_shop: MakeShop,
) -> None:
    shop = make_shop(max_calls=1)
    shopper = shop.shopper()
    shopper.add(PARKING)
    with shop.parts.api.bulkhead.slot(1), shop.limits(reserve_timeout=1):
        quote, spent = timed(shopper.reserve)
    assert reasons(quote) == {PARKING: (1, "busy")}
    assert spent < 1 + SLACK
    assert quoted(shopper.reserve()) == {PARKING: 1}


def test_giving_back_does_not_use_up_the_time_for_asking(make_shop: MakeShop) -> None:
    shop = make_shop()
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.reserve()
    shopper.add(PARKING, 2)
    shop.emulator.faults("release", {"kind": "hang", "seconds": FOR_EVER})
    with shop.limits(reserve_timeout=8):
        quote, spent = timed(shopper.reserve)
    assert quoted(quote) == {PARKING: 2}
    assert spent < 8 + SLACK


def test_giving_back_afterwards_keeps_to_the_limit_in_all(
    shop: Shop, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper.add(PARKING)
    shop.emulator.put("catalog", {"items": [{"catalogItemId": PARKING, "currency": "EUR"}]})
    monkeypatch.setattr(reserving, "RELEASE_SHARE", 1.0)  # so that the limit in all decides
    api, limits = shop.parts.api, []
    send = api.send

    def note(call: Call, *, limit: float, **more: Any) -> Outcome:
        limits.append((call.kind, limit))
        return send(call, limit=limit, **more)

    monkeypatch.setattr(api, "send", note)
    assert reasons(shopper.reserve()) == {PARKING: (1, "currency_changed")}
    assert [kind for kind, _ in limits] == [Kind.RESERVE, Kind.RELEASE]
    # The release has what the reserve left of the time.
    assert limits[1][1] < limits[0][1] < shop.parts.settings.reserve_timeout


def test_requests_at_once_on_one_session_make_one_call(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shop.emulator.faults("reserve", {"kind": "delay", "seconds": 0.2})
    handle = shopper.handle
    work = [lambda: shop.parts.checkout.reserve(handle, ReserveOptions())] * 5
    quotes = at_once(work)
    assert len({quote.quote_id for quote in quotes}) == 1
    assert len(shop.calls()) == 1
    assert at_rokt(shop) == [(PARKING, 1, "reserved")]


def test_two_sessions_do_not_wait_for_each_other(shop: Shop) -> None:
    hangs, goes_on = shop.shopper(), shop.shopper()
    for shopper in (hangs, goes_on):
        shopper.add(PARKING)
    shop.emulator.faults("reserve", {"kind": "hang", "seconds": FOR_EVER, "times": 1})
    with shop.limits(reserve_timeout=8):
        waiting = Thread(target=hangs.reserve)
        waiting.start()
        until(shop.calls)
    assert quoted(goes_on.reserve()) == {PARKING: 1}
    assert waiting.is_alive()
    waiting.join()


def test_a_lease_that_is_held_makes_a_busy_quote_with_what_is_reserved(
    make_shop: MakeShop,
) -> None:
    shop = make_shop()
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.reserve()
    shopper.add(POSTER)
    now = shop.clock()
    with shop.parts.store.write() as connection:
        session = find_session(connection, shopper.handle, now=now)
        assert session is not None
        assert take_lease(connection, session, "other", now=now, lasts=timedelta(seconds=30))
    with shop.limits(reserve_timeout=0.3):
        quote, spent = timed(shopper.reserve)
    assert spent < 0.3 + SLACK
    assert quoted(quote) == {PARKING: 1}
    assert reasons(quote) == {POSTER: (1, "busy")}
    assert len(shop.calls()) == 1
    shop.clock.move(31)  # whoever had it has died
    assert quoted(shopper.reserve()) == {PARKING: 1, POSTER: 1}


def test_a_server_killed_while_reserving_leaves_a_session_that_works(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    handle = shopper.handle
    with after_call(shop, "reserve", die), pytest.raises(Killed):
        shop.parts.checkout.reserve(handle, ReserveOptions())
    shop.clock.move(31)
    assert quoted(shopper.reserve()) == {PARKING: 1}
    assert shopper.pay()["status"] == "confirmed"


def test_a_change_in_another_tab_during_the_call_is_what_is_quoted(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING, 1)
    handle = shopper.handle
    with after_call(shop, "reserve", lambda: shopper.add(PARKING, 2)):
        quote = shop.parts.checkout.reserve(handle, ReserveOptions())
    assert [item.quantity for item in quote.items] == [2]
    cart = shopper.cart()
    assert [(item["quantity"], item["status"]) for item in cart["items"]] == [(2, "reserved")]
    assert shopper.reserve()["quoteId"] == quote.quote_id
    assert at_rokt(shop) == [(PARKING, 1, "released"), (PARKING, 2, "reserved")]


def test_what_was_removed_during_the_call_is_neither_quoted_nor_sold(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING, 1)
    shopper.add(POSTER)
    handle = shopper.handle
    with after_call(shop, "reserve", lambda: shopper.remove(POSTER)):
        quote = shop.parts.checkout.reserve(handle, ReserveOptions())
    assert [item.catalog_item_id for item in quote.items] == [PARKING]
    order = shopper.pay(quoteId=quote.quote_id)
    assert [item["catalogItemId"] for item in order["items"]] == [PARKING]
    assert shop.emulator.state()["catalog"][POSTER]["sold"] == 0


def test_what_was_released_during_the_call_is_not_quoted_as_reserved(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING, 1)
    shopper.reserve()
    shopper.add(POSTER)
    handle = shopper.handle
    with after_call(shop, "reserve", lambda: shopper.post("/cart/release")):
        quote = shop.parts.checkout.reserve(handle, ReserveOptions())
    assert {item.catalog_item_id for item in quote.items} == {PARKING, POSTER}
    held = [row["state"] for row in shop.emulator.state()["reservations"].values()]
    assert sorted(held) == ["released", "reserved", "reserved"]


def test_a_confirm_during_the_call_takes_the_cart_and_what_came_late_goes_to_the_next(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    first = shopper.reserve()
    shopper.add(POSTER)
    handle = shopper.handle
    with after_call(shop, "reserve", lambda: shopper.pay(quoteId=first["quoteId"])):
        second = shop.parts.checkout.reserve(handle, ReserveOptions())
    assert [item.catalog_item_id for item in second.items] == [POSTER]
    assert second.cart_id != first["cartId"]
    made = list(shop.emulator.state()["reservations"].values())
    assert [(one["catalogItemId"], one["state"], one["cartId"]) for one in made] == [
        (PARKING, "confirmed", first["cartId"]),
        (POSTER, "released", first["cartId"]),  # it belonged to the cart that was bought
        (POSTER, "reserved", second.cart_id),
    ]


@pytest.mark.parametrize(
    "second", [{"kind": "drop", "when": "after"}, {"kind": "status", "status": 429}], ids=str
)
def test_an_unknown_reserve_is_not_taken_for_nothing(
    shop: Shop, shopper: Shopper, second: dict[str, Any]
) -> None:
    shopper.add(PARKING)
    shop.emulator.faults("reserve", {"kind": "drop", "when": "after"}, second)
    assert reasons(shopper.reserve()) == {PARKING: (1, "unreachable")}
    with shop.parts.store.read() as connection:
        states = connection.exec_driver_sql("SELECT state FROM reservations").scalars().all()
    assert states == ["asked"]
