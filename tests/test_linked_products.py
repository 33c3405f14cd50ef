"""Items that belong to a product of the shop's own follow it: they leave and change with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bff.cart import HeldCart, Line
from bff.products import follow_products
from tests.samples import PAGE, cart_item, shown


def linked(synchronized: bool) -> HeldCart:
    item = replace(
        cart_item("w", "warranty", 2),
        linked_product_id="SKU",
        quantity_must_be_synchronized=synchronized,
    )
    return HeldCart("cart", 4, (Line(item, 2, PAGE), Line(cart_item(), 3, PAGE)))


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
    assert follow_products(cart, {"SKU": quantity}) is cart
