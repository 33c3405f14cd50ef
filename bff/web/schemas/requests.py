"""marshmallow schemas of our own request bodies: JSON from outside, dataclasses for the inside.

The Web SDK's messages are read in ``bff.sdk_items``; how our own shapes look as JSON:
``bff.answering``.
"""

from __future__ import annotations

from marshmallow import fields, validate

from bff.cart.linked_products import MAX_PRODUCTS
from bff.web.schemas.fields import (
    ID,
    MAX_ID,
    TEXT,
    AmountText,
    Body,
    Members,
    Quantity,
    Switch,
    about,
)

MAX_ATTRIBUTES = 100


def _handle() -> fields.String:
    return fields.String(
        required=True,
        validate=[validate.Length(1, 100), ID],
        metadata=about("The shopper's handle, as the page's form gave it to you."),
    )


class SessionBody(Body):
    """Nothing to say: an empty object."""


class AttributesBody(Body):
    """Attributes of the page and the shopper, text to text, for Rokt."""

    attributes = fields.Dict(
        keys=fields.String(validate=[validate.Length(1, 100), TEXT]),
        values=fields.String(validate=[validate.Length(max=1000), TEXT]),
        validate=validate.Length(max=MAX_ATTRIBUTES),
        load_default=dict,
        metadata=about("What Rokt is to know of the page and the shopper, by Rokt's names."),
    )


class PlacementsBody(AttributesBody):
    """Which page might show the upsell."""

    page_identifier = fields.String(
        data_key="pageIdentifier",
        required=True,
        validate=[validate.Length(1, MAX_ID), TEXT],
        metadata=about("The page as your Rokt account names it, `checkout.upsell` say."),
    )
    url = fields.String(
        validate=[validate.Length(max=2000), TEXT],
        load_default="",
        metadata=about("The page's address, as Rokt is told it."),
    )


class ReserveBody(AttributesBody):
    """What to reserve with; the items are those of the held cart."""

    accept_prices = fields.Dict(
        keys=fields.String(validate=[validate.Length(1, MAX_ID), ID]),
        values=AmountText(),
        data_key="acceptPrices",
        validate=validate.Length(max=1000),
        load_default=dict,
        metadata=about(
            "Dearer unit prices that the shopper was shown and took, by `cartItemId`: `13.00`."
        ),
    )
    is_paypal_payment = Switch(
        data_key="isPayPalPayment",
        allow_none=True,
        load_default=None,
        metadata=about("Whether the shopper pays by PayPal, as Rokt's documentation has it."),
    )
    merchant_id = fields.String(
        data_key="merchantId",
        validate=[validate.Length(1, MAX_ID), TEXT],
        allow_none=True,
        load_default=None,
        metadata=about("The PayPal merchant, as Rokt's documentation has it."),
    )


class OrderBody(AttributesBody):
    """An order that was paid, as the partner's server says."""

    handle = _handle()
    order_id = fields.String(
        data_key="orderId",
        required=True,
        validate=[validate.Length(1, 128), ID],
        metadata=about("Your id of the order, no two orders the same. Repeating it does no harm."),
    )
    quote_id = fields.UUID(
        data_key="quoteId",
        allow_none=True,
        load_default=None,
        metadata=about("The quote that was charged; without it the session's last counts."),
    )
    extra = Members(
        load_default=dict,
        metadata=about("Further members of Rokt's confirm, as its documentation has them for you."),
    )


class ProductsBody(Body):
    """The products in the partner's own cart: all of them, each time."""

    handle = _handle()
    quantities = fields.Dict(
        keys=fields.String(validate=[validate.Length(1, MAX_ID), TEXT]),
        values=Quantity(),
        required=True,
        validate=validate.Length(max=MAX_PRODUCTS),
        metadata=about("How many of each product, by its SKU; linked items follow them."),
    )


class PurchaseBody(Body):
    """A press on the thanks page: the message of bridge-purchase.js, with the shopper's handle."""

    handle = _handle()


class CancelBody(Body):
    """What of an order to cancel."""

    cart_item_id = fields.String(
        data_key="cartItemId",
        validate=[validate.Length(1, MAX_ID), ID],
        allow_none=True,
        load_default=None,
        metadata=about("The one item to cancel; without it all of the order."),
    )
