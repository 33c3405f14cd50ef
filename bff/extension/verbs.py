"""The verbs for a shop's own views, up to the payment: the cart, the quote, the login."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from flask import request

from bff.cart.order import Order
from bff.cart.quote import Quote
from bff.cart.reservation import ReserveOptions
from bff.cart.shown_cart import Cart
from bff.cart.updates import Update
from bff.checkout.checkout import EMPTY_CART
from bff.errors import SessionMoved, Unauthorized
from bff.extension.arguments import optional, read_prices, required, texts
from bff.rokt.placements import Placements, PlacementsRequest
from bff.web.runtime import runtime
from bff.web.schemas.responses import to_json
from bff.web.shopper import (
    drop_first_handle,
    forget_handle,
    keep_handle,
    kept_handle,
    remember_quote,
    shopper_language,
    with_handle,
)

T = TypeVar("T")


class Verbs:
    """What ``Upsells`` can do for the shopper whose handle is in the request's cookie."""

    @property
    def cart(self) -> Cart:
        """What the shopper holds. Without a session it is empty, and no session is started.

        Raises:
            StoreUnavailable: The database cannot be used right now.
        """
        return _read(runtime().checkout.cart, EMPTY_CART)

    @property
    def session_ref(self) -> str | None:
        """The public name of the shopper's session, as the signals carry it. None: no session.

        Raises:
            StoreUnavailable: The database cannot be used right now.
        """
        return _read(runtime().checkout.session_id, None)

    def any_placements(
        self,
        page_identifier: str = "checkout.upsell",
        url: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> Placements:
        """Ask Rokt whether to show the upsell page.

        Args:
            page_identifier: The page's name at Rokt.
            url: The page's address. None: this request's without its query, which may hold
                personal data.
            attributes: Attributes of the shopper for Rokt, such as ``{"country": "US"}``.

        Returns:
            False, with a reason, if Rokt has nothing to show, is slow or is down.

        Raises:
            InvalidInput: An argument is wrong. The error names it.
            StoreUnavailable: The database cannot be used, or a login has just moved the session.
        """
        question = PlacementsRequest(
            page_identifier=required("pageIdentifier", page_identifier, str),
            url=request.base_url if url is None else required("url", url, str),
            attributes=texts(attributes),
            accept_language=shopper_language(),
        )
        return with_handle(lambda handle: runtime().checkout.any_placements(handle, question))

    def remove(self, cart_item_id: str) -> Cart:
        """Remove a held item, for a page of the shop that works without a script.

        The next ``reserve`` releases what was reserved of it.

        Args:
            cart_item_id: The item. One that is not held changes nothing.

        Returns:
            The cart after the change.

        Raises:
            StoreUnavailable: The database cannot be used, or a login has just moved the session.
        """
        removal = Update(removed_id=cart_item_id)
        return _change(lambda handle: runtime().checkout.update(handle, removal))

    def reserve(
        self,
        accept_prices: Mapping[str, Decimal | str] | None = None,
        attributes: Mapping[str, str] | None = None,
        is_paypal_payment: bool | None = None,
        merchant_id: str | None = None,
    ) -> Quote:
        """Reserve the held items at Rokt. Call it before the charge, as often as you like.

        A repetition keeps what is reserved already.

        Args:
            accept_prices: Cart item id → the dearer unit price to which the shopper consented.
            attributes: Attributes of the shopper for Rokt, such as ``{"country": "US"}``.
            is_paypal_payment: Whether the shopper pays with PayPal.
            merchant_id: The shop's id at its payment provider.

        Returns:
            What may be charged now, and what is not in it.

        Raises:
            InvalidInput: An argument is wrong. The error names it.
            StoreUnavailable: The database cannot be used, or a login has just moved the session.
                Do not charge or confirm an upsell then.
        """
        options = ReserveOptions(
            accept_prices=read_prices(accept_prices),
            attributes=texts(attributes),
            is_paypal_payment=optional("isPayPalPayment", is_paypal_payment, bool),
            merchant_id=optional("merchantId", merchant_id, str),
            accept_language=shopper_language(),
        )
        quote = with_handle(lambda handle: runtime().checkout.reserve(handle, options))
        remember_quote(quote.quote_id)
        return quote

    def release(self, attributes: Mapping[str, str] | None = None) -> Cart:
        """Release the reserved items early. The lines stay held.

        Args:
            attributes: Attributes of the shopper for Rokt, such as ``{"country": "US"}``.

        Returns:
            The cart after the change.

        Raises:
            InvalidInput: ``attributes`` is not a mapping.
            StoreUnavailable: The database cannot be used, or a login has just moved the session.
        """
        return _change(
            lambda handle: runtime().checkout.release(handle, texts(attributes), shopper_language())
        )

    def sync_products(self, quantities: Mapping[str, int]) -> Cart:
        """Let linked items follow the shop's own cart. Call it whenever that cart changes.

        An item linked to a product that is not in the shop's cart leaves, now or when it is added
        later. One with ``quantity_must_be_synchronized`` takes the product's quantity. Before the
        first call, and in the cart after a purchase, nothing follows.

        Args:
            quantities: SKU → quantity of every product in the shop's cart.

        Returns:
            The cart after the change.

        Raises:
            InvalidInput: A product is wrong. The error names it.
            StoreUnavailable: The database cannot be used, or a login has just moved the session.
        """
        return _change(lambda handle: runtime().checkout.sync_products(handle, quantities))

    def rotate(self) -> None:
        """Give the shopper's session a new handle. Call it once at each login. The cart stays.

        A request that is under way with the old handle gets an error and may be sent again.

        Raises:
            StoreUnavailable: The database cannot be used right now.
        """
        handle = kept_handle()
        drop_first_handle()
        if handle is None:
            return
        try:
            keep_handle(runtime().checkout.rotate(handle))
        except SessionMoved:
            pass  # another login was faster, and its response has the new cookie
        except Unauthorized:
            forget_handle()  # the session has ended; a login must not fail because of that

    @staticmethod
    def to_json(value: Cart | Quote | Order | Placements) -> dict[str, Any]:
        """Return a shape as the HTTP endpoints have it, for ``jsonify``.

        Args:
            value: The shape.
        """
        return to_json(value)


def _change(verb: Callable[[str], Cart]) -> Cart:
    """Run a verb that has nothing to change without a session, so it starts none."""
    return EMPTY_CART if kept_handle() is None else with_handle(verb)


def _read(verb: Callable[[str], T], empty: T) -> T:
    """Run a verb that reads; without a session its result is ``empty``."""
    handle = kept_handle()
    try:
        return verb(handle) if handle else empty
    except Unauthorized:
        return empty
