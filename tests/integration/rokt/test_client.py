"""The Cart API client against the emulator: what is sent, and the outcome of each response."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from bff.cart.reservation import Reservation
from bff.config.settings import Settings
from bff.rokt.calls import (
    Kind,
    cancel_call,
    release_call,
)
from bff.rokt.client import Attempt, CartApi
from bff.rokt.outcomes import Cause, Done, NotSent, Refused, Unknown
from tests.support.api_client import AMPLE
from tests.support.emulator_client import VIP, Client
from tests.support.rokt_calls import ask, confirm, reserve, row
from tests.support.waiting import until

KEY = "emulator-key"

MakeApi = Callable[..., CartApi]


@pytest.fixture
def watched() -> list[Attempt]:
    return []


@pytest.fixture
def make_api(emulator: Client, watched: list[Attempt]) -> MakeApi:
    def make(**settings: Any) -> CartApi:
        values = {"api_key": KEY, "tag_id": "emulator-tag", "api_url": emulator.url} | settings
        return CartApi(Settings(**values), lambda: datetime.now(UTC), watched.append)

    return make


@pytest.fixture
def api(make_api: MakeApi) -> CartApi:
    return make_api()


def sent(emulator: Client) -> Any:
    return emulator.journal()[-1]


@pytest.fixture
def held(emulator: Client) -> Reservation:
    return row(emulator.reserved(quantity=2), 2)


def test_each_call_goes_to_its_path_with_its_headers(
    api: CartApi, emulator: Client, held: Reservation
) -> None:
    other = row(emulator.reserved(VIP))
    calls = {
        "/v1/placements/any": ask(),
        "/v1/cart/reserve": reserve(),
        "/v1/cart/release": release_call(
            cart_id="cart-1", rows=[other], rokt_session_id="rokt-session"
        ),
        "/v1/cart/confirm": confirm(held),
        "/v1/confirmation/cancel": cancel_call(item_reservation_id=str(held.item_reservation_id)),
    }
    for path, call in calls.items():
        assert isinstance(api.send(call, limit=AMPLE), Done), path
        entry = sent(emulator)
        headers = entry["headers"]
        assert entry["path"] == path
        assert headers["rokt-api-key"] == "present"
        assert headers["content-type"] == headers["accept"] == "application/json"
        assert "accept-language" not in headers
        cancels = call.kind is Kind.CANCEL
        assert headers.get("rokt-tag-id") == (None if cancels else "emulator-tag")
        assert headers.get("rokt-session-id") == (None if cancels else "rokt-session")
        assert "cookie" not in headers
        assert "authorization" not in headers


@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        ({"kind": "status", "status": 500}, Unknown, 500),
        ({"kind": "status", "status": 503, "html": True}, Unknown, 503),
        ({"kind": "status", "status": 408}, Unknown, 408),
        ({"kind": "status", "status": 500, "when": "after"}, Unknown, 500),
        ({"kind": "status", "status": 429}, NotSent, 429),
        ({"kind": "status", "status": 400}, Refused, 400),
        ({"kind": "status", "status": 401}, Refused, 401),
        ({"kind": "status", "status": 403}, Refused, 403),
        ({"kind": "status", "status": 404, "html": True}, Refused, 404),
        ({"kind": "status", "status": 422}, Refused, 422),
        ({"kind": "status", "status": 302}, Refused, 302),
        ({"kind": "status", "status": 204}, Done, 204),
        ({"kind": "status", "status": 200, "body": ""}, Done, 200),
        ({"kind": "drop"}, Unknown, None),
        ({"kind": "drop", "when": "after"}, Unknown, None),
        ({"kind": "reset"}, Unknown, None),
        ({"kind": "reset", "when": "after"}, Unknown, None),
        ({"kind": "truncate"}, Unknown, None),
        ({"kind": "malformed"}, Unknown, 200),
        ({"kind": "html"}, Unknown, 200),
        ({"kind": "wrong_types"}, Unknown, 200),
        ({"kind": "delay", "seconds": 0.05}, Done, 200),
        ({"kind": "drip", "secondsPerByte": 0.0001}, Done, 200),
        ({"kind": "endless"}, Unknown, None),
        ({"kind": "reject", "all": True, "form": "422_all"}, Refused, 422),
        ({"kind": "reject", "all": True, "form": "422_named"}, Refused, 422),
        ({"kind": "reject", "all": True, "form": "absent"}, Done, 200),
        ({"kind": "no_stock"}, Done, 200),
        ({"kind": "grant_less", "quantity": 0}, Done, 200),
        ({"kind": "price", "catalogItemId": "parking.standard", "unitPrice": 1}, Done, 200),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_every_fault_is_one_of_four_outcomes(
    api: CartApi, emulator: Client, fault: dict[str, Any], kind: type, status: int | None
) -> None:
    emulator.faults("reserve", fault)
    outcome = api.send(reserve(), limit=AMPLE)
    assert type(outcome) is kind, outcome
    assert outcome.status == status
    assert len(emulator.journal()) == 1  # nothing is repeated, no redirect is followed


@pytest.mark.parametrize(("told", "seconds"), [(7, 7.0), ("soon", None), ("0", 0.0)])
def test_how_long_to_wait_is_read(
    api: CartApi, emulator: Client, told: object, seconds: float | None
) -> None:
    for status in (429, 503):
        emulator.faults("reserve", {"kind": "status", "status": status, "retryAfter": told})
        outcome = api.send(reserve(), limit=AMPLE)
        assert isinstance(outcome, NotSent | Unknown)
        assert outcome.retry_after == seconds


def test_beyond_the_limit_of_calls_at_a_time_nothing_is_sent(
    make_api: MakeApi, emulator: Client
) -> None:
    api = make_api(max_calls=1)
    with api.bulkhead.slot(AMPLE):
        assert api.send(reserve(), limit=0.1) == NotSent(
            Cause.BUSY, "all slots for calls to Rokt are taken"
        )
    assert emulator.journal() == []
    emulator.faults("any", {"kind": "delay", "seconds": 0.6})
    first = threading.Thread(target=api.send, args=[ask()], kwargs={"limit": AMPLE})
    first.start()
    until(lambda: not api.bulkhead._calls._value)  # the first one has the only slot
    assert isinstance(api.send(reserve(), limit=AMPLE), Done)  # it waited for the slot
    first.join()


def test_a_slot_is_freed_whatever_happens(make_api: MakeApi, emulator: Client) -> None:
    api = make_api(max_calls=1)
    for kind in ("drop", "truncate", "malformed"):
        emulator.faults("reserve", {"kind": kind})
        assert isinstance(api.send(reserve(), limit=AMPLE), Unknown)
    assert isinstance(api.send(reserve(), limit=AMPLE), Done)


def test_the_watcher_sees_each_attempt_but_no_secret(
    api: CartApi, emulator: Client, watched: list[Attempt]
) -> None:
    emulator.faults("reserve", {"kind": "status", "status": 401}, {"kind": "drop"})
    outcomes = [api.send(reserve(), limit=AMPLE, number=n, session_id="s-1") for n in (1, 2, 3)]
    assert [(a.outcome, a.number, a.session_id) for a in watched] == [
        (outcome, n, "s-1") for n, outcome in enumerate(outcomes, 1)
    ]
    told = repr(watched) + repr([a.call.document() for a in watched]) + repr(api._settings)
    assert KEY not in told
    assert KEY not in json.dumps([dict(a.call.headers) for a in watched])
