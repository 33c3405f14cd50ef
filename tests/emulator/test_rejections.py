"""Every form in which a rejected item may appear is one that a setting or a fault can choose."""

from collections.abc import Iterator
from typing import Any

import pytest

from bff.emulator import REJECTION_FORMS
from tests.support.emulator_client import PARKING, POSTER, VIP, Client, codes, running


@pytest.fixture(scope="module")
def server() -> Iterator[Client]:
    with running() as client:
        yield client


@pytest.fixture
def emulator(server: Client) -> Client:
    server.reset()
    return server


def _reserve_six_of_five(emulator: Client, form: str) -> Any:
    """Ask for one more poster than there is, beside parking that can be had."""
    emulator.put("settings", {"rejectionForm": form})
    return emulator.reserve((PARKING, 1), (POSTER, 6))


def _held(emulator: Client) -> dict[str, int]:
    """Count what is really reserved, by item."""
    found = {key: item["reserved"] for key, item in emulator.state()["catalog"].items()}
    return {key: count for key, count in found.items() if count}


PARKING_ONLY = {"parking.standard": 1}
KEYS = {
    "cartItemId",
    "itemReservationId",
    "quantity",
    "unitPrice",
    "totalPrice",
    "currency",
    "expirationDateTimeUtc",
}


def test_absent(emulator: Client) -> None:
    answer = _reserve_six_of_five(emulator, "absent")
    assert answer.status_code == 200
    assert set(answer.json()) == {"cartId", "items"}
    assert [item["cartItemId"] for item in answer.json()["items"]] == [PARKING]
    assert _held(emulator) == PARKING_ONLY


def test_no_id(emulator: Client) -> None:
    body = _reserve_six_of_five(emulator, "no_id").json()
    parking, poster = body["items"]
    assert set(body) == {"cartId", "items"}
    assert set(parking) == KEYS
    assert set(poster) == KEYS - {"itemReservationId", "expirationDateTimeUtc"}
    assert poster["quantity"] == 6
    assert _held(emulator) == PARKING_ONLY


def test_smaller(emulator: Client) -> None:
    body = _reserve_six_of_five(emulator, "smaller").json()
    _, poster = body["items"]
    assert (set(poster), poster["quantity"], poster["totalPrice"]) == (KEYS, 5, 75.0)
    assert _held(emulator) == PARKING_ONLY | {"poster.souvenir": 5}
    assert emulator.confirm(poster).status_code == 200


def test_smaller_with_nothing_left_is_a_quantity_of_zero(emulator: Client) -> None:
    emulator.reserved(POSTER, 5)
    emulator.put("settings", {"rejectionForm": "smaller"})
    (poster,) = emulator.reserve((POSTER, 1)).json()["items"]
    assert (poster["quantity"], poster["totalPrice"]) == (0, 0)
    assert "itemReservationId" not in poster


@pytest.mark.parametrize("word", ["REJECTED", "out_of_stock"])
def test_status(emulator: Client, word: str) -> None:
    emulator.put("settings", {"rejectionStatus": word})
    body = _reserve_six_of_five(emulator, "status").json()
    parking, poster = body["items"]
    assert set(body) == {"cartId", "items"}
    assert (parking["status"], poster["status"]) == ("RESERVED", word)
    assert set(poster) == KEYS | {"status"}
    assert _held(emulator) == PARKING_ONLY
    assert codes(emulator.confirm(poster)) == ["RESERVATION_NOT_FOUND"]


def test_error_value(emulator: Client) -> None:
    body = _reserve_six_of_five(emulator, "error_value").json()
    _, poster = body["items"]
    assert set(poster) == KEYS
    (error,) = body["errors"]
    assert error["value"] == {"cartItemId": POSTER, "quantity": 6}
    assert _held(emulator) == PARKING_ONLY
    assert codes(emulator.confirm(poster)) == ["RESERVATION_NOT_FOUND"]


def test_422_named(emulator: Client) -> None:
    answer = _reserve_six_of_five(emulator, "422_named")
    assert (answer.status_code, codes(answer)) == (422, ["OUT_OF_STOCK"])
    assert answer.json()["errors"][0]["value"] == {"cartItemId": POSTER, "quantity": 6}
    assert _held(emulator) == {}


def test_422_all(emulator: Client) -> None:
    answer = _reserve_six_of_five(emulator, "422_all")
    assert (answer.status_code, codes(answer)) == (422, ["OUT_OF_STOCK"])
    assert POSTER not in answer.text
    assert _held(emulator) == {}


@pytest.mark.parametrize("form", ["error_value", "422_named"])
def test_an_error_can_name_an_item_by_its_bare_id(emulator: Client, form: str) -> None:
    emulator.put("settings", {"errorValue": "id"})
    answer = _reserve_six_of_five(emulator, form)
    assert answer.json()["errors"][0]["value"] == POSTER


