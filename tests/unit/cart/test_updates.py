"""The rules of the held cart, one after the other: what each message makes of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bff.cart.held_cart import CartItem, HeldCart, Line, after_confirm
from bff.cart.updates import MAX_FORMER, Update, apply
from bff.errors import InvalidInput
from tests.support.samples import OTHER_PAGE, PAGE, cart_item, held, shown, told

EMPTY = HeldCart("cart")


def add(cart_item_id: str, quantity: int = 1, *, old: str | None = None, **more: Any) -> Update:
    """A message that sets an item; its id's first letter is the catalogue item."""
    item = cart_item(cart_item_id, cart_item_id[0], quantity)
    return replace(Update(item=item, old_id=old, page=PAGE), **more)


def remove(cart_item_id: str, **more: Any) -> Update:
    plain = Update(removed_id=cart_item_id, old_id=cart_item_id, page=PAGE)
    return replace(plain, **more)


# 1. An update sets.


def test_an_update_sets_the_quantity_and_adds_nothing_up() -> None:
    assert shown(told(EMPTY, add("a", 3), add("a", 2), add("a", 2))) == {"a": 2}


def test_an_update_sets_prices_and_texts_as_it_says() -> None:
    new = cart_item("a", "a", 2, name="VIP", unit_price=Decimal("20"))
    cart = told(held("a", "b"), Update(item=new, page=PAGE))
    assert [line.item for line in cart.lines] == [new, cart_item("b", "b")]


def test_the_total_is_unit_price_times_quantity() -> None:
    item = cart_item(quantity=3, unit_price=Decimal("0.1"))
    assert item.total_price == Decimal("0.3")


def test_each_change_makes_a_new_version_and_no_change_makes_none() -> None:
    once = told(EMPTY, add("a"))
    assert once.version == EMPTY.version + 1
    assert told(once, add("a")) is once


# 2. A removal.


def test_a_removal_takes_the_line_of_its_id_and_no_other() -> None:
    cart = told(held("a", "b"), remove("a"))
    assert shown(cart) == {"b": 1}
    assert cart.removed == ("a",)


def test_a_removal_of_something_unknown_does_nothing() -> None:
    cart = held("a")
    assert told(cart, remove("z")) is cart


def test_a_removal_by_an_unknown_id_takes_the_line_that_another_page_load_left() -> None:
    """A preselection that was not applied, or an add that was taken back before it was sent."""
    shown_first = [add("a2", preselected=True, page=OTHER_PAGE, seq=1)]
    for before in ([], shown_first):
        gone = remove("a2", removed_catalog_id="a", page=OTHER_PAGE, seq=2)
        cart = told(held("a1", "b1", known=("a",)), *before, gone)
        assert (shown(cart), cart.removed) == ({"b1": 1}, ("a",))
        assert shown(told(cart, add("a1"), gone)) == {"b1": 1, "a1": 1}, "and only once"


@pytest.mark.parametrize("more", [
    {"removed_catalog_id": "catalogItemId", "page": OTHER_PAGE},  # made up
    {"removed_catalog_id": "a", "page": PAGE},  # another impression on the same page load
    {"removed_catalog_id": "a", "page": None},
])  # fmt: skip
def test_a_removal_by_an_unknown_id_takes_no_other_line(more: dict[str, Any]) -> None:
    assert shown(told(held("a1"), remove("a2", **more))) == {"a1": 1}


def test_a_removal_by_quantity_zero_leaves_the_old_item_alone() -> None:
    cart = told(held("a", "b"), Update(removed_id="a", old_id="b", page=PAGE, seq=5))
    assert shown(cart) == {"b": 1}
    assert shown(told(cart, add("b", 4, seq=4))) == {"b": 4}, "b was not spoken of"


def test_an_item_that_is_added_again_is_not_named_as_removed_any_more() -> None:
    cart = told(held("a"), remove("a"), add("a"))
    assert (shown(cart), cart.removed) == ({"a": 1}, ())


# 3. Re-key.


def test_an_old_item_of_another_id_gives_its_place_to_the_new_one() -> None:
    cart = told(held("a1", "b1", "c1"), add("b2", 2, old="b1"))
    assert [line.item.cart_item_id for line in cart.lines] == ["a1", "b2", "c1"]
    assert cart.removed == ()


