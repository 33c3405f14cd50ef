"""Values for tests of the pure parts: items, lines, reservations and messages, one way each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bff.cart.held_cart import CartItem, HeldCart, Line
from bff.cart.order import OrderRow, OrderStatus
from bff.cart.reservation import Reservation, State
from bff.cart.updates import Update, apply
from bff.config.settings import PREFIX, Settings
from bff.errors import ConfigError

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PAGE = "3f1f6d0e-0000-4000-8000-000000000001"
OTHER_PAGE = "3f1f6d0e-0000-4000-8000-000000000002"


def cart_item(
    cart_item_id: str = "x", catalog: str = "parking", quantity: int = 1, **more: Any
) -> CartItem:
    plain = CartItem(cart_item_id, catalog, "Parking", "Lot A", quantity, Decimal("12.50"), "USD")
    return replace(plain, **more)


def held(*cart_item_ids: str, **more: Any) -> HeldCart:
    """A cart of version 1 with these lines; the id's first letter is the catalogue item."""
    lines = tuple(Line(cart_item(one, one[0]), 1, PAGE) for one in cart_item_ids)
    return HeldCart("cart", 1, lines, **more)


def told(cart: HeldCart, *updates: Update, max_lines: int = 50) -> HeldCart:
    """The cart after these messages."""
    for update in updates:
        cart = apply(cart, update, max_lines=max_lines)
    return cart


def shown(cart: HeldCart) -> dict[str, int]:
    """What is held: cart item id → quantity. Insists on one line an id."""
    ids = [line.item.cart_item_id for line in cart.lines]
    assert len(ids) == len(set(ids))
    return {line.item.cart_item_id: line.item.quantity for line in cart.lines}


def order_row(order_id: str = "order-1", **more: Any) -> OrderRow:
    """An order that is being confirmed, of the session of ``reservation``."""
    row = OrderRow(
        id=order_id,
        session_id="session",
        cart_id="cart",
        quote_id=None,
        rokt_session_id="rokt-session",
        status=OrderStatus.CONFIRMING,
        created_at=NOW,
        attributes={},
        extra={},
    )
    return replace(row, **more)


def reservation(
    line: Line | None = None, *, left: float | None = 600, granted: float = 600, **more: Any
) -> Reservation:
    """A row reserved as it was seen, granted for so many seconds, so many of them left."""
    line = line or Line(cart_item(), 1)
    item = line.item
    end = None if left is None else NOW + timedelta(seconds=left)
    row = Reservation(
        id=f"row-{item.cart_item_id}-{line.revision}",
        session_id="session",
        cart_id="cart",
        revision=line.revision,
        item=item,
        state=State.RESERVED,
        quantity=item.quantity,
        unit_price=item.unit_price,
        total_price=item.total_price,
        currency=item.currency,
        created_at=NOW,
        rokt_session_id="rokt-session",
        item_reservation_id=f"rokt_item_reservation_id.{item.cart_item_id}",
        granted_at=None if end is None else end - timedelta(seconds=granted),
        expires_at=end,
    )
    return replace(row, **more)


def read_settings(**settings: Any) -> Settings:
    """Read these settings and the two that are required."""
    given = {"api_key": "key", "tag_id": "tag"} | settings
    read, problems = Settings.read({PREFIX + name.upper(): given[name] for name in given})
    if problems:
        raise ConfigError([*problems.values()])
    return read


def problems(**settings: Any) -> tuple[str, ...]:
    """What is wrong with these settings."""
    with pytest.raises(ConfigError) as caught:
        read_settings(**settings)
    return caught.value.problems
