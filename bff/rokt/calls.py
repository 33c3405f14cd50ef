"""The five calls of the Cart API as bytes and headers. Pure; source: Rokt's reference pages.

A ``Call`` holds neither the API key nor the tag id. ``CartApi`` adds them when it sends the call,
so neither is ever stored. The bytes of a call are made here once; every retry sends the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from bff.cart.order import OrderRow
from bff.cart.reservation import Reservation, ReserveOptions


class Kind(StrEnum):
    """The five calls, by their names in Rokt's reference."""

    ANY = "placements/any"
    RESERVE = "reserve"
    CONFIRM = "confirm"
    RELEASE = "release"
    CANCEL = "cancel"


# Rokt's reference prints both Cart and cart, and asks for lower case.
PATHS: Mapping[Kind, str] = {
    Kind.ANY: "/v1/placements/any",
    Kind.RESERVE: "/v1/cart/reserve",
    Kind.CONFIRM: "/v1/cart/confirm",
    Kind.RELEASE: "/v1/cart/release",
    Kind.CANCEL: "/v1/confirmation/cancel",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its body, and the headers that differ from call to call.

    Its ``repr`` has neither, because a body may hold an e-mail address.
    """

    kind: Kind
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def document(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


def any_call(
    *,
    cart_id: str,
    page_identifier: str,
    url: str,
    attributes: Mapping[str, str],
    rokt_session_id: str,
    accept_language: str | None,
) -> Call:
    """Ask whether there is anything to show on a page."""
    body = {
        "cartId": cart_id,
        "pageIdentifier": page_identifier,
        "url": url,
        "attributes": dict(attributes),
    }
    return Call(Kind.ANY, _bytes(body), _headers(rokt_session_id, accept_language))


def reserve_call(
    *,
    cart_id: str,
    lines: Iterable[tuple[str, int]],
    rokt_session_id: str,
    options: ReserveOptions,
) -> Call:
    """Reserve items. ``lines`` are pairs of cart item id and quantity."""
    body: dict[str, Any] = {
        "cartId": cart_id,
        "items": [{"cartItemId": one, "quantity": quantity} for one, quantity in lines],
    }
    if options.is_paypal_payment is not None:
        body["isPayPalPayment"] = options.is_paypal_payment
    if options.merchant_id is not None:
        body["merchantId"] = options.merchant_id
    if options.attributes:
        body["attributes"] = dict(options.attributes)
    return Call(Kind.RESERVE, _bytes(body), _headers(rokt_session_id, options.accept_language))


def confirm_call(order: OrderRow, rows: Iterable[Reservation]) -> Call:
    """Confirm what a paid order buys. Its ``extra`` are members whose names Rokt gave the shop."""
    body: dict[str, Any] = {
        **order.extra,
        "cartId": order.cart_id,
        "orderId": order.id,
        "items": [_confirmed_item(row) for row in rows],
    }
    if order.attributes:
        body["attributes"] = dict(order.attributes)
    return Call(Kind.CONFIRM, _bytes(body), _headers(order.rokt_session_id, order.accept_language))


def release_call(
    *,
    cart_id: str,
    rows: Iterable[Reservation],
    rokt_session_id: str,
    accept_language: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> Call:
    """Release reserved items before they expire."""
    body: dict[str, Any] = {
        "cartId": cart_id,
        "items": [
            {
                "cartItemId": row.item.cart_item_id,
                "itemReservationId": row.item_reservation_id,
            }
            for row in rows
        ],
    }
    if attributes:
        body["attributes"] = dict(attributes)
    return Call(Kind.RELEASE, _bytes(body), _headers(rokt_session_id, accept_language))


def cancel_call(*, item_reservation_id: str) -> Call:
    """Cancel one confirmed item. It is the only call without tag and session."""
    return Call(Kind.CANCEL, _bytes({"itemReservationId": item_reservation_id}), {})


def _confirmed_item(row: Reservation) -> dict[str, Any]:
    """Return the fullest documented form. Without a reservation, Rokt goes by the quantity."""
    item: dict[str, Any] = {
        "cartItemId": row.item.cart_item_id,
        "catalogItemId": row.item.catalog_item_id,
        "quantity": row.quantity,
        "currency": row.currency,
        "unitPrice": _number(row.unit_price),
        "totalPrice": _number(row.total_price),
    }
    if row.item_reservation_id is not None:
        item["itemReservationId"] = row.item_reservation_id
    return item


def _number(amount: Decimal) -> float:
    # Rokt's amounts are JSON numbers. Below a billion with a currency's digits, a float's
    # shortest form is the decimal itself, and that is what the JSON gets.
    return float(amount)


def _headers(rokt_session_id: str, accept_language: str | None) -> dict[str, str]:
    headers = {"rokt-session-id": rokt_session_id}
    if accept_language:
        headers["Accept-Language"] = accept_language
    return headers


def _bytes(body: Mapping[str, Any]) -> bytes:
    # No paid order may fail for a value that a shop passes on. A value that JSON cannot hold (a
    # Decimal, a date) is sent as its text. Half of a surrogate pair, which has no bytes, is sent
    # as a question mark.
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=str)
    return text.encode(errors="replace")
