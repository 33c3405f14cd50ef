"""Rokt's answer to a reserve: each way of saying no, and what is locked where it says yes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.cart.reservation import Reason
from bff.rokt.responses import (
    MAX_ID,
    Denied,
    Granted,
    read_confirm,
    read_reserve,
    reason_of,
)
from tests.support.samples import cart_item

ASKED = [cart_item("a", quantity=3), cart_item("b", quantity=1)]
RESERVATION = "rokt_item_reservation_id.a"


def yes(cart_item_id: str = "a", **more: Any) -> dict[str, Any]:
    plain = {
        "cartItemId": cart_item_id,
        "itemReservationId": f"rokt_item_reservation_id.{cart_item_id}",
        "quantity": 3 if cart_item_id == "a" else 1,
        "unitPrice": 12.5,
        "totalPrice": 37.5 if cart_item_id == "a" else 12.5,
        "currency": "USD",
        "expirationDateTimeUtc": "2026-03-01T12:10:00Z",
    }
    return plain | more


def granted(**more: Any) -> Granted:
    """What is read for item a when the answer says so."""
    answers = read_reserve({"cartId": "c", "items": [yes(**more), yes("b")]}, ASKED)
    assert answers is not None
    assert isinstance(answers[1], Granted), "the other item is not touched by it"
    assert isinstance(answers[0], Granted)
    return answers[0]


def denied(answer: dict[str, Any]) -> Denied:
    answers = read_reserve(answer, ASKED)
    assert answers is not None
    assert isinstance(answers[1], Granted), "the other item is not touched by it"
    assert isinstance(answers[0], Denied)
    return answers[0]


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in yes().items() if key != name}


def test_what_rokt_grants_is_what_it_locked() -> None:
    assert granted(unitPrice=11.9, totalPrice=35.7) == Granted(
        "a",
        RESERVATION,
        3,
        Decimal("11.90"),
        Decimal("35.70"),
        "USD",
        datetime(2026, 3, 1, 12, 10, tzinfo=UTC),
    )


def test_answers_come_in_the_order_of_asking_whatever_rokts_order() -> None:
    answers = read_reserve({"items": [yes("z"), yes("b"), yes("a"), None, 3]}, ASKED)
    assert answers is not None
    assert [answer.cart_item_id for answer in answers] == ["a", "b"]


def test_of_an_item_that_is_told_twice_the_first_counts() -> None:
    answers = read_reserve({"items": [yes(), yes("b"), yes(unitPrice=1)]}, ASKED)
    assert answers is not None
    assert isinstance(answers[0], Granted)
    assert answers[0].unit_price == Decimal("12.50")


def test_members_that_nobody_knows_are_passed_over() -> None:
    more = {"newMember": {"deep": [1]}, "status": "RESERVED", "success": True, "reason": None}
    assert granted(**more) == granted()


@pytest.mark.parametrize("name", ["quantity", "totalPrice"])
def test_a_quantity_that_rokt_leaves_out_is_as_asked_and_a_total_is_computed(name: str) -> None:
    answers = read_reserve({"items": [without(name), yes("b")]}, ASKED)
    assert answers is not None
    assert answers[0] == granted()


@pytest.mark.parametrize(
    "item",
    [without("unitPrice"), yes(unitPrice=None), without("currency"), yes(currency=None)],
    ids=["no price", "null price", "no currency", "null currency"],
)
def test_the_browsers_word_is_never_taken_for_what_rokt_locked(item: dict[str, Any]) -> None:
    """Else a price of a cent, or in a currency that is worth little, would be charged."""
    assert denied({"items": [item, yes("b")]}) == Denied("a", Reason.REJECTED, RESERVATION)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (None, Reason.REJECTED),
        (without("itemReservationId"), Reason.REJECTED),
        (yes(itemReservationId=""), Reason.REJECTED),
        (yes(itemReservationId=None), Reason.REJECTED),
        (yes(itemReservationId=17), Reason.REJECTED),
        (yes(itemReservationId="x" * (MAX_ID + 1)), Reason.REJECTED),
        (yes(quantity=0), Reason.REJECTED),
        (yes(quantity=-3), Reason.REJECTED),
        (yes(quantity=0.5), Reason.REJECTED),
        (yes(quantity="3"), Reason.REJECTED),
        (yes(quantity=True), Reason.REJECTED),
        (yes(quantity=float("nan")), Reason.REJECTED),
        (yes(status="REJECTED"), Reason.REJECTED),
        (yes(state="not available"), Reason.REJECTED),
        (yes(reservationStatus="Failed"), Reason.REJECTED),
        (yes(itemStatus="OutOfStock"), Reason.SOLD_OUT),
        (yes(result="SOLD_OUT"), Reason.SOLD_OUT),
        (yes(status="Declined", reason="no inventory left"), Reason.SOLD_OUT),
        (yes(status="Declined", reason={"deep": "sold"}), Reason.REJECTED),
        (yes(success=False), Reason.REJECTED),
        (yes(reserved=False), Reason.REJECTED),
        (yes(isAvailable=False), Reason.REJECTED),
    ],
)
def test_each_way_of_saying_no_to_one_item_is_understood(
    item: dict[str, Any] | None, reason: Reason
) -> None:
    items = [yes("b")] if item is None else [item, yes("b")]
    assert denied({"items": items}) == Denied("a", reason)


@pytest.mark.parametrize("value", ["a", {"cartItemId": "a"}, [{"items": ["x", {"id": "a"}]}]])
def test_an_item_that_an_error_names_is_rejected(value: object) -> None:
    error = {"code": "OUT_OF_STOCK", "message": None, "value": value}
    answer = {"items": [yes(), yes("b")], "errors": ["x", None, error]}
    assert denied(answer) == Denied("a", Reason.SOLD_OUT)


@pytest.mark.parametrize("value", ["aa", "A", None, 3, {"a": 1}])
def test_an_error_that_names_something_else_rejects_nothing(value: object) -> None:
    answers = read_reserve({"items": [yes(), yes("b")], "errors": [{"value": value}]}, ASKED)
    assert answers is not None
    assert isinstance(answers[0], Granted)


@pytest.mark.parametrize(("quantity", "got"), [(2, 2), (1, 1), (2.9, 2), (1.0, 1), (3, 3)])
def test_a_smaller_quantity_is_granted_and_the_rest_is_not(quantity: float, got: int) -> None:
    grant = granted(quantity=quantity, totalPrice=None)
    assert (grant.quantity, grant.total_price) == (got, Decimal("12.50") * got)


@pytest.mark.parametrize("quantity", [4, 1e22, 10**400, float("inf")])
def test_more_than_was_asked_for_is_not_sold(quantity: float) -> None:
    grant = granted(quantity=quantity, totalPrice=999)
    assert (grant.quantity, grant.total_price) == (3, Decimal("37.50"))


@pytest.mark.parametrize("currency", ["EUR", "usd", 840, ["USD"], {"code": "USD"}])
def test_another_currency_is_no_grant_and_what_is_held_goes_back(currency: object) -> None:
    answer = {"items": [yes(currency=currency), yes("b")]}
    assert denied(answer) == Denied("a", Reason.CURRENCY_CHANGED, RESERVATION)


@pytest.mark.parametrize("name", ["unitPrice", "totalPrice"])
@pytest.mark.parametrize("price", ["12.5", True, -1, float("nan"), float("inf"), 1e22, 10**400, []])
def test_a_price_that_is_no_amount_is_no_grant_and_what_is_held_goes_back(
    name: str, price: object
) -> None:
    answer = {"items": [yes() | {name: price}, yes("b")]}
    assert denied(answer) == Denied("a", Reason.REJECTED, RESERVATION)


@pytest.mark.parametrize(
    ("unit", "total", "locked"),
    [
        (12.5, 37.5, ("12.50", "37.50")),
        (12.509, 37.527, ("12.50", "37.50")),  # digits that no currency has are dropped
        (0.1, 0.30000000000000004, ("0.10", "0.30")),
        (12.5, 40, ("12.50", "37.50")),  # a total above unit × quantity does not count
        (12.5, 30, ("12.50", "30.00")),  # a discount does
        (12.5, 30.009, ("12.50", "30.00")),
        (-0.0, 0, ("0.00", "0.00")),
        (1e-300, 5, ("0.00", "0.00")),
    ],
)
def test_the_locked_prices_have_the_currencys_digits(
    unit: float, total: float, locked: tuple[str, str]
) -> None:
    grant = granted(unitPrice=unit, totalPrice=total)
    assert (str(grant.unit_price), str(grant.total_price)) == locked


PRICE = st.floats(0, 1000) | st.integers(0, 10**6).map(lambda cents: cents / 100)


@given(PRICE, PRICE, st.integers(1, 5))
@settings(max_examples=120, deadline=None)
def test_a_shopper_never_pays_more_than_rokt_locked(
    unit: float, total: float, quantity: int
) -> None:
    grant = granted(unitPrice=unit, totalPrice=total, quantity=quantity)
    assert grant.unit_price <= Decimal(repr(unit))
    assert grant.total_price <= Decimal(repr(total))
    assert grant.total_price <= grant.unit_price * grant.quantity


@pytest.mark.parametrize("answer", [None, [], "text", 3, True, {"items": {}}, {"items": "a"}])
def test_an_answer_without_sense_is_none_at_all(answer: object) -> None:
    assert read_reserve(answer, ASKED) is None


@pytest.mark.parametrize("answer", [{}, {"items": []}, {"items": [yes("z")], "errors": {}}])
def test_an_answer_that_names_no_item_rejects_all(answer: dict[str, Any]) -> None:
    rejected = [Denied("a", Reason.REJECTED), Denied("b", Reason.REJECTED)]
    assert read_reserve(answer, ASKED) == rejected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("a"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["items", "errors", "value", *yes()]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON, st.dictionaries(st.sampled_from([*yes(), "status", "success", "reason"]), JSON))
@settings(max_examples=120, deadline=None)
def test_no_answer_raises_and_no_grant_breaks_its_bounds(anything: Any, odd: Any) -> None:
    for answer in (anything, {"items": [yes() | odd, anything], "errors": anything}):
        for one in read_reserve(json.loads(json.dumps(answer)), ASKED) or []:
            if isinstance(one, Granted):
                asked = next(item for item in ASKED if item.cart_item_id == one.cart_item_id)
                assert 1 <= one.quantity <= asked.quantity
                assert 0 <= one.total_price <= one.unit_price * one.quantity
        ids, refused = read_confirm(answer)
        assert all(isinstance(one, str) for one in (*ids, *ids.values(), *refused))


def test_a_confirms_answer_says_ids_and_refusals_as_far_as_it_says_anything() -> None:
    items = [yes(), yes("b", status="FAILED"), {"cartItemId": "c", "confirmed": True}, 3]
    ids, refused = read_confirm({"orderId": "1", "items": items})
    assert ids == {"a": RESERVATION, "b": "rokt_item_reservation_id.b"}
    assert refused == {"b"}


@pytest.mark.parametrize("answer", [None, [], {}, {"items": None}, {"items": "a"}])
def test_a_confirms_answer_may_say_nothing(answer: object) -> None:
    assert read_confirm(answer) == ({}, frozenset())


@pytest.mark.parametrize("words", ["SOLD_OUT", "out of stock", "NoInventory"])
def test_words_of_stock_are_told_from_others(words: str) -> None:
    assert reason_of(words) is Reason.SOLD_OUT
    assert reason_of("LIMIT_REACHED") is Reason.REJECTED
