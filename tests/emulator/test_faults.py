"""Each fault does what its name says, when and as often as was asked for."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import requests

from tests.support.emulator_client import PARKING, Client, codes, running
from tests.support.waiting import until

JSON = "application/json"


@pytest.fixture(scope="module")
def server() -> Iterator[Client]:
    with running() as client:
        yield client


@pytest.fixture
def emulator(server: Client) -> Client:
    server.reset()
    return server


def _held(emulator: Client) -> int:
    found: int = emulator.state()["catalog"]["parking.standard"]["reserved"]
    return found


def _eventually(emulator: Client, held: int) -> None:
    """Wait until so much is held: the effect of a call whose client has gone."""
    until(lambda: _held(emulator) == held)


# status


def test_a_status_comes_with_the_documented_body_and_no_effect(emulator: Client) -> None:
    emulator.faults("reserve", {"kind": "status", "status": 503, "retryAfter": 7})
    answer = emulator.reserve((PARKING, 1))
    assert (answer.status_code, codes(answer)) == (503, ["INJECTED"])
    assert answer.headers["Retry-After"] == "7"
    assert answer.headers["Content-Type"] == JSON
    assert _held(emulator) == 0
    (entry,) = emulator.journal()
    assert (entry["status"], entry["fault"], entry["effect"]) == (503, "status", False)
    assert entry["answer"] == answer.json()


def test_a_status_after_the_effect(emulator: Client) -> None:
    emulator.faults("reserve", {"kind": "status", "status": 500, "when": "after"})
    assert emulator.reserve((PARKING, 1)).status_code == 500
    assert _held(emulator) == 1
    assert emulator.journal()[0]["effect"] is True


def test_a_status_with_a_body_of_its_own(emulator: Client) -> None:
    when = "Fri, 01 Jan 2027 00:00:00 GMT"
    emulator.faults(
        "any",
        {"kind": "status", "status": 429, "body": {"a": 1.5}, "retryAfter": when},
        {"kind": "status", "status": 502, "body": "bad gateway"},
        {"kind": "status", "status": 503, "html": True},
        {"kind": "status", "status": 401},
        {"kind": "status", "status": 204, "body": "never"},
        {"kind": "status", "status": 200, "body": ""},
    )
    first, second, third, fourth, fifth, sixth = (emulator.any() for _ in range(6))
    assert (first.status_code, first.json(), first.headers["Retry-After"]) == (
        429,
        {"a": 1.5},
        when,
    )
    assert (second.status_code, second.text) == (502, "bad gateway")
    assert third.headers["Content-Type"].startswith("text/html")
    assert "<html>" in third.text
    assert (fourth.status_code, fourth.content) == (401, b"")
    assert (fifth.status_code, fifth.headers["Content-Length"]) == (204, "0")
    assert emulator.journal()[4]["answer"] is None
    assert (sixth.status_code, sixth.content) == (200, b"")


# connections


@pytest.mark.parametrize("kind", ["drop", "reset"])
@pytest.mark.parametrize(("when", "held"), [("before", 0), ("after", 1)])
def test_a_connection_is_cut_before_or_after_the_effect(
    emulator: Client, kind: str, when: str, held: int
) -> None:
    emulator.faults("reserve", {"kind": kind, "when": when})
    with pytest.raises(requests.ConnectionError) as cut:
        emulator.reserve((PARKING, 1))
    assert ("reset by peer" in str(cut.value)) == (kind == "reset")
    assert _held(emulator) == held
    (entry,) = emulator.journal()
    assert (entry["status"], entry["answer"], entry["open"]) == (None, None, False)
    assert (entry["fault"], entry["effect"]) == (kind, bool(held))


def test_the_retry_of_a_confirm_whose_answer_was_lost_fulfils_once(emulator: Client) -> None:
    item = emulator.reserved()
    emulator.faults("confirm", {"kind": "drop", "when": "after"})
    with pytest.raises(requests.ConnectionError):
        emulator.confirm(item)
    assert emulator.confirm(item).status_code == 200
    standing = emulator.standing(item)
    assert (standing["fulfilled"], standing["confirmCalls"]) == (1, 2)


def test_a_hang_says_nothing_until_its_end(emulator: Client) -> None:
    emulator.faults("reserve", {"kind": "hang", "seconds": 30}, {"kind": "hang", "seconds": 0.05})
    body = {"cartId": "c", "items": [{"cartItemId": PARKING, "quantity": 1}]}
    with pytest.raises(requests.ReadTimeout):
        emulator.call("reserve", body, timeout=0.1)
    with pytest.raises(requests.ConnectionError):
        emulator.call("reserve", body)
    assert _held(emulator) == 0


# time


def test_a_delay_holds_the_true_answer_back(emulator: Client) -> None:
    emulator.faults("any", {"kind": "delay", "seconds": 0.2})
    start = time.monotonic()
    assert emulator.any().json() == {"result": True}
    assert time.monotonic() - start >= 0.2


def test_a_delay_after_the_effect_is_felt_by_the_client_alone(emulator: Client) -> None:
    emulator.faults("reserve", {"kind": "delay", "seconds": 30, "when": "after"})
    body = {"cartId": "c", "items": [{"cartItemId": PARKING, "quantity": 1}]}
    with pytest.raises(requests.ReadTimeout):
        emulator.call("reserve", body, timeout=0.1)
    _eventually(emulator, 1)
    assert emulator.journal()[0]["open"] is True


def test_a_call_whose_client_gave_up_still_takes_effect_after_the_delay(emulator: Client) -> None:
    emulator.faults("reserve", {"kind": "delay", "seconds": 2})
    body = {"cartId": "c", "items": [{"cartItemId": PARKING, "quantity": 1}]}
    with pytest.raises(requests.ReadTimeout):
        emulator.call("reserve", body, timeout=0.05)
    assert _held(emulator) == 0
    _eventually(emulator, 1)


def test_a_call_that_a_reset_overtook_has_no_effect(emulator: Client) -> None:
    emulator.faults("reserve", {"kind": "delay", "seconds": 2})
    with ThreadPoolExecutor(1) as pool, closing(requests.Session()) as other:
        late = Client(emulator.url)
        late.http = other
        call = pool.submit(late.reserve, (PARKING, 1))
        until(emulator.journal)
        emulator.reset()
        assert call.result().status_code == 500
    assert _held(emulator) == 0
    assert emulator.journal() == []


# bodies


def test_a_truncated_body_stops_short_of_its_length_with_the_effect_done(
    emulator: Client,
) -> None:
    emulator.faults("reserve", {"kind": "truncate"})
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        emulator.reserve((PARKING, 1))
    assert _held(emulator) == 1
    (entry,) = emulator.journal()
    assert (entry["status"], entry["effect"]) == (200, True)


def test_an_empty_body_can_be_truncated_too(emulator: Client) -> None:
    item = emulator.reserved()
    emulator.confirm(item)
    emulator.faults("cancel", {"kind": "truncate"})
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        emulator.cancel(item)
    assert emulator.standing(item)["state"] == "cancelled"


@pytest.mark.parametrize("kind", ["malformed", "html", "wrong_types"])
@pytest.mark.parametrize(("when", "held"), [({}, 1), ({"when": "before"}, 0)])
def test_a_200_can_carry_anything(
    emulator: Client, kind: str, when: dict[str, str], held: int
) -> None:
    emulator.faults("reserve", {"kind": kind} | when)
    answer = emulator.reserve((PARKING, 1))
    assert answer.status_code == 200
    assert _held(emulator) == held
    if kind == "wrong_types":
        assert not isinstance(answer.json()["items"], list)
    else:
        assert answer.headers["Content-Type"].startswith(
            JSON if kind == "malformed" else "text/html"
        )
        with pytest.raises(requests.JSONDecodeError):
            answer.json()


def test_a_mangled_answer_can_be_chosen(emulator: Client) -> None:
    emulator.faults(
        "reserve",
        {"kind": "malformed", "body": "nope"},
        {"kind": "wrong_types", "body": {"items": [None]}},
    )
    assert emulator.reserve((PARKING, 1)).text == "nope"
    assert emulator.reserve((PARKING, 1)).json() == {"items": [None]}


def test_a_dripping_body_comes_whole_but_late(emulator: Client) -> None:
    emulator.faults("any", {"kind": "drip", "secondsPerByte": 0.1})
    start = time.monotonic()
    # each byte comes well within the time limit of one read, the whole does not
    assert emulator.any(timeout=1).json() == {"result": True}
    assert time.monotonic() - start > 1


def test_an_endless_body_goes_on(emulator: Client) -> None:
    emulator.faults("any", {"kind": "endless"})
    url = emulator.url + "/v1/placements/any"
    body = {"cartId": "c", "pageIdentifier": "p"}
    headers = {"rokt-api-key": "emulator-key", "rokt-tag-id": "emulator-tag"}
    with requests.post(url, json=body, headers=headers, stream=True, timeout=60) as answer:
        assert "Content-Length" not in answer.headers
        read = 0
        for chunk in answer.iter_content(65_536):
            read += len(chunk)
            if read > 4_000_000:
                break
    assert read > 4_000_000
    assert emulator.any().json() == {"result": True}  # and the emulator is as before


# how often, and where


def test_faults_are_used_up_in_order_and_touch_their_endpoint_alone(emulator: Client) -> None:
    emulator.put(
        "faults",
        {
            "reserve": [
                {"kind": "status", "status": 503, "times": 2},
                {"kind": "status", "status": 429},
            ],
            "confirm": [{"kind": "status", "status": 500, "times": None}],
        },
    )
    assert emulator.any().status_code == 200
    assert [emulator.reserve((PARKING, 1)).status_code for _ in range(4)] == [503, 503, 429, 200]
    assert [emulator.confirm().status_code for _ in range(4)] == [500] * 4
    left = emulator.control("GET", "faults").json()
    assert left == {"reserve": [], "confirm": [{"kind": "status", "times": None}]}
    emulator.put("faults", {})
    assert emulator.confirm().status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], ""),
        ({"pay": []}, "pay"),
        ({"any": {}}, "any"),
        ({"any": [{}]}, "any.0.kind"),
        ({"any": [{"kind": "explode"}]}, "any.0.kind"),
        ({"any": [{"kind": "status"}]}, "any.0.status"),
        ({"any": [{"kind": "status", "status": 99}]}, "any.0.status"),
        ({"any": [{"kind": "status", "status": 500, "retryAfter": "a\r\nb"}]}, "any.0.retryAfter"),
        ({"any": [{"kind": "delay"}]}, "any.0.seconds"),
        ({"any": [{"kind": "delay", "seconds": -1}]}, "any.0.seconds"),
        ({"any": [{"kind": "drop", "when": "during"}]}, "any.0.when"),
        ({"any": [{"kind": "drop", "times": 0}]}, "any.0.times"),
        ({"any": [{"kind": "drop", "seconds": 1}]}, "any.0.seconds"),
        ({"any": [{"kind": "truncate", "when": "before"}]}, "any.0.when"),
        ({"any": [{"kind": "reject", "all": True}]}, "any.0.kind"),
        ({"reserve": [{"kind": "reject"}]}, "reserve.0"),
        ({"reserve": [{"kind": "reject", "all": True, "form": "x"}]}, "reserve.0.form"),
        ({"reserve": [{"kind": "price", "unitPrice": 1}]}, "reserve.0.catalogItemId"),
        ({"reserve": [{"kind": "grant_less"}]}, "reserve.0.quantity"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_by_name_and_the_old_ones_stay(
    emulator: Client, body: Any, field: str
) -> None:
    emulator.faults("any", {"kind": "status", "status": 503})
    answer = emulator.control("PUT", "faults", body)
    assert (answer.status_code, codes(answer)) == (422, ["INVALID_REQUEST"])
    assert answer.json()["errors"][0]["value"] == {"field": field}
    assert emulator.any().status_code == 503
