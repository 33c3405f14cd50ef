"""Calls to Rokt as tests make them, each with what it needs and no more."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bff.cart.held_cart import CartItem
from bff.cart.order import OrderRow, OrderStatus
from bff.cart.reservation import Reservation, ReserveOptions, State
from bff.rokt.calls import Call, any_call, confirm_call, reserve_call
from tests.support.emulator_client import PARKING

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ask(**more: Any) -> Call:
    return any_call(
        **{
            "cart_id": "cart-1",
            "page_identifier": "checkout.upsell",
            "url": "https://shop.example/upsell",
            "attributes": {},
            "rokt_session_id": "rokt-session",
            "accept_language": None,
        }
        | more
    )


def reserve(*lines: tuple[str, int], **more: Any) -> Call:
    return reserve_call(
        cart_id="cart-1",
        lines=lines or [(PARKING, 1)],
        rokt_session_id="rokt-session",
        options=ReserveOptions(**more),
    )


def row(item: Any, quantity: int = 1) -> Reservation:
    """Our row for an item that the emulator has reserved."""
    seen = CartItem(
        cart_item_id=item["cartItemId"],
        catalog_item_id=item["cartItemId"].split(":")[-1],
        name="Parking",
        description="",
        quantity=quantity,
        unit_price=Decimal(str(item["unitPrice"])),
        currency=item["currency"],
    )
    return Reservation(
        id="row-1",
        session_id="session-1",
        cart_id="cart-1",
        revision=1,
        item=seen,
        state=State.RESERVED,
        quantity=item["quantity"],
        unit_price=seen.unit_price,
        total_price=Decimal(str(item["totalPrice"])),
        currency=item["currency"],
        created_at=NOW,
        rokt_session_id="rokt-session",
        item_reservation_id=item.get("itemReservationId"),
    )


def confirm(*rows: Reservation, **more: Any) -> Call:
    given: dict[str, Any] = {"attributes": {}, "extra": {}} | more
    order = OrderRow(
        id="order-1",
        session_id="session-1",
        cart_id="cart-1",
        quote_id=None,
        rokt_session_id="rokt-session",
        status=OrderStatus.CONFIRMING,
        created_at=NOW,
        **given,
    )
    return confirm_call(order, rows)
