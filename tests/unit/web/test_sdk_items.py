"""An update's body is read strictly where something is computed from it, and named where wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.cart.held_cart import CartItem
from bff.cart.updates import Update
from bff.errors import InvalidInput
from bff.web.schemas.fields import MAX_ID
from bff.web.schemas.sdk_items import MAX_NAME, MAX_TEXT
from tests.support.samples import PAGE
from tests.support.sdk_bodies import (
    EUROS,
    GOOD,
    OLD,
    PLAIN,
    item,
    read,
    read_with_session,
    wrong,
    wrong_item,
)


def test_the_callbacks_spelling_is_read() -> None:
    assert read({"updatedItem": GOOD, "oldItem": OLD}) == Update(
        item=CartItem(
            "v1:8ef7a1b2:parking",
            "parkwhiz_quote.84118520",
            "Parking",
            "Lot A",
            2,
            Decimal("12.5"),
            "USD",
        ),
        old_id="v1:old",
    )


def test_the_messages_spelling_is_read_the_same() -> None:
    one = read({"updatedItem": GOOD, "oldItem": OLD})
    other = read({"cartItem": GOOD, "oldCartItem": OLD})
    assert (other.item, other.old_id, other.name) == (one.item, one.old_id, "cartItem")


def test_what_goes_with_the_items_is_read() -> None:
    more = {"page": PAGE.upper(), "seq": 7, "preselected": True, "roktSessionId": "abc-1"}
    update, rokt_session_id = read_with_session({"updatedItem": GOOD} | more, PLAIN)
    assert (update.page, update.seq, update.preselected) == (PAGE, 7, True)
    assert rokt_session_id == "abc-1"


def test_optional_members_of_an_item_are_read() -> None:
    more = {"linkedProductId": "SKU", "quantityMustBeSynchronized": True}
    found = read({"updatedItem": item(**more)}).item
    assert found is not None
    assert (found.linked_product_id, found.quantity_must_be_synchronized) == ("SKU", True)


def test_members_that_nobody_knows_are_passed_over() -> None:
    update = read({"updatedItem": item(colour="blue"), "oldItem": None, "newer": [1]})
    assert update.item == read({"updatedItem": GOOD}).item


def test_what_is_null_or_absent_of_the_optional_is_empty() -> None:
    bare = {k: v for k, v in GOOD.items() if k not in ("name", "description", "totalPrice")}
    optional = ("name", "description", "linkedProductId", "page", "seq")
    for one in (bare, item(**dict.fromkeys(optional)), item(quantityMustBeSynchronized=None)):
        assert read({"updatedItem": one, "page": None, "seq": None}).item is not None


@pytest.mark.parametrize("new", [None, {"cartItemId": "a", "quantity": 0}])
def test_a_removal_is_spelled_in_two_ways(new: dict[str, Any] | None) -> None:
    old = {"cartItemId": "a", "catalogItemId": "catalogItemId", "quantity": "made up"}
    update = read({"cartItem": new, "oldCartItem": old if new is None else None})
    assert (update.item, update.removed_id) == (None, "a")
    assert update.removed_catalog_id == (None if new else "catalogItemId")


@pytest.mark.parametrize("name", [None, 3, {}, [], ""])
def test_a_removal_may_name_no_catalogue_item(name: object) -> None:
    old = OLD | {"catalogItemId": name}
    assert read({"updatedItem": None, "oldItem": old}).removed_catalog_id in (None, "")


def test_of_an_item_with_quantity_zero_only_the_id_counts() -> None:
    empty = dict.fromkeys(("catalogItemId", "name", "description", "currency"), "")
    body = item(**empty, quantity=-0.0, unitPrice="?", totalPrice=None)
    assert read({"updatedItem": body, "oldItem": OLD}).removed_id == GOOD["cartItemId"]


@pytest.mark.parametrize("names", [("updatedItem", "oldItem"), ("cartItem", "oldCartItem")])
def test_both_null_is_nothing(names: tuple[str, str]) -> None:
    update = read(dict.fromkeys(names))
    assert (update.item, update.removed_id, update.old_id) == (None, None, None)


@pytest.mark.parametrize("body", [{}, {"page": PAGE, "seq": 1}, {"item": GOOD}])
def test_neither_item_is_refused(body: dict[str, Any]) -> None:
    assert list(wrong(body)) == ["updatedItem"]


@pytest.mark.parametrize("body", [None, [], [GOOD], "text", 3, True])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    assert list(wrong(body)) == ["body"]


@pytest.mark.parametrize("value", ["text", 3, True, [GOOD]])
@pytest.mark.parametrize("name", ["updatedItem", "oldItem", "cartItem", "oldCartItem"])
def test_an_item_that_is_no_object_is_refused_by_its_name(name: str, value: object) -> None:
    assert list(wrong({name: value})) == [name]


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("cartItemId", MAX_ID),
        ("catalogItemId", MAX_ID),
        ("linkedProductId", MAX_ID),
        ("name", MAX_NAME),
        ("description", MAX_TEXT),
    ],
)
def test_texts_are_bounded_and_hold_what_a_database_can_keep(name: str, most: int) -> None:
    assert read({"updatedItem": item(**{name: "x" * most})}).item is not None
    texts: tuple[Any, ...] = ("x" * (most + 1), "a\x00b", "a\ud800b", 5, ["x"])
    for bad in texts:
        assert wrong_item(PLAIN, **{name: bad}) == [f"updatedItem.{name}"]


@pytest.mark.parametrize("name", ["cartItemId", "catalogItemId"])
@pytest.mark.parametrize("bad", ["", " ", " a", "a ", "a\nb", "a\n", "é", None])
def test_an_id_is_printable_and_not_empty(name: str, bad: str | None) -> None:
    assert wrong_item(PLAIN, **{name: bad}) == [f"updatedItem.{name}"]


@pytest.mark.parametrize("name", ["cartItemId", "catalogItemId", "quantity", "unitPrice"])
def test_a_required_member_that_is_missing_is_named(name: str) -> None:
    rest = {k: v for k, v in GOOD.items() if k != name}
    assert list(wrong({"cartItem": rest})) == [f"cartItem.{name}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("linkedProductId", ""), ("quantityMustBeSynchronized", "yes"), ("catalogItemId", {"a": 1})],
)
def test_other_wrong_members_are_named(name: str, value: object) -> None:
    assert wrong_item(PLAIN, **{name: value}) == [f"updatedItem.{name}"]


def test_an_item_that_says_hardly_anything_is_refused_by_what_it_must_say() -> None:
    assert "updatedItem.quantity" in wrong({"updatedItem": {}})
    assert list(wrong({"updatedItem": {"quantity": 0}})) == ["updatedItem.cartItemId"]


def test_every_wrong_member_is_named_at_once() -> None:
    bad = wrong_item(catalogItemId="", unitPrice=-1, name=3)
    assert sorted(bad) == [f"updatedItem.{name}" for name in ("catalogItemId", "name", "unitPrice")]
    assert sorted(wrong_item(quantity=1000, currency="usd")) == [
        "updatedItem.currency",
        "updatedItem.quantity",
    ]


@pytest.mark.parametrize(
    ("name", "old"), [("oldItem", {}), ("oldItem", {"cartItemId": 3}), ("oldCartItem", {"a": 1})]
)
def test_an_old_item_without_an_id_is_refused_by_its_name(name: str, old: dict[str, Any]) -> None:
    assert list(wrong({name: old})) == [f"{name}.cartItemId"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page", "no uuid"),
        ("page", 3),
        ("page", []),
        ("seq", 0),
        ("seq", -1),
        ("seq", 1.5),
        ("seq", "1"),
        ("seq", True),
        ("seq", 10**12),
        ("seq", 10**400),
        ("preselected", "yes"),
        ("preselected", []),
        ("roktSessionId", ""),
        ("roktSessionId", "a\nb"),
        ("roktSessionId", "x" * 129),
    ],
)
def test_what_goes_with_the_items_is_refused_by_name(name: str, value: object) -> None:
    assert list(wrong({"updatedItem": None, "oldItem": None, name: value})) == [name]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*GOOD, "updatedItem", "oldCartItem", "page"]), inner)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(list(GOOD)), JSON, max_size=4), JSON, st.booleans())
@settings(max_examples=120, deadline=None)
def test_no_body_raises_anything_but_invalid_input(
    changed: dict[str, Any], more: Any, old: bool
) -> None:
    body = {"updatedItem": item(**changed), "oldItem": more if old else None}
    for sent in (body, more, {"seq": more} | body):
        try:
            found = read(sent, EUROS).item
        except InvalidInput:
            continue
        assert found is None or 1 <= found.quantity <= PLAIN.max_quantity


def test_two_spellings_in_one_body_are_refused() -> None:
    both = {"updatedItem": None, "oldItem": None, "cartItem": None}
    with pytest.raises(InvalidInput) as refused:
        read(both)
    assert list(refused.value.errors) == ["cartItem"]
