"""Instant purchase, after payment: the placement's message in, the answer it waits for out. Pure.

Source: the Web SDK's ``CART_ITEM_INSTANT_PURCHASE`` carries ``{upsellItems, totalUpsellPrice,
currency}``, and the page answers ``CART_ITEM_INSTANT_PURCHASE_RESPONSE`` with the same and what
became of it. The bridge adds ``purchaseId``, one UUID a press of the button.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from marshmallow import fields, validate

from bff.cart import CartItem
from bff.config import Settings
from bff.fields import Body, Number, invalid, load
from bff.money import same_to_rounding
from bff.reservation import Reason
from bff.sdk_items import read_item
from bff.shapes import Item, Order, OrderStatus, Quote


class Why(StrEnum):
    """Why nothing was bought. Rokt's documentation has no list: ours, for the placement's log."""

    NO_SESSION = "no_session"
    NOT_AVAILABLE = "not_available"
    SOLD_OUT = "sold_out"
    PRICE_CHANGED = "price_changed"
    DECLINED = "declined"
    REFUND_NEEDED = "refund_needed"


@dataclass(frozen=True, slots=True)
class Press:
    """One press of the button: what the shopper saw and took.

    ``said`` is the message as it came, for the answer.
    """

    purchase_id: str
    items: tuple[CartItem, ...]
    said: Mapping[str, Any] = field(repr=False)


class PressBody(Body):
    """What the bridge posts."""

    purchase_id = fields.UUID(data_key="purchaseId", required=True)
    upsell_items = fields.List(
        fields.Dict(), data_key="upsellItems", required=True, validate=validate.Length(min=1)
    )
    total_upsell_price = Number(data_key="totalUpsellPrice", allow_none=True, load_default=None)
    currency = fields.String(allow_none=True, load_default=None, validate=validate.Length(max=10))


def load_press(data: object, settings: Settings) -> Press:
    """Read a press. Raises ``InvalidInput`` that names each wrong member."""
    body = load(PressBody(), data)
    said: list[Any] = body["upsell_items"]
    if len(said) > settings.max_lines:
        raise invalid({"upsellItems": [f"must be at most {settings.max_lines}"]})
    items = tuple(
        read_item(item, f"upsellItems.{place}", settings) for place, item in enumerate(said)
    )
    currencies = {item.currency for item in items}
    if len(currencies) > 1:
        raise invalid({"upsellItems": ["must be in one currency"]})
    ids = [item.cart_item_id for item in items]
    if len(set(ids)) < len(ids):
        raise invalid({"upsellItems": ["names a cartItemId twice"]})
    if any(item.quantity < 1 for item in items):
        raise invalid({"upsellItems": ["each needs a quantity of 1 or more"]})
    total, (currency,) = body["total_upsell_price"], currencies
    exact = sum((item.total_price for item in items), Decimal(0))
    if total is not None and not same_to_rounding(total, exact, currency):
        raise invalid({"totalUpsellPrice": ["must be the sum of the items' totals"]})
    answered = {
        "upsellItems": said,
        "totalUpsellPrice": float(exact),
        "currency": currency,
    }
    return Press(purchase_id=str(body["purchase_id"]), items=items, said=answered)


def hindrance(press: Press, quote: Quote) -> Why | None:
    """Say why a quote is not what the shopper pressed the button for, None when it is.

    All of it or nothing: the shopper took one total. Rokt's price may be lower, never higher.
    """
    if any(x.after > x.before for x in quote.price_changes):
        return Why.PRICE_CHANGED
    if any(one.reason == Reason.SOLD_OUT for one in quote.rejected):
        return Why.SOLD_OUT
    return difference(press, quote.items)


def difference(press: Press, items: Sequence[Item]) -> Why | None:
    """Say how items at Rokt are other than what was pressed for, None when they are that.

    They can be: a press may come again with the same id and say something else.
    """
    had = {item.cart_item_id: (item.quantity, item.currency) for item in items}
    wanted = {item.cart_item_id: (item.quantity, item.currency) for item in press.items}
    if had != wanted:
        return Why.NOT_AVAILABLE
    taken = {item.cart_item_id: item.unit_price for item in press.items}
    dearer = any(item.unit_price > taken[item.cart_item_id] for item in items)
    return Why.PRICE_CHANGED if dearer else None


def bought(press: Press, order: Order) -> dict[str, Any]:
    """Answer what became of a press that was paid for, at what Rokt locked.

    Where Rokt has finally refused it, it is paid and was no success: the shop gives the money back.
    """
    (total,) = order.totals.values()
    is_refused = order.status == OrderStatus.REFUND_NEEDED
    return {
        **press.said,
        "totalUpsellPrice": float(total),
        "paid": True,
        "success": not is_refused,
        "orderConfirmationId": order.order_id,
        "upsellConfirmationId": order.order_id,
        **({"reason": Why.REFUND_NEEDED.value} if is_refused else {}),
    }


def not_bought(said: Mapping[str, Any], why: Why) -> dict[str, Any]:
    """Answer that nothing was bought, and nobody charged."""
    return {**said, "paid": False, "success": False, "reason": why.value}
