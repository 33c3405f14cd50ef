"""The emulator's five endpoints are what the Cart API's documentation says they are."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.support.emulator_client import (
    HEADERS,
    PARKING,
    PATHS,
    POSTER,
    VIP,
    Client,
    codes,
    running,
)

BODIES: dict[str, dict[str, Any]] = {
    "any": {"cartId": "c", "pageIdentifier": "checkout.upsell"},
    "reserve": {"cartId": "c", "items": [{"cartItemId": PARKING, "quantity": 1}]},
    "confirm": {"cartId": "c", "orderId": "o", "items": []},
    "release": {"cartId": "c", "items": [{"cartItemId": PARKING, "itemReservationId": "r"}]},
    "cancel": {"itemReservationId": "r"},
}
ENDPOINTS = list(PATHS)


@pytest.fixture(scope="module")
def server() -> Iterator[Client]:
    with running() as client:
        yield client


@pytest.fixture
def emulator(server: Client) -> Client:
    server.reset()
    return server


# headers


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("key", [None, "wrong"])
def test_a_call_without_the_right_key_is_a_401_with_no_body(
    emulator: Client, endpoint: str, key: str | None
) -> None:
    answer = emulator.call(endpoint, BODIES[endpoint], {"rokt-api-key": key})
    assert (answer.status_code, answer.content) == (401, b"")


def test_a_401_can_be_set_to_carry_the_documented_body(emulator: Client) -> None:
    emulator.put("settings", {"bodyOn401": True})
    answer = emulator.call("any", BODIES["any"], {"rokt-api-key": "wrong"})
    assert answer.status_code == 401
    assert codes(answer) == ["UNAUTHORIZED"]


@pytest.mark.parametrize("endpoint", ["any", "reserve", "confirm", "release"])
def test_a_tag_is_required_and_must_be_the_right_one(emulator: Client, endpoint: str) -> None:
    missing = emulator.call(endpoint, BODIES[endpoint], {"rokt-tag-id": None})
    assert (missing.status_code, codes(missing)) == (400, ["MISSING_HEADER"])
    wrong = emulator.call(endpoint, BODIES[endpoint], {"rokt-tag-id": "253_other"})
    assert (wrong.status_code, codes(wrong)) == (403, ["WRONG_TAG"])


@pytest.mark.parametrize("endpoint", ["reserve", "release"])
def test_reserve_and_release_need_a_session(emulator: Client, endpoint: str) -> None:
    answer = emulator.call(endpoint, BODIES[endpoint], {"rokt-session-id": None})
    assert (answer.status_code, codes(answer)) == (400, ["MISSING_HEADER"])
    assert emulator.stock("parking.standard") == 100


@pytest.mark.parametrize("endpoint", ["any", "confirm"])
def test_any_and_confirm_go_without_a_session(emulator: Client, endpoint: str) -> None:
    assert emulator.call(endpoint, BODIES[endpoint], {"rokt-session-id": None}).status_code == 200


def test_a_confirm_with_items_can_be_set_to_need_a_session(emulator: Client) -> None:
    emulator.put("settings", {"confirmNeedsSession": True})
    body = BODIES["confirm"] | {"items": [{"cartItemId": PARKING, "quantity": 1}]}
    refused = emulator.call("confirm", body, {"rokt-session-id": None})
    assert (refused.status_code, codes(refused)) == (400, ["MISSING_HEADER"])
    assert emulator.call("confirm", BODIES["confirm"], {"rokt-session-id": None}).status_code == 200
    assert emulator.call("confirm", body | {"orderId": "o2"}).status_code == 200


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("header", ["Content-Type", "Accept"])
def test_json_is_the_only_media_type(emulator: Client, endpoint: str, header: str) -> None:
    for value in ("text/plain", None):
        answer = emulator.call(endpoint, BODIES[endpoint], {header: value})
        assert (answer.status_code, codes(answer)) == (400, ["WRONG_MEDIA_TYPE"]), value


def test_a_charset_and_a_wildcard_are_json_too(emulator: Client) -> None:
    answer = emulator.call(
        "any", BODIES["any"], {"Content-Type": "application/json; charset=utf-8", "Accept": "*/*"}
    )
    assert answer.status_code == 200


# paths


@pytest.mark.parametrize("spelling", ["Cart", "cart", "CART"])
@pytest.mark.parametrize("endpoint", ["reserve", "confirm", "release"])
def test_the_paths_are_taken_in_either_spelling(
    emulator: Client, endpoint: str, spelling: str
) -> None:
    emulator.call(f"/v1/{spelling}/{endpoint}", BODIES[endpoint])
    (entry,) = emulator.journal()
    assert (entry["endpoint"], entry["path"]) == (endpoint, f"/v1/{spelling}/{endpoint}")
    assert entry["status"] in (200, 422)


@pytest.mark.parametrize(
    "path",
    ["/v1/cart/reserve/", "/v2/cart/reserve", "/", "/v1/Placements/any"],
)
def test_another_path_is_a_404_and_stands_in_the_journal(emulator: Client, path: str) -> None:
    answer = emulator.call(path, BODIES["reserve"])
    assert (answer.status_code, codes(answer)) == (404, ["NOT_FOUND"])
    assert [(e["endpoint"], e["path"]) for e in emulator.journal()] == [("other", path)]


def test_a_doubled_slash_is_another_path(emulator: Client) -> None:
    connection = HTTPConnection(emulator.url.removeprefix("http://"), timeout=60)
    with closing(connection):
        connection.request("POST", "//v1/cart/reserve", b"{}", HEADERS)
        assert connection.getresponse().status == 404
    assert [entry["path"] for entry in emulator.journal()] == ["//v1/cart/reserve"]


def test_only_post_is_a_call(emulator: Client) -> None:
    assert emulator.http.get(emulator.url + PATHS["reserve"], timeout=60).status_code == 404


# bodies


@pytest.mark.parametrize(
    ("endpoint", "change", "field"),
    [
        ("any", {"cartId": None}, "cartId"),
        ("any", {"cartId": ""}, "cartId"),
        ("any", {"pageIdentifier": 7}, "pageIdentifier"),
        ("any", {"attributes": {"a": 1}}, "attributes.a"),
        ("any", {"url": 1}, "url"),
        ("reserve", {"items": []}, "items"),
        ("reserve", {"items": {}}, "items"),
        ("reserve", {"items": [{"quantity": 1}]}, "items.0.cartItemId"),
        ("reserve", {"items": [{"cartItemId": PARKING}]}, "items.0.quantity"),
        ("reserve", {"items": [{"cartItemId": PARKING, "quantity": 0}]}, "items.0.quantity"),
        ("reserve", {"items": [{"cartItemId": PARKING, "quantity": 1.5}]}, "items.0.quantity"),
        ("reserve", {"items": [{"cartItemId": PARKING, "quantity": True}]}, "items.0.quantity"),
        ("reserve", {"isPayPalPayment": "yes"}, "isPayPalPayment"),
        ("reserve", {"merchantId": 5}, "merchantId"),
        ("confirm", {"orderId": None}, "orderId"),
        ("confirm", {"items": None}, "items"),
        ("confirm", {"items": [{"cartItemId": PARKING}]}, "items.0"),
        (
            "confirm",
            {"items": [{"cartItemId": PARKING, "quantity": 1, "unitPrice": "12.50"}]},
            "items.0.unitPrice",
        ),
        ("confirm", {"items": [{"cartItemId": PARKING, "quantity": 1}] * 2}, "items.1"),
        ("release", {"items": [{"cartItemId": PARKING}]}, "items.0.itemReservationId"),
        ("release", {"items": []}, "items"),
        ("cancel", {"itemReservationId": None}, "itemReservationId"),
    ],
)
def test_a_body_of_the_wrong_shape_is_a_400_that_names_the_member(
    emulator: Client, endpoint: str, change: dict[str, Any], field: str
) -> None:
    before = emulator.state()["catalog"]
    answer = emulator.call(endpoint, BODIES[endpoint] | change)
    assert (answer.status_code, codes(answer)) == (400, ["INVALID_REQUEST"])
    assert answer.json()["errors"][0]["value"] == {"field": field}
    assert emulator.state()["catalog"] == before
    assert emulator.state()["orders"] == {}


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b'{"cartId": NaN}', b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_json_object_is_a_400(emulator: Client, raw: bytes) -> None:
    answer = emulator.http.post(emulator.url + PATHS["any"], data=raw, headers=HEADERS, timeout=60)
    assert (answer.status_code, codes(answer)) == (400, ["INVALID_REQUEST"])


# placements/any


def test_any_says_whether_there_is_a_placement(emulator: Client) -> None:
    assert emulator.any().json() == {"result": True}
    emulator.put("settings", {"placements": False})
    assert emulator.any().json() == {"result": False}


def test_any_is_false_when_nothing_is_offered(emulator: Client) -> None:
    emulator.put("catalog", {"items": [], "replace": True})
    assert emulator.any().json() == {"result": False}


# reserve


def test_a_reserve_locks_price_and_stock_and_states_its_expiry(emulator: Client) -> None:
    answer = emulator.reserve((PARKING, 3))
    assert answer.status_code == 200
    body = answer.json()
    (item,) = body["items"]
    assert body["cartId"] == "cart-1"
    assert {k: item[k] for k in ("cartItemId", "quantity", "unitPrice", "totalPrice")} == {
        "cartItemId": PARKING,
        "quantity": 3,
        "unitPrice": 12.5,
        "totalPrice": 37.5,
    }
    assert item["currency"] == "USD"
    guid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert re.fullmatch(rf"rokt_item_reservation_id\.{guid}", item["itemReservationId"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", item["expirationDateTimeUtc"])
    expires = datetime.fromisoformat(item["expirationDateTimeUtc"])
    assert 590 < (expires - datetime.now(UTC)).total_seconds() <= 600
    assert emulator.stock("parking.standard") == 97
    emulator.put("catalog", {"items": [{"catalogItemId": "parking.standard", "unitPrice": 99}]})
    assert emulator.confirm(item).json()["items"][0]["unitPrice"] == 12.5


def test_the_same_item_reserved_again_is_a_second_reservation(emulator: Client) -> None:
    first, second = emulator.reserved(), emulator.reserved()
    assert first["itemReservationId"] != second["itemReservationId"]
    assert emulator.state()["catalog"]["parking.standard"]["reserved"] == 2


def test_several_items_may_be_reserved_in_part(emulator: Client) -> None:
    answer = emulator.reserve((PARKING, 1), (POSTER, 6), (VIP, 2))
    assert answer.status_code == 200
    assert [item["cartItemId"] for item in answer.json()["items"]] == [PARKING, VIP]


def test_two_lines_of_one_item_share_its_stock(emulator: Client) -> None:
    other = "v1:0009:poster.souvenir"
    answer = emulator.reserve((POSTER, 3), (other, 3))
    assert [item["cartItemId"] for item in answer.json()["items"]] == [POSTER]
    assert emulator.stock("poster.souvenir") == 2


def test_extra_members_are_let_pass(emulator: Client) -> None:
    body = BODIES["reserve"] | {
        "isPayPalPayment": True,
        "merchantId": "m",
        "attributes": {"email": "a@b.c"},
        "future": [1],
    }
    assert emulator.call("reserve", body).status_code == 200


def test_a_reservation_lapses_by_the_clock_and_gives_its_stock_back(emulator: Client) -> None:
    item = emulator.reserved(POSTER, 5)
    emulator.move_clock(599)
    assert emulator.stock("poster.souvenir") == 0
    emulator.move_clock(1)
    assert emulator.stock("poster.souvenir") == 5
    assert emulator.standing(item)["state"] == "lapsed"
    assert emulator.reserved(POSTER, 5)["quantity"] == 5


def test_the_length_of_a_reservation_is_a_setting(emulator: Client) -> None:
    emulator.put("settings", {"reservationSeconds": 2})
    item = emulator.reserved()
    emulator.move_clock(2)
    assert emulator.standing(item)["state"] == "lapsed"


# confirm


def test_a_confirm_fulfils_what_was_reserved(emulator: Client) -> None:
    item = emulator.reserved(PARKING, 2)
    answer = emulator.confirm(item, attributes={"a": "b"}, payment={"amount": 25.5})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["cartId"], body["orderId"]) == ("cart-1", "order-1")
    assert body["items"][0]["itemReservationId"] == item["itemReservationId"]
    standing = emulator.standing(item)
    assert (standing["state"], standing["fulfilled"]) == ("confirmed", 1)
    order = emulator.state()["orders"]["order-1"]
    assert (order["attributes"], order["extra"]) == ({"a": "b"}, {"payment": {"amount": 25.5}})
    assert emulator.state()["catalog"]["parking.standard"]["sold"] == 2


def test_a_confirmed_reservation_does_not_lapse(emulator: Client) -> None:
    item = emulator.reserved()
    emulator.confirm(item)
    emulator.move_clock(10_000)
    assert emulator.standing(item)["state"] == "confirmed"
    assert emulator.stock("parking.standard") == 99


def test_ids_alone_are_enough_to_confirm(emulator: Client) -> None:
    item = emulator.reserved()
    names = {k: item[k] for k in ("cartItemId", "itemReservationId")}
    assert emulator.confirm(names).status_code == 200
    assert emulator.standing(item)["fulfilled"] == 1


def test_a_purchase_without_an_upsell_is_a_confirm_with_no_items(emulator: Client) -> None:
    assert emulator.confirm().status_code == 200
    assert emulator.state()["orders"]["order-1"]["items"] == []


def test_an_item_can_be_bought_by_quantity_alone(emulator: Client) -> None:
    line = {"cartItemId": POSTER, "quantity": 2}
    answer = emulator.confirm(line)
    assert answer.status_code == 200
    assert emulator.stock("poster.souvenir") == 3
    assert emulator.confirm(line).status_code == 200
    (sold,) = emulator.state()["orders"]["order-1"]["items"]
    assert (sold["held"], sold["fulfilled"], sold["confirmCalls"]) == (False, 1, 2)
    assert emulator.cancel(answer.json()["items"][0]).status_code == 200
    assert emulator.stock("poster.souvenir") == 5


def test_buying_more_than_there_is_is_refused_by_name(emulator: Client) -> None:
    answer = emulator.confirm(
        {"cartItemId": POSTER, "quantity": 3}, {"cartItemId": "v1:9:poster.souvenir", "quantity": 3}
    )
    assert (answer.status_code, codes(answer)) == (422, ["OUT_OF_STOCK"])
    assert answer.json()["errors"][0]["value"] == {"cartItemId": "v1:9:poster.souvenir"}
    assert emulator.stock("poster.souvenir") == 5


def test_a_double_fulfilment_by_two_ways_is_visible(emulator: Client) -> None:
    item = emulator.reserved()
    emulator.confirm(item)
    emulator.confirm({"cartItemId": PARKING, "quantity": 1})
    sold = emulator.state()["orders"]["order-1"]["items"]
    assert [(s["cartItemId"], s["fulfilled"]) for s in sold] == [(PARKING, 1), (PARKING, 1)]


def test_a_repeated_confirm_is_the_same_success_and_fulfils_once(emulator: Client) -> None:
    item = emulator.reserved()
    first, second = emulator.confirm(item), emulator.confirm(item)
    assert (second.status_code, second.json()) == (200, first.json())
    standing = emulator.standing(item)
    assert (standing["fulfilled"], standing["confirmCalls"]) == (1, 2)
    assert [entry["effect"] for entry in emulator.journal("?endpoint=confirm")] == [True, False]


def test_a_repeated_confirm_can_be_an_error_that_says_already(emulator: Client) -> None:
    emulator.put("settings", {"repeatConfirm": "error"})
    item = emulator.reserved()
    assert emulator.confirm(item).status_code == 200
    again = emulator.confirm(item)
    assert (again.status_code, codes(again)) == (422, ["ALREADY_CONFIRMED"])
    value = again.json()["errors"][0]["value"]
    assert value["itemReservationId"] == item["itemReservationId"]
    assert emulator.standing(item)["fulfilled"] == 1
    assert emulator.confirm(order="order-2").status_code == 200
    assert codes(emulator.confirm(order="order-2")) == ["ALREADY_CONFIRMED"]


def test_a_later_item_of_the_same_order_is_fulfilled_beside_a_repeated_one(
    emulator: Client,
) -> None:
    first, second = emulator.reserved(PARKING), emulator.reserved(VIP)
    emulator.confirm(first)
    assert emulator.confirm(first, second).status_code == 200
    assert [emulator.standing(i)["fulfilled"] for i in (first, second)] == [1, 1]


def _lapsed(emulator: Client, item: dict[str, Any]) -> dict[str, Any]:
    emulator.move_clock(601)
    return item


def _released(emulator: Client, item: dict[str, Any]) -> dict[str, Any]:
    emulator.release(item)
    return item


def _of_another_order(emulator: Client, item: dict[str, Any]) -> dict[str, Any]:
    emulator.confirm(item, order="order-0")
    return item


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_lapsed, "RESERVATION_EXPIRED"),
        (_released, "RESERVATION_RELEASED"),
        (_of_another_order, "OTHER_ORDER"),
        (lambda _, i: i | {"itemReservationId": "unknown"}, "RESERVATION_NOT_FOUND"),
        (lambda _, i: i | {"cartItemId": VIP}, "RESERVATION_NOT_FOUND"),
        (lambda _, i: i | {"quantity": 2}, "QUANTITY_MISMATCH"),
        (lambda _, i: i | {"unitPrice": 12.49}, "PRICE_MISMATCH"),
        (lambda _, i: i | {"totalPrice": 13}, "PRICE_MISMATCH"),
    ],
)
def test_a_confirm_that_cannot_be_is_a_422_that_names_the_item_and_does_nothing(
    emulator: Client, spoil: Any, code: str
) -> None:
    item = spoil(emulator, emulator.reserved())
    good = emulator.reserved(VIP)
    answer = emulator.confirm(good, item)
    assert (answer.status_code, codes(answer)) == (422, [code])
    assert answer.json()["errors"][0]["value"] == {
        "cartItemId": item["cartItemId"],
        "itemReservationId": item["itemReservationId"],
    }
    assert emulator.standing(good)["state"] == "reserved"
    assert "order-1" not in emulator.state()["orders"]


def test_a_reservation_counts_for_the_cart_that_made_it(emulator: Client) -> None:
    item = emulator.reserved(cart="cart-1")
    assert codes(emulator.confirm(item, cart="cart-2")) == ["RESERVATION_NOT_FOUND"]
    assert codes(emulator.release(item, cart="cart-2")) == ["RESERVATION_NOT_FOUND"]
    emulator.confirm(item)
    assert codes(emulator.confirm(cart="cart-2")) == ["OTHER_CART"]


# release


def test_a_release_gives_the_stock_back_and_echoes(emulator: Client) -> None:
    item = emulator.reserved(POSTER, 5)
    answer = emulator.release(item)
    assert answer.status_code == 200
    names = {k: item[k] for k in ("cartItemId", "itemReservationId")}
    assert answer.json() == {"cartId": "cart-1", "items": [names]}
    assert emulator.stock("poster.souvenir") == 5
    assert emulator.standing(item)["state"] == "released"
    emulator.move_clock(10_000)
    assert emulator.stock("poster.souvenir") == 5


def test_a_release_of_what_has_lapsed_is_refused(emulator: Client) -> None:
    good = emulator.reserved(VIP)
    emulator.put("settings", {"reservationSeconds": 5})
    item = emulator.reserved()
    emulator.move_clock(5)
    answer = emulator.release(good, item)
    assert (answer.status_code, codes(answer)) == (422, ["RESERVATION_EXPIRED"])
    assert emulator.standing(good)["state"] == "reserved"


def test_a_release_of_what_was_confirmed_is_refused(emulator: Client) -> None:
    item = emulator.reserved()
    emulator.confirm(item)
    assert codes(emulator.release(item)) == ["ALREADY_CONFIRMED"]
    assert emulator.standing(item)["state"] == "confirmed"


@pytest.mark.parametrize(("setting", "status"), [("error", 422), ("ok", 200)])
def test_a_repeated_release_has_both_answers_and_one_effect(
    emulator: Client, setting: str, status: int
) -> None:
    emulator.put("settings", {"repeatRelease": setting})
    item = emulator.reserved(POSTER, 2)
    assert emulator.release(item).status_code == 200
    assert emulator.release(item).status_code == status
    assert emulator.stock("poster.souvenir") == 5


# cancel


def test_a_cancel_has_no_body_and_needs_neither_tag_nor_session(emulator: Client) -> None:
    item = emulator.reserved(POSTER, 2)
    emulator.confirm(item)
    answer = emulator.cancel(item)
    assert (answer.status_code, answer.content) == (200, b"")
    standing = emulator.standing(item)
    assert (standing["state"], standing["cancelled"]) == ("cancelled", 1)
    assert emulator.stock("poster.souvenir") == 5


def test_a_cancel_that_the_provider_refuses_is_a_422(emulator: Client) -> None:
    change = {"catalogItemId": "parking.standard", "refuseCancel": True}
    emulator.put("catalog", {"items": [change]})
    item = emulator.reserved()
    emulator.confirm(item)
    answer = emulator.cancel(item)
    assert (answer.status_code, codes(answer)) == (422, ["CANCEL_REFUSED"])
    assert emulator.standing(item)["state"] == "confirmed"


def test_only_what_was_confirmed_can_be_cancelled(emulator: Client) -> None:
    assert codes(emulator.cancel(emulator.reserved())) == ["NOT_CONFIRMED"]
    unknown = emulator.cancel({"itemReservationId": "nobody"})
    assert (unknown.status_code, codes(unknown)) == (422, ["RESERVATION_NOT_FOUND"])


@pytest.mark.parametrize(("setting", "status"), [("error", 422), ("ok", 200)])
def test_a_repeated_cancel_has_both_answers_and_one_effect(
    emulator: Client, setting: str, status: int
) -> None:
    emulator.put("settings", {"repeatCancel": setting})
    item = emulator.reserved(POSTER, 2)
    emulator.confirm(item)
    assert emulator.cancel(item).status_code == 200
    assert emulator.cancel(item).status_code == status
    assert emulator.standing(item)["cancelled"] == 1
    assert emulator.stock("poster.souvenir") == 5
