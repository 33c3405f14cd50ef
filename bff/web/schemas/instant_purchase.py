"""Instant purchase, after payment: the placement's message in, the answer it waits for out. Pure.

Source: the Web SDK's ``CART_ITEM_INSTANT_PURCHASE`` carries ``{upsellItems, totalUpsellPrice,
currency}``, and the page answers ``CART_ITEM_INSTANT_PURCHASE_RESPONSE`` with the same and what
became of it. The bridge adds ``purchaseId``, one UUID a press of the button.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marshmallow import fields, validate

from bff.cart.order import Order, OrderStatus
from bff.checkout.instant_purchase import PurchaseReason, PurchaseRequest
from bff.config.settings import Settings
from bff.errors import InvalidInput
from bff.money import same_to_rounding
from bff.web.schemas.fields import Body, Number, load
from bff.web.schemas.sdk_items import read_item


class PressBody(Body):
    """What the bridge posts."""

    purchase_id = fields.UUID(data_key="purchaseId", required=True)
    upsell_items = fields.List(
        fields.Dict(), data_key="upsellItems", required=True, validate=validate.Length(min=1)
    )
    total_upsell_price = Number(data_key="totalUpsellPrice", allow_none=True, load_default=None)
    currency = fields.String(allow_none=True, load_default=None, validate=validate.Length(max=10))


def load_press(data: object, settings: Settings) -> PurchaseRequest:
    """Read a press. Raises ``InvalidInput`` that names each wrong member."""
    body = load(PressBody(), data)
    said: list[Any] = body["upsell_items"]
    if len(said) > settings.max_lines:
        raise InvalidInput.of_fields({"upsellItems": [f"must be at most {settings.max_lines}"]})
    items = tuple(
        read_item(item, f"upsellItems.{place}", settings) for place, item in enumerate(said)
    )
    currencies = {item.currency for item in items}
    if len(currencies) > 1:
        raise InvalidInput.of_fields({"upsellItems": ["must be in one currency"]})
    ids = [item.cart_item_id for item in items]
    if len(set(ids)) < len(ids):
        raise InvalidInput.of_fields({"upsellItems": ["names a cartItemId twice"]})
    if any(item.quantity < 1 for item in items):
        raise InvalidInput.of_fields({"upsellItems": ["each needs a quantity of 1 or more"]})
    total, (currency,) = body["total_upsell_price"], currencies
    exact = sum((item.total_price for item in items), Decimal(0))
    if total is not None and not same_to_rounding(total, exact, currency):
        raise InvalidInput.of_fields({"totalUpsellPrice": ["must be the sum of the items' totals"]})
    answered = {
        "upsellItems": said,
        "totalUpsellPrice": float(exact),
        "currency": currency,
    }
    return PurchaseRequest(purchase_id=str(body["purchase_id"]), items=items, said=answered)


def bought(press: PurchaseRequest, order: Order) -> dict[str, Any]:
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
        **({"reason": PurchaseReason.REFUND_NEEDED.value} if is_refused else {}),
    }


def not_bought(said: Mapping[str, Any], why: PurchaseReason) -> dict[str, Any]:
    """Answer that nothing was bought, and nobody charged."""
    return {**said, "paid": False, "success": False, "reason": why.value}
