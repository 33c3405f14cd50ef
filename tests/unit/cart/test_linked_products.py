"""Items that belong to a product of the shop's own follow it: they leave and change with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff import InvalidInput
from bff.cart.held_cart import CartItem, HeldCart, Line, after_confirm
from bff.cart.linked_products import MAX_PRODUCTS, check_products, follow_products
from bff.cart.updates import Update
from bff.store.documents import dump_cart, load_cart
from tests.support.samples import OTHER_PAGE, PAGE, cart_item, shown, told


def warranty(cart_item_id: str = "w", quantity: int = 2, *, synchronized: bool = True) -> CartItem:
    return replace(
        cart_item(cart_item_id, "warranty", quantity),
        linked_product_id="SKU",
        quantity_must_be_synchronized=synchronized,
    )


def linked(synchronized: bool) -> HeldCart:
    item = warranty(synchronized=synchronized)
    return HeldCart("cart", 4, (Line(item, 2, PAGE), Line(cart_item(), 3, PAGE)))


def add(item: CartItem, **more: Any) -> Update:
    return replace(Update(item=item, page=PAGE), **more)


# When the products change.


@pytest.mark.parametrize("products", [{}, {"SKU": 0}, {"SKU": -1}, {"OTHER": 2}])
def test_a_linked_item_leaves_with_its_product(products: dict[str, int]) -> None:
    cart = follow_products(linked(False), products)
    assert shown(cart) == {"x": 1}
    assert (cart.removed, cart.version) == (("warranty",), 5)


def test_a_synchronized_item_follows_the_quantity_and_its_reservation_is_stale() -> None:
    cart = follow_products(linked(True), {"SKU": 5})
    assert shown(cart) == {"w": 5, "x": 1}
    assert [line.revision for line in cart.lines] == [5, 3]
    assert cart.version == 5


@pytest.mark.parametrize(("synchronized", "quantity"), [(False, 5), (True, 2)])
def test_a_linked_item_that_need_not_follow_stays(synchronized: bool, quantity: int) -> None:
    cart = linked(synchronized)
    assert follow_products(cart, {"SKU": quantity}).lines == cart.lines


def test_the_same_products_again_change_nothing() -> None:
    cart = follow_products(linked(True), {"SKU": 5, "GONE": 0})
    assert follow_products(cart, {"SKU": 5}) is cart


# What comes after it.


def test_a_linked_item_that_is_added_after_its_product_left_does_not_stay() -> None:
    cart = follow_products(HeldCart("cart"), {"OTHER": 1})
    cart = told(cart, add(warranty(), seq=2), add(cart_item(), seq=1))
    assert (shown(cart), cart.removed) == ({"x": 1}, ())
    back = follow_products(cart, {"SKU": 3})
    assert shown(told(back, add(warranty(), seq=1))) == {"x": 1}, "that one is late"
    assert shown(told(back, add(warranty(), seq=3))) == {"x": 1, "w": 3}


def test_an_item_that_never_stayed_may_be_preselected_once_its_product_is_there() -> None:
    cart = told(follow_products(HeldCart("cart"), {}), add(warranty(), preselected=True, seq=1))
    cart = follow_products(cart, {"SKU": 4})
    assert shown(told(cart, add(warranty("w2"), preselected=True, page=OTHER_PAGE, seq=1))) == {
        "w2": 4
    }


def test_a_placements_change_of_a_synchronized_item_is_the_products_quantity() -> None:
    before = follow_products(linked(True), {"SKU": 5})
    cart = told(before, add(warranty(quantity=1), seq=1))
    assert shown(cart) == {"w": 5, "x": 1}
    assert cart.lines == before.lines, "so its reservation stands"


def test_a_linked_item_that_need_not_follow_keeps_what_the_placement_says() -> None:
    cart = follow_products(linked(False), {"SKU": 5})
    assert shown(told(cart, add(warranty(quantity=7, synchronized=False)))) == {"w": 7, "x": 1}


def test_where_the_shop_told_nothing_nothing_follows() -> None:
    cart = told(linked(True), add(warranty(quantity=7)))
    assert (shown(cart), cart.products) == ({"w": 7, "x": 1}, None)


def test_an_item_whose_product_left_does_not_stay_in_an_old_ones_place_either() -> None:
    cart = follow_products(linked(False), {"SKU": 1})
    other = replace(warranty("v"), linked_product_id="LEFT")
    assert shown(told(cart, add(other, old_id="w"))) == {"x": 1}


def test_of_the_cart_after_a_purchase_no_products_are_known() -> None:
    bought = after_confirm(follow_products(linked(True), {"SKU": 5}), 9, "cart-2")
    assert bought.products is None
    assert shown(told(bought, add(warranty(quantity=1), seq=1))) == {"w": 1}


def test_the_products_survive_their_document() -> None:
    cart = follow_products(linked(True), {"SKU": 5, "é": 1})
    assert load_cart(dump_cart(cart)) == cart
    assert load_cart(dump_cart(linked(True))).products is None


@given(
    st.lists(
        st.one_of(
            st.dictionaries(st.sampled_from(["SKU", "OTHER"]), st.integers(0, 3)),
            st.builds(
                add,
                st.builds(
                    warranty,
                    st.sampled_from(["w1", "w2"]),
                    st.integers(1, 4),
                    synchronized=st.booleans(),
                ),
                seq=st.integers(1, 6),
                page=st.sampled_from([PAGE, OTHER_PAGE]),
            ),
        ),
        max_size=10,
    )
)
@settings(max_examples=120, deadline=None)
def test_after_every_message_every_line_follows_what_the_shop_told_last(
    heard: list[dict[str, int] | Update],
) -> None:
    cart = HeldCart("cart")
    for one in heard:
        before = cart
        cart = told(cart, one) if isinstance(one, Update) else follow_products(cart, one)
        assert cart is before or cart.version == before.version + 1
        for line in cart.lines if cart.products is not None else ():
            there = cart.products.get("SKU", 0) if cart.products is not None else 0
            assert there > 0
            assert line.item.quantity == there or not line.item.quantity_must_be_synchronized


# What is wrong.


@pytest.mark.parametrize(
    ("quantities", "field"),
    [
        ({"SKU": True}, "quantities.SKU"),
        ({"SKU": 1.5}, "quantities.SKU"),
        ({"SKU": "2"}, "quantities.SKU"),
        ({"SKU": -1}, "quantities.SKU"),
        ({"SKU": 1000}, "quantities.SKU"),
        ({"\ud800": 1}, "quantities.\ud800"),
        ({"": 1}, "quantities."),
        ({"x" * 201: 1}, f"quantities.{'x' * 200}"),
        ({7: 1}, "quantities.7"),
        ({f"SKU-{n}": 1 for n in range(MAX_PRODUCTS + 1)}, "quantities"),
        (["SKU"], "quantities"),
        (None, "quantities"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_wrong_products_are_refused_by_name(quantities: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_products(quantities, 999)
    assert list(caught.value.errors) == [field]


def test_an_error_s_text_names_the_first_wrong_products_only() -> None:
    with pytest.raises(InvalidInput, match="; and 3 more") as caught:
        check_products(dict.fromkeys("abcdefgh", -1), 999)
    assert sorted(caught.value.errors) == [f"quantities.{name}" for name in "abcdefgh"]


def test_as_many_products_as_are_followed_are_good() -> None:
    check_products({f"SKU-{n}": 999 for n in range(MAX_PRODUCTS)} | {}, 999)
