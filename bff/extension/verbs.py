"""The verbs for a shop's own views: for the shopper whose handle is in the request's cookie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Response, has_request_context, request

from bff.cart.held_cart import Update
from bff.cart.order import Order, Purchase
from bff.cart.quote import Quote
from bff.cart.reservation import ReserveOptions
from bff.cart.shown_cart import Cart
from bff.checkout.checkout import EMPTY_CART
from bff.errors import Code, NotFound, SessionMoved, Unauthorized
from bff.extension import instant_purchase
from bff.extension.arguments import (
    mapping,
    order_id_text,
    plain,
    read_prices,
    switch_or_none,
    text,
    text_or_none,
    texts,
)
from bff.rokt.placements import Placements, PlacementsRequest
from bff.web.runtime import runtime
from bff.web.schemas.responses import to_json
from bff.web.shopper import (
    drop_first_handle,
    forget_handle,
    keep_handle,
    kept_handle,
    remember_quote,
    remembered_quote,
    shopper_language,
    with_handle,
)


class Verbs:
    """What ``Upsells`` can do within a request. For Rokt's part nothing raises."""

    @property
    def cart(self) -> Cart:
        """What the shopper holds; without a session an empty cart, and nothing is written."""
        handle = kept_handle()
        try:
            return runtime().checkout.cart(handle) if handle else EMPTY_CART
        except Unauthorized:
            return EMPTY_CART

    @property
    def session_ref(self) -> str | None:
        """A name of the shopper's session that is no secret, as the signals carry it."""
        handle = kept_handle()
        try:
            return runtime().checkout.session_id(handle) if handle else None
        except Unauthorized:
            return None

    def any_placements(
        self,
        page_identifier: str = "checkout.upsell",
        url: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> Placements:
        """Ask whether to show the upsell page; false when Rokt is slow or down, with a reason.

        ``url``: the page's address as Rokt is told it; by default this request's, without its
        query, which may say more of the shopper than Rokt is to know. Raises ``InvalidInput``
        that names a wrong argument, ``StoreUnavailable``.
        """
        question = PlacementsRequest(
            page_identifier=text("pageIdentifier", page_identifier),
            url=request.base_url if url is None else text("url", url),
            attributes=texts(attributes),
            accept_language=shopper_language(),
        )
        return with_handle(lambda one: runtime().checkout.any_placements(one, question))

    def remove(self, cart_item_id: str) -> Cart:
        """Take a held item out, as a page of the shop's own asks, without a script.

        Like a removal that the page's bridge sends: an item that is not held changes nothing,
        and what Rokt had reserved of it goes back with the next ``reserve``. Raises
        ``StoreUnavailable``.
        """
        if kept_handle() is None:
            return EMPTY_CART
        removal = Update(removed_id=cart_item_id)
        return with_handle(lambda one: runtime().checkout.update(one, removal))

    def reserve(
        self,
        accept_prices: Mapping[str, Decimal | str] | None = None,
        attributes: Mapping[str, str] | None = None,
        is_paypal_payment: bool | None = None,
        merchant_id: str | None = None,
    ) -> Quote:
        """Hold what the shopper has at Rokt and return what may be charged now.

        ``accept_prices``: cart item id → the dearer unit price that the shopper consented to.
        Call it again as often as you like: what is reserved already stays so. Raises
        ``InvalidInput`` that names a wrong argument, and ``StoreUnavailable``: then there is
        nothing of Rokt's to charge or to confirm. Never raises for what Rokt does.
        """
        options = ReserveOptions(
            accept_prices=read_prices(accept_prices),
            attributes=texts(attributes),
            is_paypal_payment=switch_or_none("isPayPalPayment", is_paypal_payment),
            merchant_id=text_or_none("merchantId", merchant_id),
            accept_language=shopper_language(),
        )
        quote = with_handle(lambda one: runtime().checkout.reserve(one, options))
        remember_quote(quote.quote_id)
        return quote

    def confirm(
        self,
        order_id: str | int,
        quote_id: str | UUID | None = None,
        attributes: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Order:
        """Record that the shopper has paid this order; call it after the charge.

        ``quote_id``: the quote that was charged; by default the one that ``reserve`` gave in
        this request, else the session's last. ``extra``: further members of Rokt's confirm.
        The same order id again changes nothing. Raises ``Conflict`` for another session's
        order or one paid with another quote, ``NotFound`` for an unknown quote (an empty id too),
        ``InvalidInput`` for an order id of more than 128 characters or that is none,
        ``StoreUnavailable``; never for what Rokt does.

        A payment provider's own call brings no cookie of the shopper's, and a job has no request:
        name the quote there, else ``Unauthorized`` or ``RuntimeError`` is raised, since nobody
        could tell whose upsell was paid for. The language is not the shopper's there either:
        Rokt is told the one of the quote's request.
        """
        is_elsewhere = quote_id is not None and not has_request_context()
        handle = None if is_elsewhere else kept_handle()
        purchase = Purchase(
            order_id=order_id_text(order_id),
            quote_id=remembered_quote() if quote_id is None else _named(quote_id),
            attributes=texts(mapping("attributes", attributes)),
            extra=plain(mapping("extra", extra)),
            accept_language=shopper_language() if handle is not None else None,
            insists=quote_id is not None,
        )
        return runtime().checkout.record(handle, purchase)[0]

    def release(self, attributes: Mapping[str, str] | None = None) -> Cart:
        """Give the reserved items back early; the lines stay held."""
        if kept_handle() is None:
            return EMPTY_CART
        language = shopper_language()
        return with_handle(lambda one: runtime().checkout.release(one, texts(attributes), language))

    def cancel(self, order_id: str | int, cart_item_id: str | None = None) -> Order:
        """Cancel an order's items, or one of them, after the sale.

        Whether this shopper may do that is for the shop to check. Raises ``NotFound``,
        ``Conflict`` when there is nothing to cancel, ``StoreUnavailable``.
        """
        return runtime().checkout.cancel(str(order_id), cart_item_id)

    def order(self, order_id: str | int) -> Order:
        """Read an order. Raises ``NotFound``, ``StoreUnavailable``."""
        return runtime().checkout.order(str(order_id))

    def refunded(self, order_id: str | int) -> None:
        """Note that the shopper has the money back for what is in ``refund_needed``.

        From then on no ``redrive`` buys it for them. Raises ``NotFound`` when nothing of the order
        is, ``StoreUnavailable``.
        """
        runtime().checkout.refunded(str(order_id))

    def buy_instantly(self, charge: Callable[[Quote], str | int | None]) -> Response:
        """Answer an instant purchase, which a placement on the thanks page asks for.

        For a POST route of the shop's own that bridge-purchase.js is told of. The items are
        reserved; then ``charge(quote)`` charges ``quote.total`` to what the shopper paid with
        before and returns the new order's id, or None when that cannot be done. A repetition
        after a lost answer comes with the same ``quote_id`` and total, or is refused before it
        comes to that: use the id as the charge's idempotency key. All of the items or none are
        bought, at the price shown or less. The guard's rules hold as for the blueprint's routes;
        with Flask-WTF's CSRFProtect, exempt the route.
        """
        return instant_purchase.respond(charge)

    def sync_products(self, quantities: Mapping[str, int]) -> Cart:
        """Let linked items follow the shop's own cart: ``{sku: quantity}``, all products in it.

        Call it whenever that cart changes. An item linked to a product that is not in it leaves,
        now or when the placement adds it later; one whose quantity must be synchronized takes
        the product's. Until the first call, and in the cart after a purchase, nothing follows.
        Raises ``InvalidInput`` that names the product, ``StoreUnavailable``.
        """
        handle = kept_handle()
        if handle is None:
            return EMPTY_CART
        return with_handle(lambda one: runtime().checkout.sync_products(one, quantities))

    def rotate(self) -> None:
        """Give the shopper's session a new handle: call it when they log in. The cart stays.

        A request that was under way meanwhile is asked to come again, with the new handle: see
        ``bff.moving``. So call it once a login.
        """
        handle = kept_handle()
        drop_first_handle()
        if handle is None:
            return
        try:
            keep_handle(runtime().checkout.rotate(handle))
        except SessionMoved:
            pass  # another login was faster, a double click's say, and its answer has the cookie
        except Unauthorized:
            forget_handle()  # the session has ended, and a login must not fail for that

    @staticmethod
    def to_json(value: Cart | Quote | Order | Placements) -> dict[str, Any]:
        """Turn a shape into the JSON that the HTTP endpoints give."""
        return to_json(value)


def _named(quote_id: object) -> str:
    """Return the id of a quote that a shop named, in our form. Raises ``NotFound`` for none."""
    try:
        return str(UUID(str(quote_id)))
    except ValueError:
        raise NotFound("This session has no such quote.", code=Code.QUOTE_NOT_FOUND) from None
