"""What of the reserved may be charged and what is told: quotes, and the states of orders."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bff.cart.held_cart import HeldCart, Line
from bff.cart.order import OrderStatus, order_status
from bff.cart.quote import PriceChange, Quote, make_quote
from bff.cart.reservation import Reason, Reservation, ReserveOptions, State
from bff.store.documents import dump_quote, load_quote
from tests.support.samples import NOW, cart_item, held, reservation

LINE = Line(cart_item("a", quantity=3), 4)


def quote(*rows: Reservation, cart: HeldCart | None = None, **unanswered: Reason) -> Quote:
    lines = tuple(Line(row.item, row.revision) for row in rows)
    return make_quote(
        "quote", cart or HeldCart("cart", 7, lines), rows, unanswered, ReserveOptions()
    )


def locked(price: str, line: Line = LINE, **more: Any) -> Reservation:
    """A reservation for which Rokt locked this unit price."""
    row = reservation(line, unit_price=Decimal(price), **more)
    return replace(row, total_price=row.unit_price * row.quantity)


# Prices and consent.


@pytest.mark.parametrize(
    ("price", "accepted", "dearer"),
    [
        ("12.50", None, False),
        ("12.51", None, True),
        ("12.49", None, False),
        ("13.00", "13.00", False),
        ("13.01", "13.00", True),
        ("13.00", "12.00", True),
        ("12.50", "1.00", False),  # consent to less than was seen takes nothing away
    ],
)
def test_dearer_is_what_is_above_both_the_seen_and_the_accepted_price(
    price: str, accepted: str | None, dearer: bool
) -> None:
    row = locked(price, accepted_price=None if accepted is None else Decimal(accepted))
    assert row.is_dearer() is dearer
    assert len(quote(row).items) == (not dearer)


# The quote.


def test_what_rokt_locked_is_what_may_be_charged() -> None:
    row = locked("12.50")
    made = quote(row)
    (item,) = made.items
    assert (item.quantity, item.unit_price, item.total_price) == (
        3,
        Decimal("12.50"),
        Decimal("37.50"),
    )
    assert (item.status, item.reserved_until) == ("reserved", row.expires_at)
    assert (made.rejected, made.price_changes) == ((), ())
    assert made.totals == {"USD": Decimal("37.50")}
    assert made.total == Decimal("37.50")
    assert (made.expires_at, made.cart_version) == (row.expires_at, 7)
    assert made.reservation_ids == (row.id,)


def test_a_dearer_item_is_told_and_not_charged() -> None:
    made = quote(locked("13"), locked("20", Line(cart_item("b", unit_price=Decimal(20)), 1)))
    assert made.price_changes == (PriceChange("a", Decimal("12.50"), Decimal("13.00")),)
    assert [item.cart_item_id for item in made.items] == ["b"]
    assert made.total == Decimal("20.00")
    assert len(made.reservation_ids) == 1
    assert made.rejected == ()


def test_a_dearer_item_that_was_accepted_is_charged_at_the_locked_price() -> None:
    made = quote(locked("13", accepted_price=Decimal(13)))
    assert (made.price_changes, made.total) == ((), Decimal("39.00"))


def test_a_cheaper_item_is_told_and_charged_at_the_lower_price() -> None:
    made = quote(locked("11"))
    assert made.price_changes == (PriceChange("a", Decimal("12.50"), Decimal("11.00")),)
    assert made.total == Decimal("33.00")


def test_a_discount_on_the_total_is_the_shoppers() -> None:
    made = quote(reservation(LINE, total_price=Decimal("30")))
    assert (made.total, made.items[0].unit_price) == (Decimal("30.00"), Decimal("12.50"))


def test_a_partly_reserved_line_is_charged_for_what_is_reserved_and_the_rest_is_told() -> None:
    made = quote(locked("12.50", quantity=2))
    assert [item.quantity for item in made.items] == [2]
    (rest,) = made.rejected
    assert (rest.cart_item_id, rest.quantity, rest.reason) == ("a", 1, "partly_reserved")
    assert made.total == Decimal("25.00")


def test_a_rejected_line_is_told_with_its_reason() -> None:
    made = quote(
        reservation(LINE, state=State.REJECTED, reason=Reason.SOLD_OUT),
        reservation(Line(cart_item("b"), 1), state=State.REJECTED),
    )
    assert [(one.cart_item_id, one.quantity, one.reason) for one in made.rejected] == [
        ("a", 3, "sold_out"),
        ("b", 1, "rejected"),
    ]
    assert (made.items, made.total, made.expires_at) == ((), Decimal(0), None)


def test_a_line_without_an_answer_is_told_with_the_passing_reason() -> None:
    made = quote(cart=held("a", "b"), a=Reason.BUSY)
    assert [(one.cart_item_id, one.reason) for one in made.rejected] == [
        ("a", "busy"),
        ("b", "unreachable"),
    ]


def test_a_quote_lasts_as_long_as_the_first_of_its_items() -> None:
    rows = [
        reservation(Line(cart_item(one), 1), left=left)
        for one, left in zip("abc", (300, 120, None), strict=True)
    ]
    dearer = locked("99", Line(cart_item("d"), 1), left=10)
    assert quote(*rows, dearer).expires_at == NOW + timedelta(seconds=120)


def test_totals_are_by_currency_and_one_total_is_refused_for_several() -> None:
    euros = cart_item("b", currency="EUR", unit_price=Decimal("0.10"), quantity=3)
    yen = cart_item("c", currency="JPY", unit_price=Decimal(300))
    made = quote(*(reservation(Line(one, 1)) for one in (LINE.item, euros, yen)))
    assert {c: str(total) for c, total in made.totals.items()} == {
        "USD": "37.50",
        "EUR": "0.30",
        "JPY": "300",
    }
    with pytest.raises(ValueError, match="USD, EUR, JPY"):
        _ = made.total


def test_every_quote_survives_its_document() -> None:
    made = quote(locked("11"), locked("13", Line(cart_item("b"), 1)), locked("12.50", quantity=2))
    some = quote(reservation(left=None), cart=held("x", "y"))
    for one in (made, some, quote()):
        assert load_quote(dump_quote(one)) == one


# Orders.


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ((), OrderStatus.CONFIRMED),
        ((State.CONFIRMED,), OrderStatus.CONFIRMED),
        ((State.CONFIRMED, State.CONFIRMING), OrderStatus.CONFIRMING),
        ((State.CONFIRMED, State.CANCELLED), OrderStatus.CONFIRMED),
        ((State.CANCELLING,), OrderStatus.CONFIRMED),
        ((State.CANCELLED, State.CANCELLED), OrderStatus.CANCELLED),
        ((State.CANCELLED, State.REFUND_NEEDED), OrderStatus.REFUND_NEEDED),
        ((State.CONFIRMING, State.REFUND_NEEDED, State.CONFIRMED), OrderStatus.REFUND_NEEDED),
    ],
)
def test_an_orders_status_never_hides_a_refund_or_an_open_confirm(
    states: tuple[State, ...], status: OrderStatus
) -> None:
    assert order_status(states) is status