@pytest.mark.parametrize("form", REJECTION_FORMS)
def test_an_unknown_item_is_rejected_in_every_form(emulator: Client, form: str) -> None:
    emulator.put("settings", {"rejectionForm": form})
    answer = emulator.reserve(("never-issued", 1))
    assert answer.status_code == (422 if form.startswith("422") else 200)
    assert emulator.state()["reservations"] == {}


@pytest.mark.parametrize("form", REJECTION_FORMS)
def test_what_can_be_had_is_had_in_every_form(emulator: Client, form: str) -> None:
    emulator.put("settings", {"rejectionForm": form})
    item = emulator.reserved(PARKING, 2)
    assert set(item) - {"status"} == KEYS
    assert emulator.confirm(item).status_code == 200


# faults about items


def test_a_fault_rejects_the_named_catalog_item_once(emulator: Client) -> None:
    emulator.faults("reserve", {"kind": "reject", "catalogItemIds": ["parking.vip"]})
    items = emulator.reserve((PARKING, 1), (VIP, 1)).json()["items"]
    assert [item["cartItemId"] for item in items] == [PARKING]
    assert len(emulator.reserve((PARKING, 1), (VIP, 1)).json()["items"]) == 2
    first, second = emulator.journal()
    assert (first["fault"], second["fault"]) == ("reject", None)


def test_a_fault_rejects_one_impression_in_a_form_of_its_own(emulator: Client) -> None:
    emulator.faults("reserve", {"kind": "reject", "cartItemIds": [VIP], "form": "422_named"})
    answer = emulator.reserve((PARKING, 1), (VIP, 1))
    assert (answer.status_code, codes(answer)) == (422, ["ITEM_REJECTED"])
    assert answer.json()["errors"][0]["value"]["cartItemId"] == VIP


def test_a_fault_rejects_everything(emulator: Client) -> None:
    emulator.faults("reserve", {"kind": "reject", "all": True})
    assert emulator.reserve((PARKING, 1), (VIP, 1)).json()["items"] == []


def test_a_rejection_in_the_form_smaller_takes_one_away(emulator: Client) -> None:
    emulator.faults("reserve", {"kind": "reject", "all": True, "form": "smaller"})
    (item,) = emulator.reserve((PARKING, 3)).json()["items"]
    assert item["quantity"] == 2


def test_no_stock(emulator: Client) -> None:
    emulator.faults(
        "reserve",
        {"kind": "no_stock", "catalogItemIds": ["parking.vip"]},
        {"kind": "no_stock"},
    )
    first = emulator.reserve((PARKING, 1), (VIP, 1)).json()["items"]
    assert [item["cartItemId"] for item in first] == [PARKING]
    assert emulator.reserve((PARKING, 1), (VIP, 1)).json()["items"] == []


def test_grant_less(emulator: Client) -> None:
    fault = {"kind": "grant_less", "quantity": 1, "catalogItemIds": ["parking.standard"]}
    emulator.faults("reserve", fault)
    parking, vip = emulator.reserve((PARKING, 3), (VIP, 2)).json()["items"]
    assert (parking["quantity"], parking["totalPrice"], vip["quantity"]) == (1, 12.5, 2)
    assert emulator.standing(parking)["quantity"] == 1


def test_a_changed_price_is_locked_for_that_call_alone(emulator: Client) -> None:
    fault = {"kind": "price", "catalogItemId": "parking.standard", "unitPrice": 13.75}
    emulator.faults("reserve", fault)
    item = emulator.reserved(PARKING, 2)
    assert (item["unitPrice"], item["totalPrice"]) == (13.75, 27.5)
    assert emulator.confirm(item).json()["items"][0]["unitPrice"] == 13.75
    assert emulator.reserved()["unitPrice"] == 12.5


@pytest.mark.parametrize(
    ("fault", "code"),
    [({"kind": "reject", "all": True}, "ITEM_REJECTED"), ({"kind": "no_stock"}, "OUT_OF_STOCK")],
)
def test_a_purchase_by_quantity_can_be_refused(
    emulator: Client, fault: dict[str, Any], code: str
) -> None:
    emulator.faults("confirm", fault)
    answer = emulator.confirm({"cartItemId": PARKING, "quantity": 1})
    assert (answer.status_code, codes(answer)) == (422, [code])
    assert emulator.state()["orders"] == {}


def test_a_confirm_of_a_reservation_can_be_refused_by_name(emulator: Client) -> None:
    item, other = emulator.reserved(), emulator.reserved(VIP)
    emulator.faults("confirm", {"kind": "reject", "cartItemIds": [VIP]})
    answer = emulator.confirm(item, other)
    assert (answer.status_code, codes(answer)) == (422, ["ITEM_REJECTED"])
    assert answer.json()["errors"][0]["value"]["cartItemId"] == VIP
    assert emulator.standing(item)["fulfilled"] == 0
