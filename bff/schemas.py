"""marshmallow schemas of our own request bodies: JSON from outside, dataclasses for the inside.

The Web SDK's messages are read in ``bff.sdk_items``; how our own shapes look as JSON:
``bff.answering``.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from marshmallow import fields, validate

from bff.fields import (
    ID,
    MAX_ID,
    TEXT,
    AmountText,
    Body,
    Members,
    Quantity,
    Switch,
    invalid,
    may_name,
)
from bff.money import read_amount
from bff.products import MAX_PRODUCTS

MAX_ATTRIBUTES = 100


class AttributesBody(Body):
    """Attributes of the page and the shopper, text to text, for Rokt."""

    attributes = fields.Dict(
        keys=fields.String(validate=[validate.Length(1, 100), TEXT]),
        values=fields.String(validate=[validate.Length(max=1000), TEXT]),
        validate=validate.Length(max=MAX_ATTRIBUTES),
        load_default=dict,
    )


class PlacementsBody(AttributesBody):
    """``POST /placements/any``."""

    page_identifier = fields.String(
        data_key="pageIdentifier", required=True, validate=[validate.Length(1, MAX_ID), TEXT]
    )
    url = fields.String(validate=[validate.Length(max=2000), TEXT], load_default="")


class ReserveBody(AttributesBody):
    """``POST /cart/reserve``: prices that the shopper was shown and took, as decimal text."""

    accept_prices = fields.Dict(
        keys=fields.String(validate=[validate.Length(1, MAX_ID), ID]),
        values=AmountText(),
        data_key="acceptPrices",
        validate=validate.Length(max=1000),
        load_default=dict,
    )
    is_paypal_payment = Switch(data_key="isPayPalPayment", allow_none=True, load_default=None)
    merchant_id = fields.String(
        data_key="merchantId",
        validate=[validate.Length(1, MAX_ID), TEXT],
        allow_none=True,
        load_default=None,
    )


class OrderBody(AttributesBody):
    """``POST /orders``, from a partner's server."""

    handle = fields.String(required=True, validate=[validate.Length(1, 100), ID])
    order_id = fields.String(
        data_key="orderId", required=True, validate=[validate.Length(1, 128), ID]
    )
    quote_id = fields.UUID(data_key="quoteId", allow_none=True, load_default=None)
    extra = Members(load_default=dict)


class ProductsBody(Body):
    """``POST /products``, from a partner's server: all products in its own cart, by SKU."""

    handle = fields.String(required=True, validate=[validate.Length(1, 100), ID])
    quantities = fields.Dict(
        keys=fields.String(validate=[validate.Length(1, MAX_ID), TEXT]),
        values=Quantity(),
        required=True,
        validate=validate.Length(max=MAX_PRODUCTS),
    )


class PurchaseBody(Body):
    """``POST /purchases``, from a partner's server; the rest is the bridge's message."""

    handle = fields.String(required=True, validate=[validate.Length(1, 100), ID])


class CancelBody(Body):
    """``POST /orders/<orderId>/cancel``: all of it, or one item."""

    cart_item_id = fields.String(
        data_key="cartItemId",
        validate=[validate.Length(1, MAX_ID), ID],
        allow_none=True,
        load_default=None,
    )


def read_prices(prices: Mapping[str, Decimal | str]) -> dict[str, Decimal]:
    """Read the unit prices that the shopper took, by cart item id, from a shop's own view.

    Raises ``InvalidInput`` that names the item, by its place when a page made its id up.
    """
    if not isinstance(prices, Mapping):
        raise invalid({"acceptPrices": ["must be cart item ids with their unit prices"]})
    read: dict[str, Decimal] = {}
    for place, (cart_item_id, price) in enumerate(prices.items()):
        try:
            read[cart_item_id] = read_amount(Decimal(price))
        except (ArithmeticError, ValueError) as error:
            field = f"acceptPrices.{may_name('acceptPrices', cart_item_id, place)}"
            text = str(error) if isinstance(error, ValueError) else "must be a decimal number"
            raise invalid({field: [text]}) from None
    return read
