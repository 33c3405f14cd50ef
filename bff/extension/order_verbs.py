"""The verbs for a shop's own views, from the payment on: confirm, cancel, refunds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from flask import Response, has_request_context

from bff.cart.order import Order, Purchase
from bff.cart.quote import Quote
from bff.errors import Code, NotFound
from bff.extension import instant_purchase
from bff.extension.arguments import mapping_or_empty, order_id_text, plain, texts
from bff.web.runtime import runtime
from bff.web.shopper import kept_handle, remembered_quote, shopper_language


class OrderVerbs:
    """What ``Upsells`` can do with orders."""

    def confirm(
        self,
        order_id: str | int,
        quote_id: str | UUID | None = None,
        attributes: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Order:
        """Record that the shopper has paid, and tell Rokt now or later. Call it after the charge.

        A repetition with the same order id changes nothing. A payment provider's request has no
        cookie of the shopper's, and a job has no request: pass ``quote_id`` there.

        Args:
            order_id: The shop's id of the order, of at most 128 characters.
            quote_id: The quote that was charged. None: the one that ``reserve`` returned in this
                request, else the session's last.
            attributes: Attributes of the shopper for Rokt, such as ``{"country": "US"}``.
            extra: Further members of Rokt's confirm.

        Returns:
            The order as it stands.

        Raises:
            Conflict: The order belongs to another session, or was paid with another quote.
            InvalidInput: The order id is empty, too long or not an id.
            NotFound: The quote is unknown. An empty ``quote_id`` is unknown too.
            RuntimeError: There is no request, and ``quote_id`` is None.
            StoreUnavailable: The order is not recorded. Repeat the call with the same order id.
            Unauthorized: The request has no session, and ``quote_id`` is None.
        """
        is_elsewhere = quote_id is not None and not has_request_context()
        handle = None if is_elsewhere else kept_handle()
        purchase = Purchase(
            order_id=order_id_text(order_id),
            quote_id=remembered_quote() if quote_id is None else _quote_id_text(quote_id),
            attributes=texts(mapping_or_empty("attributes", attributes)),
            extra=plain(mapping_or_empty("extra", extra)),
            # Elsewhere, the language of the quote's request counts.
            accept_language=shopper_language() if handle is not None else None,
            insists=quote_id is not None,
        )
        return runtime().checkout.record(handle, purchase)[0]

    def cancel(self, order_id: str | int, cart_item_id: str | None = None) -> Order:
        """Cancel an order's items after the sale.

        The shop must check that this shopper may do that.

        Args:
            order_id: The shop's id of the order.
            cart_item_id: The item. None: all items.

        Returns:
            The order as it stands.

        Raises:
            Conflict: No item can be cancelled.
            InvalidInput: The order id has characters that no database stores.
            NotFound: There is no such order or item.
            StoreUnavailable: The database cannot be used right now.
        """
        return runtime().checkout.cancel(str(order_id), cart_item_id)

    def order(self, order_id: str | int) -> Order:
        """Return an order as it stands, with the status of each item.

        Args:
            order_id: The shop's id of the order.

        Raises:
            InvalidInput: The order id has characters that no database stores.
            NotFound: There is no such order.
            StoreUnavailable: The database cannot be used right now.
        """
        return runtime().checkout.order(str(order_id))

    def refunded(self, order_id: str | int) -> None:
        """Record that the shopper has the money back for the items in ``refund_needed``.

        ``redrive`` does not buy them any more.

        Args:
            order_id: The shop's id of the order.

        Raises:
            InvalidInput: The order id has characters that no database stores.
            NotFound: The order needs no refund.
            StoreUnavailable: The database cannot be used right now.
        """
        runtime().checkout.refunded(str(order_id))

    def buy_instantly(self, charge: Callable[[Quote], str | int | None]) -> Response:
        """Respond to an instant purchase of a placement on the thanks page.

        Call it in a POST route whose address ``bridge-purchase.js`` gets. It reserves the items,
        charges and confirms: all items or none, at the price shown or less. The guard checks the
        request like one of the blueprint's. Exempt the route from Flask-WTF's CSRFProtect.

        Args:
            charge: Charges ``quote.total`` to what the shopper paid with before. Returns the new
                order's id, or None if the charge was declined. A repetition has the same
                ``quote_id`` and total: use the id as the charge's idempotency key.

        Returns:
            The response that the placement waits for, or a problem document.

        Raises:
            Exception: ``charge`` raised it. The items stay reserved for a repetition.
        """
        return instant_purchase.respond(charge)


def _quote_id_text(quote_id: object) -> str:
    try:
        return str(UUID(str(quote_id)))
    except ValueError:
        raise NotFound("This session has no such quote.", code=Code.QUOTE_NOT_FOUND) from None