def test_a_re_key_makes_the_reservation_stale_though_nothing_else_changed() -> None:
    before = held("a1")
    cart = told(before, add("a2", old="a1"))
    assert cart.lines[0].revision > before.lines[0].revision


def test_an_old_id_gives_its_place_whatever_its_made_up_catalogue_item() -> None:
    assert shown(told(held("a1"), add("z1", old="a1"))) == {"z1": 1}


def test_a_return_by_another_page_load_takes_the_place_of_the_same_catalogue_item() -> None:
    cart = told(held("a1", "b1"), add("a2", 3, page=OTHER_PAGE))
    assert [(line.item.cart_item_id, line.page) for line in cart.lines] == [
        ("a2", OTHER_PAGE),
        ("b1", PAGE),
    ]


def test_two_impressions_on_one_page_are_two_lines() -> None:
    assert shown(told(held("a1"), add("a2"))) == {"a1": 1, "a2": 1}


def test_two_impressions_are_re_keyed_one_by_one() -> None:
    back = [add("a3", 3, page=OTHER_PAGE), add("a4", 4, page=OTHER_PAGE)]
    assert shown(told(held("a1", "a2"), *back)) == {"a3": 3, "a4": 4}


def test_an_item_that_is_held_takes_nobodys_place_on_another_page_load() -> None:
    cart = held("a1", "a2")
    assert shown(told(cart, add("a2", 5, page=OTHER_PAGE))) == {"a1": 1, "a2": 5}


@pytest.mark.parametrize("page", [None, OTHER_PAGE])
def test_where_a_page_load_is_not_known_the_catalogue_item_takes_no_place(page: str | None) -> None:
    unknown = HeldCart("cart", 1, (Line(cart_item("a1", "a"), 1, None if page else PAGE),))
    assert shown(told(unknown, add("a2", page=page))) == {"a1": 1, "a2": 1}


def test_an_old_item_that_is_held_beside_the_new_one_goes() -> None:
    before = held("a1", "a2")
    assert shown(told(before, add("a2", 2, old="a1"))) == {"a2": 2}
    cart = told(before, add("a2", old="a1"))
    (kept,) = cart.lines
    assert replace(kept, former=()) == before.lines[1], "what did not change keeps its reservation"


# 2 and 3 in two tabs: each knows the line by an id of its own.

IN_A = add("a1", seq=1)
IN_B = add("a2", 2, page=OTHER_PAGE, seq=1)


def test_a_removal_by_the_id_that_another_tab_re_keyed_takes_the_line() -> None:
    cart = told(EMPTY, IN_A, IN_B)
    assert shown(cart) == {"a2": 2}
    gone = told(cart, remove("a1", seq=2))
    assert (shown(gone), gone.removed) == ({}, ("a",))
    assert shown(told(gone, IN_A, IN_B)) == {}, "what comes again is late"


def test_an_update_by_the_id_that_another_tab_re_keyed_takes_the_place_back() -> None:
    cart = told(EMPTY, IN_A, add("b1"), IN_B, add("a1", 3, seq=2))
    assert [line.item.cart_item_id for line in cart.lines] == ["a1", "b1"]
    assert shown(cart) == {"a1": 3, "b1": 1}
    assert shown(told(cart, remove("a2", page=OTHER_PAGE, seq=2))) == {"b1": 1}


def test_a_late_removal_of_an_id_stays_late_after_another_tab_re_keyed_it() -> None:
    cart = told(EMPTY, IN_A, add("a1", 4, seq=3), IN_B)
    assert told(cart, remove("a1", seq=2)) is cart


def test_two_lines_of_one_catalogue_item_are_told_apart_by_their_former_ids() -> None:
    both = told(
        held("a1", "a2"), add("a3", 3, page=OTHER_PAGE, seq=1), add("a4", 4, page=OTHER_PAGE, seq=2)
    )
    assert shown(told(both, remove("a2", seq=1))) == {"a3": 3}
    assert shown(told(both, add("a2", 5, seq=1))) == {"a3": 3, "a2": 5}


def test_an_old_item_that_another_tab_re_keyed_gives_the_lines_place() -> None:
    third = "a third page"
    cart = told(EMPTY, IN_A, IN_B, add("z1", 5, old="a1", page=third, seq=1))
    assert shown(cart) == {"z1": 5}
    assert shown(told(cart, remove("a1", seq=2))) == {}


