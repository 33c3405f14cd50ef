"""The controls: impressions, catalogue, settings, clock, reset and the journal."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests

from bff.emulator import CatalogItem, EmulatorSettings, create_emulator
from bff.emulator.journal import LIMIT, Journal
from tests.support.emulator_client import HEADERS, PARKING, PATHS, POSTER, Client, codes, running


@pytest.fixture(scope="module")
def server() -> Iterator[Client]:
    with running() as client:
        yield client


@pytest.fixture
def emulator(server: Client) -> Client:
    server.reset()
    return server


def _offers(emulator: Client, query: str = "") -> Any:
    return emulator.control("GET", f"offers{query}").json()["offers"]


# offers


def test_an_impression_has_all_that_a_placement_needs(emulator: Client) -> None:
    impression = emulator.control("GET", "offers").json()
    assert set(impression) == {"sessionId", "pageInstanceGuid", "offers", "maxTotal"}
    offers = {offer["catalogItemId"]: offer for offer in impression["offers"]}
    assert {key: offer["unitPrice"] for key, offer in offers.items()} == {
        "parking.standard": 12.5,
        "parking.vip": 20.0,
        "insurance.ticket": 7.25,
        "poster.souvenir": 15.0,
    }
    parking, insurance = offers["parking.standard"], offers["insurance.ticket"]
    assert {k: parking[k] for k in ("currency", "minItemCount", "maxItemCount", "preselected")} == {
        "currency": "USD",
        "minItemCount": 0,
        "maxItemCount": 4,
        "preselected": 0,
    }
    assert parking["soldOut"] is False
    assert "linkedProductId" not in parking
    assert json.loads(parking["providerData"])["lot"] == "north"
    assert insurance["linkedProductId"] == "ticket.concert"
    assert insurance["quantityMustBeSynchronized"] is True


def test_every_impression_has_fresh_ids_that_can_be_reserved(emulator: Client) -> None:
    first, second = _offers(emulator)[0], _offers(emulator)[0]
    assert first["cartItemId"] != second["cartItemId"]
    assert first["catalogItemId"] == second["catalogItemId"]
    emulator.put("settings", {"acceptUnissued": False})
    for offer in (first, second):
        assert emulator.reserved(offer["cartItemId"])["cartItemId"] == offer["cartItemId"]
    assert emulator.reserve((PARKING, 1)).json()["items"] == []


def test_what_is_sold_out_or_withdrawn_shows_in_the_next_impression(emulator: Client) -> None:
    emulator.reserved(POSTER, 5)
    emulator.put("catalog", {"items": [{"catalogItemId": "parking.vip", "offered": False}]})
    sold_out = {offer["catalogItemId"]: offer["soldOut"] for offer in _offers(emulator)}
    assert sold_out == {
        "parking.standard": False,
        "insurance.ticket": False,
        "poster.souvenir": True,
    }


def test_without_placements_there_is_no_offer(emulator: Client) -> None:
    emulator.put("catalog", {"placements": False})
    assert _offers(emulator) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 0, 0, 0]),
        ("?preselect=parking.vip", [0, 1, 0, 0]),
        ("?preselect=parking.vip:2,poster.souvenir", [0, 2, 0, 1]),
        ("?preselect=parking.vip:9", [0, 2, 0, 0]),
        ("?preselect=all", [1, 1, 1, 1]),
    ],
)
def test_offers_can_be_preselected(emulator: Client, query: str, expected: list[int]) -> None:
    assert [offer["preselected"] for offer in _offers(emulator, query)] == expected


def test_a_preselection_of_what_is_not_on_offer_is_refused(emulator: Client) -> None:
    answer = emulator.control("GET", "offers?preselect=nobody")
    assert (answer.status_code, codes(answer)) == (422, ["INVALID_REQUEST"])


def test_an_impression_may_be_of_named_items_which_need_not_be_on_offer(emulator: Client) -> None:
    emulator.put("catalog", {"items": [{"catalogItemId": "parking.vip", "offered": False}]})
    assert "parking.vip" not in [offer["catalogItemId"] for offer in _offers(emulator)]
    named = _offers(emulator, "?items=poster.souvenir,parking.vip")
    assert [offer["catalogItemId"] for offer in named] == ["poster.souvenir", "parking.vip"]
    assert emulator.control("GET", "offers?items=nobody").status_code == 422


def test_pages_of_any_origin_may_draw_offers_and_do_nothing_else(emulator: Client) -> None:
    origin = {"Origin": "http://shop.test"}
    offers = requests.get(f"{emulator.url}/_emulator/offers", headers=origin, timeout=60)
    assert offers.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in offers.headers
    state = requests.get(f"{emulator.url}/_emulator/state", headers=origin, timeout=60)
    assert "Access-Control-Allow-Origin" not in state.headers


# catalogue


def test_a_known_item_is_changed_in_what_is_given_alone(emulator: Client) -> None:
    change = {"catalogItemId": "parking.vip", "unitPrice": 22.25, "stock": 1}
    items = {i["catalogItemId"]: i for i in emulator.put("catalog", {"items": [change]})["items"]}
    assert len(items) == 4
    vip = items["parking.vip"]
    assert (vip["unitPrice"], vip["stock"], vip["name"]) == (22.25, 1, "VIP parking")


def test_a_new_item_can_be_sold_at_once(emulator: Client) -> None:
    item = {
        "catalogItemId": "drink:large",
        "name": "A drink",
        "unitPrice": 3,
        "currency": "EUR",
        "stock": 2,
        "providerData": '{"a":1}',
        "linkedProductId": "ticket.concert",
        "quantityMustBeSynchronized": False,
        "minItemCount": 1,
        "maxItemCount": 2,
        "preselected": 1,
        "imageAlt": "A glass",
    }
    emulator.put("catalog", {"items": [item]})
    offer = _offers(emulator)[-1]
    assert {k: v for k, v in item.items() if k != "stock"}.items() <= offer.items()
    sold = emulator.reserved("anything:drink:large", 2)
    assert (sold["unitPrice"], sold["currency"]) == (3.0, "EUR")
    assert _offers(emulator)[-1]["soldOut"] is True


def test_the_whole_catalogue_can_be_replaced(emulator: Client) -> None:
    held = emulator.reserved(PARKING)
    item = {"catalogItemId": "only", "name": "Only", "unitPrice": 1.5}
    emulator.put("catalog", {"items": [item], "replace": True})
    assert [offer["catalogItemId"] for offer in _offers(emulator)] == ["only"]
    assert emulator.release(held).status_code == 200  # what is gone does not break what was held


def test_null_takes_an_optional_member_away(emulator: Client) -> None:
    change = {"catalogItemId": "insurance.ticket", "linkedProductId": None}
    emulator.put("catalog", {"items": [change]})
    assert "linkedProductId" not in _offers(emulator)[2]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"item": []}, "item"),
        ({"items": {}}, "items"),
        ({"items": [{"name": "x"}]}, "items.0.catalogItemId"),
        ({"items": [{"catalogItemId": "new", "unitPrice": 1}]}, "items.0.name"),
        ({"items": [{"catalogItemId": "new", "name": "x"}]}, "items.0.unitPrice"),
        ({"items": [{"catalogItemId": "parking.vip", "unitPrice": "1"}]}, "items.0.unitPrice"),
        ({"items": [{"catalogItemId": "parking.vip", "unitPrice": -1}]}, "items.0.unitPrice"),
        ({"items": [{"catalogItemId": "parking.vip", "unitPrice": 1e300}]}, "items.0.unitPrice"),
        ({"items": [{"catalogItemId": "parking.vip", "stock": -1}]}, "items.0.stock"),
        ({"items": [{"catalogItemId": "parking.vip", "stock": None}]}, "items.0.stock"),
        ({"items": [{"catalogItemId": "parking.vip", "colour": "red"}]}, "items.0.colour"),
        ({"items": [{"catalogItemId": "parking.vip", "maxItemCount": 1, "minItemCount": 2}]}, None),
        ({"items": [{"catalogItemId": "parking.vip"}] * 2}, "items.1.catalogItemId"),
        ({"placements": "no"}, "placements"),
    ],
)
def test_a_catalogue_that_cannot_be_is_refused_by_name_and_nothing_changes(
    emulator: Client, body: dict[str, Any], field: str | None
) -> None:
    good = {"catalogItemId": "parking.standard", "unitPrice": 99}
    if isinstance(body.get("items"), list):
        body = body | {"items": [*body["items"], good]}
    before = emulator.control("GET", "catalog").json()
    answer = emulator.control("PUT", "catalog", body)
    assert (answer.status_code, codes(answer)) == (422, ["INVALID_REQUEST"])
    expected = field or "items.0.maxItemCount"
    assert answer.json()["errors"][0]["value"] == {"field": expected}
    assert emulator.control("GET", "catalog").json() == before


# settings, clock, reset


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"rejectionForm": "odd"}, "rejectionForm"),
        ({"repeatConfirm": True}, "repeatConfirm"),
        ({"reservationSeconds": -1}, "reservationSeconds"),
        ({"apiKey": ""}, "apiKey"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name_and_nothing_changes(
    emulator: Client, body: dict[str, Any], field: str
) -> None:
    before = emulator.control("GET", "settings").json()
    answer = emulator.control("PUT", "settings", {"placements": False} | body)
    assert (answer.status_code, codes(answer)) == (422, ["INVALID_REQUEST"])
    assert answer.json()["errors"][0]["value"] == {"field": field}
    assert emulator.control("GET", "settings").json() == before


def test_the_key_can_be_changed_and_is_never_shown(emulator: Client) -> None:
    shown = emulator.put("settings", {"apiKey": "other-key", "tagId": "other-tag"})
    assert shown["tagId"] == "other-tag"
    assert "other-key" not in json.dumps(shown)
    assert emulator.any().status_code == 401


@pytest.mark.parametrize("change", [{"api_key": ""}, {"rejection_form": "odd"}])
def test_settings_that_cannot_be_are_refused_at_the_start(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        EmulatorSettings(**change)


@pytest.mark.parametrize("body", [{}, {"seconds": -1}, {"seconds": "1"}, {"hours": 1}, []])
def test_the_clock_goes_forward_only(emulator: Client, body: Any) -> None:
    assert emulator.control("POST", "clock", body).status_code == 422


def test_the_clock_moves_the_times_of_everything(emulator: Client) -> None:
    before = emulator.state()["now"]
    answer = emulator.control("POST", "clock", {"seconds": 86_400}).json()
    assert answer["now"][:10] > before[:10]
    emulator.any()
    assert emulator.journal()[-1]["at"][:10] == answer["now"][:10]
    assert emulator.reserved()["expirationDateTimeUtc"][:10] >= answer["now"][:10]


def test_a_reset_restores_everything() -> None:
    item = CatalogItem("only", "Only", Decimal(12), stock=3)
    with running(EmulatorSettings(reservation_seconds=60, catalog=(item,))) as emulator:
        fresh = [emulator.control("GET", name).json() for name in ("catalog", "settings")]
        emulator.reserved("x:only", 2)
        emulator.confirm({"cartItemId": "x:only", "quantity": 1})
        change = {"catalogItemId": "only", "unitPrice": 9}
        emulator.put("catalog", {"items": [change], "placements": False})
        emulator.put("settings", {"rejectionForm": "status", "reservationSeconds": 1})
        emulator.faults("any", {"kind": "status", "status": 500, "times": None})
        emulator.move_clock(100_000)
        moved = emulator.state()["now"]
        emulator.reset()
        assert [emulator.control("GET", name).json() for name in ("catalog", "settings")] == fresh
        state = emulator.state()
        assert (state["reservations"], state["orders"]) == ({}, {})
        assert state["now"] < moved
        assert emulator.control("GET", "faults").json() == {}
        assert emulator.any().json() == {"result": True}
        assert [entry["n"] for entry in emulator.journal()] == [1]


# journal


def test_the_journal_tells_what_was_sent_and_answered(emulator: Client) -> None:
    answer = emulator.reserve((PARKING, 2))
    (entry,) = emulator.journal()
    assert set(entry) == {
        "n",
        "at",
        "endpoint",
        "path",
        "headers",
        "body",
        "status",
        "answer",
        "fault",
        "effect",
        "open",
    }
    assert entry["body"] == {"cartId": "cart-1", "items": [{"cartItemId": PARKING, "quantity": 2}]}
    assert (entry["n"], entry["status"], entry["answer"]) == (1, 200, answer.json())
    assert (entry["fault"], entry["effect"], entry["open"]) == (None, True, False)
    assert entry["at"].endswith("Z")
    assert entry["headers"]["rokt-tag-id"] == "emulator-tag"
    assert entry["headers"]["rokt-session-id"] == "session-1"
    assert entry["headers"]["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("key", "noted"), [("emulator-key", "present"), ("secret-other", "wrong"), (None, "absent")]
)
def test_the_key_is_in_the_journal_as_a_word_alone(
    emulator: Client, key: str | None, noted: str
) -> None:
    body = {"cartId": "c", "pageIdentifier": "p", "attributes": {"oops": "emulator-key"}}
    emulator.call("any", body, {"rokt-api-key": key, "X-Copy": "Bearer emulator-key"})
    (entry,) = emulator.journal()
    assert entry["headers"]["rokt-api-key"] == noted
    text = json.dumps(entry)
    assert "emulator-key" not in text
    assert "secret-other" not in text


def test_the_journal_keeps_a_body_that_is_no_json_as_text(emulator: Client) -> None:
    emulator.http.post(emulator.url + PATHS["any"], data=b"{nope", headers=HEADERS, timeout=60)
    assert emulator.journal()[0]["body"] == "{nope"


def test_the_journal_can_be_read_by_endpoint_and_from_a_number_on(emulator: Client) -> None:
    emulator.any()
    emulator.reserved()
    emulator.any()
    assert [entry["n"] for entry in emulator.journal("?endpoint=any")] == [1, 3]
    assert [entry["n"] for entry in emulator.journal("?after=1")] == [2, 3]
    assert [entry["n"] for entry in emulator.journal("?endpoint=any&after=1")] == [3]
    assert emulator.control("GET", "journal?endpoint=pay").status_code == 422
    assert emulator.control("GET", "journal?after=x").status_code == 422


def test_controls_are_not_in_the_journal(emulator: Client) -> None:
    emulator.control("GET", "state")
    unknown = emulator.control("GET", "nobody")
    assert (unknown.status_code, codes(unknown)) == (404, ["NOT_FOUND"])
    wrong = emulator.control("POST", "faults", {})
    assert (wrong.status_code, codes(wrong)) == (405, ["NOT_FOUND"])
    assert emulator.journal() == []


def test_the_journal_is_bounded_and_says_so() -> None:
    journal = Journal()
    for _ in range(LIMIT + 3):
        journal.arrive(datetime.now(UTC), "any", "/", {}, None)
    read = journal.read(after=LIMIT)
    assert [entry["n"] for entry in read["entries"]] == [LIMIT + 1, LIMIT + 2, LIMIT + 3]
    assert (read["count"], read["limit"], read["dropped"]) == (LIMIT + 3, LIMIT, 3)
    assert journal.read()["entries"][0]["n"] == 4


# another server


def test_without_its_own_server_faults_on_the_wire_are_refused_when_they_are_set() -> None:
    client = create_emulator().test_client()
    refused = client.put("/_emulator/faults", json={"any": [{"kind": "drop"}]})
    assert refused.status_code == 422
    assert refused.get_json()["errors"][0]["value"] == {"field": "any.0.kind"}
    taken = client.put("/_emulator/faults", json={"any": [{"kind": "status", "status": 503}]})
    assert taken.status_code == 200
    body = {"cartId": "c", "pageIdentifier": "p"}
    assert client.post(PATHS["any"], json=body, headers=HEADERS).status_code == 503
