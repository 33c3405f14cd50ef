"""Reads our own request bodies.

The Web SDK's messages are read in ``sdk_items`` and ``instant_purchase``.
"""

from __future__ import annotations

from typing import ClassVar

from marshmallow import fields

from bff.cart.linked_products import MAX_PRODUCTS
from bff.web.schemas.fields import (
    ID,
    MAX_ID,
    TEXT,
    AmountText,
    Body,
    ChosenNames,
    Members,
    Quantity,
    Switch,
    identifier,
    member,
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

    attributes = member(
        ChosenNames,
        "Facts about the page and the shopper for Rokt, by Rokt's names.",
        TEXT,
        100,
        MAX_ATTRIBUTES,
        repeats_ids=False,
        values=text(1000, "An attribute's value."),
        load_default=dict,
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

    accept_prices = member(
        ChosenNames,
        "Higher unit prices that the shopper saw and accepted, by `cartItemId`: `13.00`.",
        ID,
        MAX_ID,
        1000,
        repeats_ids=True,
        values=AmountText(),
        load_default=dict,
    )
    is_paypal_payment = member(
        Switch,
        "Whether the shopper pays by PayPal (see Rokt's documentation).",
        data_key="isPayPalPayment",
        allow_none=True,
        load_default=None,
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
    quote_id = member(
        fields.UUID,
        "The quote that was charged. Without it the session's last quote counts.",
        allow_none=True,
        load_default=None,
    )
    extra = member(
        Members,
        "Further members of Rokt's confirm, as Rokt documents them for you.",
        load_default=dict,
    )


class ProductsBody(HandleBody):
    """All products in the partner's own cart."""

    example: ClassVar = {"handle": HANDLE, "quantities": {"ticket.stalls": 2}}

    quantities = member(
        ChosenNames,
        "The quantity of each product, by its SKU. Linked items follow them.",
        TEXT,
        MAX_ID,
        MAX_PRODUCTS,
        repeats_ids=True,
        values=Quantity(),
        required=True,
    )


class CancelBody(Body):
    """The items of an order to cancel."""

    example: ClassVar = {"cartItemId": PARKING["cartItemId"]}

    cart_item_id = identifier(
        "The item to cancel. Without it all items are cancelled.",
        allow_none=True,
        load_default=None,
    )