def test_a_former_id_is_found_where_no_page_is_told() -> None:
    cart = told(EMPTY, IN_A, IN_B)
    assert shown(told(cart, remove("a1", page=None))) == {}
    assert shown(told(cart, add("a1", 7, page=None))) == {"a1": 7}
    nowhere = told(EMPTY, add("a1", page=None), add("a2", old="a1", page=None))
    assert shown(told(nowhere, remove("a1", page=None))) == {}


def test_an_update_that_names_its_own_lines_former_id_as_the_old_item_keeps_the_line() -> None:
    cart = told(EMPTY, IN_A, IN_B, add("a2", 6, old="a1", seq=2))
    assert shown(cart) == {"a2": 6}


def test_the_page_that_re_keyed_a_line_itself_speaks_of_no_line_by_the_old_id() -> None:
    cart = told(held("a1"), add("a2", old="a1", seq=1))
    assert shown(told(cart, remove("a1", seq=2))) == {"a2": 1}
    assert shown(told(cart, remove("a1", page=OTHER_PAGE, seq=1))) == {}, "another tab means it"


def test_a_late_re_key_of_an_id_that_another_tab_took_over_since_removes_nothing() -> None:
    late = add("a1", old="a2", seq=1)
    cart = told(EMPTY, IN_B, add("a1", 2, seq=2), add("a2", 3, page=OTHER_PAGE, seq=2), late)
    assert shown(cart) == {"a2": 3}


def test_a_line_remembers_a_bounded_number_of_ids_and_the_newest() -> None:
    cart = EMPTY
    for n in range(MAX_FORMER + 4):
        cart = told(cart, add(f"a{n}", page=f"page {n}", seq=1))
    (line,) = cart.lines
    assert line.former == tuple(f"a{n}" for n in range(3, MAX_FORMER + 3))
    again = told(cart, add("a5", page="page 5", seq=2))
    (line,) = again.lines
    assert line.former[-1] == f"a{MAX_FORMER + 3}"
    assert "a5" not in line.former
    assert len(line.former) == MAX_FORMER


# 4. Page and seq.


def test_a_duplicate_changes_nothing() -> None:
    message = add("a", 2, seq=1)
    cart = told(EMPTY, message)
    assert told(cart, message) is cart


def test_a_late_arrival_changes_nothing() -> None:
    cart = told(EMPTY, add("a", 3, seq=2))
    assert told(cart, add("a", 1, seq=1)) is cart


def test_seq_counts_for_each_item_of_a_page_alone() -> None:
    cart = told(EMPTY, add("a", 3, seq=9), add("b", 1, seq=1), add("a", 4, seq=1, page=OTHER_PAGE))
    assert shown(cart) == {"a": 4, "b": 1}


def test_without_a_seq_arrival_decides() -> None:
    assert shown(told(EMPTY, add("a", 3, seq=9), add("a", 1))) == {"a": 1}


def test_without_a_page_arrival_decides() -> None:
    assert shown(told(EMPTY, add("a", 3, page=None, seq=9), add("a", 1, page=None, seq=2))) == {
        "a": 1
    }


def test_a_late_add_does_not_bring_a_removed_line_back() -> None:
    assert shown(told(EMPTY, add("a", seq=1), remove("a", seq=3), add("a", 2, seq=2))) == {}


def test_a_removal_that_overtakes_its_add_leaves_a_tombstone() -> None:
    assert shown(told(EMPTY, remove("a", seq=2), add("a", seq=1))) == {}


def test_a_late_add_of_an_id_that_lost_its_place_does_not_double_the_line() -> None:
    assert shown(told(EMPTY, add("a2", old="a1", seq=2), add("a1", seq=1))) == {"a2": 1}


def test_a_late_re_key_does_not_take_a_line_that_was_set_after_it() -> None:
    cart = told(EMPTY, add("a1", 5, seq=3), add("a2", old="a1", seq=2))
    assert shown(cart) == {"a1": 5, "a2": 1}


def test_a_re_key_that_comes_late_does_not_double_the_line() -> None:
    cart = told(EMPTY, add("a1", seq=1), add("a2", 4, seq=3), add("a2", old="a1", seq=2))
    assert shown(cart) == {"a2": 4}
    assert cart.removed == ()


