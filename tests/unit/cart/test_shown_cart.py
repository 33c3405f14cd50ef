"""The cart as it is shown: what was asked for, and what of it can be had, for which price."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bff.cart.held_cart import HeldCart, Line
from bff.cart.reservation import Reason, Reservation, State
from bff.cart.shown_cart import Cart, Item, view_cart
from tests.support.samples import NOW, cart_item, reservation

LINE = Line(cart_item("a", quantity=3), 4)


def show(*rows: Reservation, line: Line = LINE) -> Cart:
    return view_cart(HeldCart("cart", 7, (line,)), rows, NOW)


def shown(*rows: Reservation) -> Item:
    (item,) = show(*rows).items
    return item


def locked(unit_price: str, quantity: int = 3, **more: Any) -> Reservation:
    row = reservation(LINE, unit_price=Decimal(unit_price), quantity=quantity, **more)
    return replace(row, total_price=row.unit_price * quantity)


def test_a_line_is_shown_as_seen_with_where_it_stands_at_rokt() -> None:
    names = ("held", "live", "late", "gone", "no")
    lines = tuple(Line(cart_item(name), 2) for name in names)
    rows = [
        reservation(lines[1]),
        reservation(lines[2], left=0),
        reservation(replace(lines[3], revision=1)),
        reservation(lines[4], state=State.REJECTED, reason=Reason.SOLD_OUT, left=None),
    ]
    cart = view_cart(HeldCart("cart", 9, lines, ("z",)), rows, NOW)
    assert {item.cart_item_id: (item.status, item.reason) for item in cart.items} == {
        "held": ("held", None),
        "live": ("reserved", None),
        "late": ("held", None),
        "gone": ("held", None),
        "no": ("rejected", "sold_out"),
    }
    assert {item.unit_price for item in cart.items} == {Decimal("12.50")}
    assert [item.reserved_until is not None for item in cart.items] == [False, True] + [False] * 3
    assert [item.available for item in cart.items] == [None] * 4 + [0]
    assert (cart.totals, cart.version, cart.removed) == ({"USD": Decimal("50.00")}, 9, ("z",))


def test_before_rokt_answered_all_can_be_had_as_seen() -> None:
    assert (shown().available, shown().locked_price, shown().reason) == (None, None, None)
    lapsed = shown(locked("13", quantity=1, left=0, reason=Reason.PARTLY_RESERVED))
    assert (lapsed.available, lapsed.locked_price, lapsed.reason) == (None, None, None)


@pytest.mark.parametrize(
    ("row", "available", "locked_price", "reason", "total"),
    [
        (locked("12.50"), None, None, None, "37.50"),
        (locked("11"), None, "11.00", None, "33.00"),
        (locked("13"), 0, "13.00", "price_changed", None),
        (locked("13", accepted_price=Decimal(13)), None, "13.00", None, "39.00"),
        (locked("14", accepted_price=Decimal(13)), 0, "14.00", "price_changed", None),
        (locked("12.50", 2, reason=Reason.PARTLY_RESERVED), 2, None, "partly_reserved", "25.00"),
        (locked("11", 1, reason=Reason.PARTLY_RESERVED), 1, "11.00", "partly_reserved", "11.00"),
        (locked("13", 2, reason=Reason.PARTLY_RESERVED), 0, "13.00", "price_changed", None),
        (
            locked("13", state=State.REJECTED, reason=Reason.CURRENCY_CHANGED),
            0,
            None,
            "currency_changed",
            None,
        ),
    ],
)
def test_what_can_be_had_and_for_which_price_stands_beside_what_was_asked_for(
    row: Reservation, available: int | None, locked_price: str | None, reason: str, total: str
) -> None:
    cart = show(row)
    (item,) = cart.items
    assert (item.quantity, item.unit_price, item.total_price) == (
        3,
        Decimal("12.50"),
        Decimal("37.50"),
    )
    told = None if item.locked_price is None else str(item.locked_price)
    assert (item.available, told, item.reason) == (available, locked_price, reason)
    assert cart.totals == ({} if total is None else {"USD": Decimal(total)})


def test_a_discount_on_the_total_counts_in_the_carts_total() -> None:
    assert show(reservation(LINE, total_price=Decimal("30"))).totals == {"USD": Decimal("30.00")}


def test_a_later_answer_for_the_line_counts() -> None:
    denied = reservation(LINE, id="first", state=State.REJECTED, reason=Reason.SOLD_OUT)
    assert shown(denied, locked("12.50")).available is None
    assert shown(locked("12.50"), denied).available == 0
