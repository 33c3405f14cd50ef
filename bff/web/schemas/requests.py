"""Reads our own request bodies.

The Web SDK's messages are read in ``sdk_items`` and ``instant_purchase``.
"""

from __future__ import annotations

from typing import ClassVar

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
    identifier,
    text,
)
from bff.web.schemas.sdk_items import PARKING

MAX_ATTRIBUTES = 100

# A sample for the OpenAPI document.
HANDLE = "Qm9keSBvZiAyNTYgcmFuZG9tIGJpdHMgZm9yIHVzZQ0"


class HandleBody(Body):
    """Base of the bodies that name a shopper."""

    handle = identifier("The shopper's handle, from the page's form.", most=100, required=True)


class SessionBody(Body):
    """An empty object."""


class AttributesBody(Body):
    """Attributes of the page and the shopper, text to text, for Rokt."""

    attributes = fields.Dict(
        keys=fields.String(validate=[validate.Length(1, 100), TEXT]),
        values=fields.String(validate=[validate.Length(max=1000), TEXT]),
        validate=validate.Length(max=MAX_ATTRIBUTES),
        load_default=dict,
        metadata=about("Facts about the page and the shopper for Rokt, by Rokt's names."),
    )


class PlacementsBody(AttributesBody):
    """The page that might show the upsell."""

    example: ClassVar = {"pageIdentifier": "checkout.upsell", "attributes": {"country": "US"}}

    page_identifier = identifier(
        "The page's name in your Rokt account, such as `checkout.upsell`.", TEXT, required=True
    )
    url = text(2000, "The page's address, which is sent to Rokt.", load_default="")


class ReserveBody(AttributesBody):
    """Options of a reserve. The items are those of the held cart."""

    example: ClassVar = {"acceptPrices": {PARKING["cartItemId"]: "13.00"}}

    accept_prices = fields.Dict(
        keys=fields.String(validate=[validate.Length(1, MAX_ID), ID]),
        values=AmountText(),
        validate=validate.Length(max=1000),
        load_default=dict,
        metadata=about(
            "Higher unit prices that the shopper saw and accepted, by `cartItemId`: `13.00`."
        ),
    )
    is_paypal_payment = Switch(
        data_key="isPayPalPayment",
        allow_none=True,
        load_default=None,
        metadata=about("Whether the shopper pays by PayPal (see Rokt's documentation)."),
    )
    merchant_id = identifier(
        "The PayPal merchant (see Rokt's documentation).", TEXT, allow_none=True, load_default=None
    )


class OrderBody(AttributesBody, HandleBody):
    """A paid order, as the partner's server reports it."""

    example: ClassVar = {"handle": HANDLE, "orderId": "A-1001", "quoteId": None}

    order_id = identifier(
        "Your id of the order, unique. Repeating a request does no harm.", most=128, required=True
    )
    quote_id = fields.UUID(
        allow_none=True,
        load_default=None,
        metadata=about("The quote that was charged. Without it the session's last quote counts."),
    )
    extra = Members(
        load_default=dict,
        metadata=about("Further members of Rokt's confirm, as Rokt documents them for you."),
    )


class ProductsBody(HandleBody):
    """All products in the partner's own cart."""

    example: ClassVar = {"handle": HANDLE, "quantities": {"ticket.stalls": 2}}

    quantities = fields.Dict(
        keys=fields.String(validate=[validate.Length(1, MAX_ID), TEXT]),
        values=Quantity(),
        required=True,
        validate=validate.Length(max=MAX_PRODUCTS),
        metadata=about("The quantity of each product, by its SKU. Linked items follow them."),
    )


class CancelBody(Body):
    """The items of an order to cancel."""

    example: ClassVar = {"cartItemId": PARKING["cartItemId"]}

    cart_item_id = identifier(
        "The item to cancel. Without it all items are cancelled.",
        allow_none=True,
        load_default=None,
    )