def test_a_re_key_that_comes_after_the_removal_takes_the_old_line_away_too() -> None:
    cart = told(EMPTY, add("a1", seq=1), remove("a2", seq=3), add("a2", old="a1", seq=2))
    assert (shown(cart), cart.removed) == ({}, ("a",))


def test_a_duplicate_of_a_re_key_changes_nothing() -> None:
    re_key = add("a2", old="a1", seq=2)
    cart = told(EMPTY, add("a1", seq=1), re_key, add("a1", 3, seq=3))
    assert told(cart, re_key) is cart


# 5. Nothing, and bounds.


def test_a_message_without_items_changes_nothing() -> None:
    cart = held("a")
    assert told(cart, Update(page=PAGE, seq=7)) is cart


def test_a_line_beyond_the_bound_is_refused_by_name_and_the_cart_is_unchanged() -> None:
    cart = held("a", "b")
    with pytest.raises(InvalidInput) as caught:
        apply(cart, add("c", name="cartItem"), max_lines=2)
    assert list(caught.value.errors) == ["cartItem.cartItemId"]
    assert shown(cart) == {"a": 1, "b": 1}


def test_a_full_cart_still_takes_changes_re_keys_and_removals() -> None:
    back = add("b2", page=OTHER_PAGE)
    cart = told(held("a1", "b1"), add("a1", 9), add("a2", old="a1"), back, max_lines=2)
    assert shown(cart) == {"a2": 1, "b2": 1}
    assert shown(told(cart, remove("a2"), add("c1"), max_lines=2)) == {"b2": 1, "c1": 1}


# 7. What makes a reservation stale.


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        (cart_item("a", "a", 2), True),
        (cart_item("a", "b"), True),
        (cart_item("a", "a", unit_price=Decimal("13")), True),
        (cart_item("a", "a", currency="EUR"), True),
        (cart_item("a", "a", unit_price=Decimal("12.5")), False),
        (cart_item("a", "a", name="New name", description="New text"), False),
    ],
)
def test_a_reservation_is_stale_after_a_change_that_matters_to_rokt(
    changed: CartItem, stale: bool
) -> None:
    before = held("a", "b")
    cart = told(before, Update(item=changed, page=PAGE, seq=1))
    assert (cart.lines[0].revision > before.version) is stale
    assert cart.lines[0].item == changed
    assert cart.lines[1] == before.lines[1], "the other line keeps its reservation"


# 9. After confirm.


def test_after_confirm_the_new_cart_holds_only_what_changed_after_the_quote() -> None:
    quoted = held("a", "b", known=("a", "b"), removed=("z",))
    later = told(quoted, add("b", 2, seq=1), add("c", seq=2))
    cart = after_confirm(later, quoted.version, "cart-2")
    assert shown(cart) == {"b": 2, "c": 1}
    assert (cart.cart_id, cart.removed) == ("cart-2", ())
    assert cart.version > later.version


def test_after_confirm_late_messages_and_preselections_do_not_bring_back_what_was_bought() -> None:
    bought = after_confirm(told(EMPTY, add("a", seq=1), add("a", 2, seq=2)), 9, "cart-2")
    assert shown(told(bought, add("a", seq=1))) == {}
    assert shown(told(bought, add("a9", preselected=True, page=OTHER_PAGE, seq=1))) == {}


# 11. Preselections.


def test_a_preselection_counts_where_its_catalogue_item_was_never_held() -> None:
    assert shown(told(held("a"), add("b", 2, preselected=True))) == {"a": 1, "b": 2}


def test_a_preselection_never_overrides_what_the_shopper_held_or_removed() -> None:
    cart = told(EMPTY, add("a1", 3), add("b1"), remove("b1"))
    back = [add(one, preselected=True, page=OTHER_PAGE) for one in ("a2", "b2", "a1")]
    assert told(cart, *back) is cart


def test_a_removal_before_the_placement_is_interactive_is_none() -> None:
    cart = told(EMPTY, add("a"))
    assert told(cart, remove("a", preselected=True, seq=1)) is cart


def test_after_a_preselection_what_the_placement_shows_is_applied() -> None:
    cart = told(EMPTY, add("a", 2, preselected=True, seq=1), add("a", 3, seq=2))
    assert shown(cart) == {"a": 3}
