"""Reads an instant purchase's message, and writes the response that the placement waits for.

The Web SDK's ``CART_ITEM_INSTANT_PURCHASE`` carries ``{upsellItems, totalUpsellPrice, currency}``.
The page sends back ``CART_ITEM_INSTANT_PURCHASE_RESPONSE`` with the same members and the result.
The bridge adds ``purchaseId``, one UUID for each press of the button.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from marshmallow import fields, validate

from bff.cart.order import Order, OrderStatus
from bff.checkout.instant_purchase import PurchaseReason, PurchaseRequest
from bff.config.settings import Settings
from bff.errors import InvalidInput
from bff.money import same_to_rounding
from bff.web.schemas.fields import Body, Number, member
from bff.web.schemas.requests import HANDLE, HandleBody
from bff.web.schemas.sdk_items import PARKING, UUID, SdkItem, read_item


class InstantPurchaseBody(Body):
    """The message of an instant purchase, as bridge-purchase.js sends it."""

    purchase_id = member(
        fields.UUID, "The purchase's id. A request with the same id is a repetition.", required=True
    )
    upsell_items = member(
        fields.List,
        "The items to buy.",
        fields.Nested(SdkItem),
        required=True,
        validate=validate.Length(min=1),
    )
    total_upsell_price = member(
        Number, "The sum, as the shopper saw it.", allow_none=True, load_default=None
    )
    currency = member(fields.String, "Ignored.", allow_none=True, validate=validate.Length(max=10))


class PurchaseBody(InstantPurchaseBody, HandleBody):
    """An instant purchase with the shopper's handle, as a partner's server sends it."""

    example: ClassVar = {
        "handle": HANDLE,
        "purchaseId": UUID,
        "upsellItems": [PARKING],
        "totalUpsellPrice": 25.0,
        "currency": "USD",
    }


def read_purchase(body: dict[str, Any], settings: Settings) -> PurchaseRequest:
    """Turn an ``InstantPurchaseBody`` into a purchase.

    Raises:
        InvalidInput: An item is wrong, or the items do not fit together.
    """
    items = tuple(
        read_item(item, f"upsellItems.{position}", settings)
        for position, item in enumerate(body["upsell_items"])
    )
    currencies = {item.currency for item in items}
    wrong = None
    if len(items) > settings.max_lines:
        wrong = f"must be at most {settings.max_lines}"
    elif len(currencies) > 1:
        wrong = "must be in one currency"
    elif len({item.cart_item_id for item in items}) < len(items):
        wrong = "names a cartItemId twice"
    elif any(item.quantity < 1 for item in items):
        wrong = "each needs a quantity of 1 or more"
    if wrong:
        raise InvalidInput.of_fields({"upsellItems": [wrong]})
    purchase = PurchaseRequest(purchase_id=str(body["purchase_id"]), items=items)
    total, (currency,) = body["total_upsell_price"], currencies
    if total is not None and not same_to_rounding(total, _total(purchase), currency):
        raise InvalidInput.of_fields({"totalUpsellPrice": ["must be the sum of the items' totals"]})
    return purchase


def paid_response(
    message: Mapping[str, Any], purchase: PurchaseRequest, order: Order
) -> dict[str, Any]:
    """Return the response for a purchase that was paid, with the prices that Rokt locked.

    Where Rokt finally refused it, it is paid without success: the shop refunds the money.
    """
    (total,) = order.totals.values()
    is_refused = order.status == OrderStatus.REFUND_NEEDED
    return {
        **_echo(message, purchase),
        "totalUpsellPrice": float(total),
        "paid": True,
        "success": not is_refused,
        "orderConfirmationId": order.order_id,
        "upsellConfirmationId": order.order_id,
        **({"reason": PurchaseReason.REFUND_NEEDED.value} if is_refused else {}),
    }


def unpaid_response(
    message: Mapping[str, Any], purchase: PurchaseRequest, reason: PurchaseReason
) -> dict[str, Any]:
    """Return the response for a purchase that was not charged."""
    return {**_echo(message, purchase), "paid": False, "success": False, "reason": reason.value}


def _echo(message: Mapping[str, Any], purchase: PurchaseRequest) -> dict[str, Any]:
    """Return the members of the SDK's message that its response repeats."""
    return {
        "upsellItems": message["upsellItems"],
        "totalUpsellPrice": float(_total(purchase)),
        "currency": purchase.items[0].currency,
    }


def _total(purchase: PurchaseRequest) -> Decimal:
    return sum((item.total_price for item in purchase.items), Decimal(0))
