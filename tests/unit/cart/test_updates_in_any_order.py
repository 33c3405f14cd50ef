"""Messages twice, late and out of order: the held cart comes out the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from bff.cart.held_cart import MAX_KNOWN, HeldCart
from bff.cart.linked_products import follow_products
from bff.cart.updates import MAX_SEEN, Update
from bff.store.documents import dump_cart, dump_item, load_cart, load_item
from tests.support.samples import OTHER_PAGE, PAGE, cart_item, held, shown, told

IDS = ("a1", "a2", "a3", "b1", "b2", "c1")


@st.composite
def messages(draw: st.DrawFn, most: int = 8) -> list[Update]:
    """Messages of one page in the order of their seq: sets, re-keys and removals."""
    found: list[Update] = []
    for seq in range(1, draw(st.integers(1, most)) + 1):
        target, old = draw(st.sampled_from(IDS)), draw(st.sampled_from((None, *IDS)))
        quantity = draw(st.integers(0, 4))
        item = cart_item(target, target[0], quantity) if quantity else None
        gone = None if item else target
        found.append(Update(item=item, removed_id=gone, old_id=old, page=PAGE, seq=seq))
    return found


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[list[Update], Sequence[Update]]:
    """Messages in order, and the same ones in any order, some of them twice or more often."""
    ordered = draw(messages())
    again = draw(st.lists(st.sampled_from(ordered), max_size=8))
    return ordered, draw(st.permutations([*ordered, *again]))


def by_item(ordered: Sequence[Update]) -> dict[str, int]:
    """What must be held at the end, told item by item: the last word on each decides."""
    final: dict[str, int] = {}
    for update in ordered:
        if update.item is None:
            final.pop(update.removed_id or "", None)
            continue
        if update.old_id is not None:
            final.pop(update.old_id, None)
        final[update.item.cart_item_id] = update.item.quantity
    return final


@given(shuffled())
@settings(max_examples=120, deadline=None)
def test_any_order_and_any_duplicates_of_a_pages_messages_give_the_same_cart(
    both: tuple[list[Update], Sequence[Update]],
) -> None:
    ordered, arrived = both
    start = HeldCart("cart")
    assert shown(told(start, *arrived)) == shown(told(start, *ordered)) == by_item(ordered)


@given(shuffled())
@settings(max_examples=100, deadline=None)
def test_everything_a_second_time_changes_nothing(
    both: tuple[list[Update], Sequence[Update]],
) -> None:
    cart = told(HeldCart("cart"), *both[1])
    for message in both[1]:
        assert told(cart, message) is cart


@given(shuffled(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_return_to_the_page_never_doubles_a_line(
    both: tuple[list[Update], Sequence[Update]], with_old: bool
) -> None:
    before = told(HeldCart("cart"), *both[1])
    back = [
        Update(
            item=replace(line.item, cart_item_id=f"{line.item.cart_item_id}-back"),
            old_id=line.item.cart_item_id if with_old else None,
            page=OTHER_PAGE,
            seq=seq,
        )
        for seq, line in enumerate(before.lines, start=1)
    ]
    after = told(before, *back, *back, max_lines=len(before.lines))
    assert shown(after) == {f"{one}-back": quantity for one, quantity in shown(before).items()}


@st.composite
def in_two_tabs(draw: st.DrawFn, *, old: bool) -> list[Update]:
    """Messages of two tabs as they arrive: in any order, some of them twice.

    Each tab shows each catalogue item once, by an id of its own; ``old``: and may name an old
    item, by the id that it has in either tab.
    """
    sent: list[Update] = []
    for page in (PAGE, OTHER_PAGE):
        for seq in range(1, draw(st.integers(1, 5)) + 1):
            catalog = draw(st.sampled_from("ab"))
            ids = [f"{catalog} of {one[-1]}" for one in (PAGE, OTHER_PAGE)]
            target = f"{catalog} of {page[-1]}"
            quantity = draw(st.integers(0, 4))
            item = cart_item(target, catalog, quantity) if quantity else None
            gone = None if item else target
            named = draw(st.sampled_from([None, *ids])) if old else None
            sent.append(Update(item=item, removed_id=gone, old_id=named, page=page, seq=seq))
    again = draw(st.lists(st.sampled_from(sent), max_size=4))
    return list(draw(st.permutations([*sent, *again])))


@given(in_two_tabs(old=False))
@settings(max_examples=120, deadline=None)
def test_of_two_tabs_what_arrived_last_of_an_item_counts(arrived: list[Update]) -> None:
    cart = HeldCart("cart")
    newest: dict[tuple[str | None, str], int] = {}
    quantities: dict[str, int] = {}
    ids: dict[str, set[str]] = {}  # by which the line has been known
    for update in arrived:
        cart = told(cart, update)
        target = update.item.cart_item_id if update.item else update.removed_id or ""
        key, seq, catalog = (update.page, target), update.seq or 0, target[0]
        if seq > newest.get(key, 0):
            newest[key] = seq
            if update.item is not None:
                quantities[catalog] = update.item.quantity
                ids.setdefault(catalog, set()).add(target)
            elif target in ids.get(catalog, ()):
                del quantities[catalog], ids[catalog]
        lines = [(line.item.catalog_item_id, line.item.quantity) for line in cart.lines]
        assert sorted(lines) == sorted(quantities.items())


@given(in_two_tabs(old=True))
@settings(max_examples=120, deadline=None)
def test_two_tabs_never_double_a_line_and_what_comes_again_is_late(arrived: list[Update]) -> None:
    cart = HeldCart("cart")
    for update in arrived:
        cart = told(cart, update)
        catalog = [line.item.catalog_item_id for line in cart.lines]
        assert len(catalog) == len(set(catalog))
    for update in arrived:
        assert told(cart, update) is cart


@given(messages(), messages())
@settings(max_examples=150, deadline=None)
def test_no_message_makes_more_than_one_line_more(
    first: list[Update], second: list[Update]
) -> None:
    cart = HeldCart("cart")
    for update in (*first, *(replace(one, page=OTHER_PAGE) for one in second)):
        before, cart = cart, told(cart, update)
        assert set(shown(cart)) - set(shown(before)) <= {
            update.item.cart_item_id if update.item else None
        }
        assert cart is before or cart.version == before.version + 1


@given(messages(), st.dictionaries(st.sampled_from("xyz"), st.integers(-1, 9)))
@settings(max_examples=100, deadline=None)
def test_every_cart_survives_its_document(ordered: list[Update], products: dict[str, int]) -> None:
    cart = follow_products(told(HeldCart("cart"), *ordered), products)
    assert load_cart(dump_cart(cart)) == cart


def test_every_member_of_an_item_survives_its_document() -> None:
    item = cart_item(
        "v1:é",
        unit_price=Decimal("0.10"),
        name='Zoë\'s "lot" \u2028 🅿',
        linked_product_id="SKU",
        quantity_must_be_synchronized=True,
    )
    again = load_item(dump_item(item))
    assert again == item
    assert str(again.unit_price) == "0.10"
    older = json.loads(dump_item(item)) | {"provider_data": '{"lot":"A"}'}
    assert load_item(json.dumps(older)) == item


def test_a_cart_of_every_kind_of_memory_survives_its_document() -> None:
    cart = held("a", "b", removed=("c",), known=("a", "b", "c"), seen={PAGE: {"a": 3}})
    assert load_cart(dump_cart(cart)) == cart


def remembered(cart: HeldCart) -> int:
    return sum(len(ids) for ids in cart.seen.values())


def test_what_was_seen_on_one_page_stays_bounded_and_keeps_the_newest() -> None:
    cart = HeldCart("cart")
    for seq in range(1, MAX_SEEN + 101):
        item = cart_item(f"x{seq}", f"x{seq}")
        cart = told(cart, Update(item=item, page=PAGE, seq=seq), max_lines=MAX_SEEN + 100)
    assert remembered(cart) == MAX_SEEN
    assert len(cart.known) == MAX_KNOWN
    newest = f"x{MAX_SEEN + 100}"
    assert "x1" not in cart.seen[PAGE]
    assert cart.seen[PAGE][newest] == MAX_SEEN + 100
    assert cart.known[-1] == newest


def test_of_one_page_the_items_in_use_are_remembered_longest() -> None:
    cart = HeldCart("cart")
    for seq in range(1, 2 * MAX_SEEN + 9, 2):
        cart = told(cart, Update(removed_id=f"x{seq}", page=PAGE, seq=seq))
        assert told(cart, Update(removed_id="in use", page=PAGE, seq=seq - 1)) is cart
        cart = told(cart, Update(item=cart_item("in use"), page=PAGE, seq=seq + 1))


def test_what_was_seen_on_many_pages_stays_bounded_and_keeps_the_page_in_use() -> None:
    cart = told(HeldCart("cart"), Update(item=cart_item("first"), page="in use", seq=1))
    for page in range(MAX_SEEN * 2):
        cart = told(cart, Update(removed_id="x", page=f"page {page}", seq=1))
        cart = told(cart, Update(item=cart_item("first"), page="in use", seq=page + 2))
        assert remembered(cart) <= MAX_SEEN
    assert cart.seen["in use"] == {"first": MAX_SEEN * 2 + 1}


def test_what_was_removed_stays_bounded() -> None:
    cart = HeldCart("cart")
    for number in range(MAX_KNOWN + 50):
        item = cart_item(f"x{number}", f"x{number}")
        cart = told(cart, Update(item=item), Update(removed_id=f"x{number}"))
    assert len(cart.removed) == MAX_KNOWN
    assert len(dump_cart(cart)) < 20_000
