"""The error bodies of the Cart API.

The shape is documented: `{"description": str, "errors": [{"code", "message", "value"}]}` with 400,
401, 403, 422 and 500. The codes are not documented. **Every code below is invented**, and a client
must not rely on one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """Invented error codes. Rokt's own are unknown."""

    UNAUTHORIZED = "UNAUTHORIZED"
    MISSING_HEADER = "MISSING_HEADER"
    WRONG_TAG = "WRONG_TAG"
    WRONG_MEDIA_TYPE = "WRONG_MEDIA_TYPE"
    INVALID_REQUEST = "INVALID_REQUEST"
    NOT_FOUND = "NOT_FOUND"
    INJECTED = "INJECTED"
    # about one item
    UNKNOWN_ITEM = "UNKNOWN_ITEM"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    ITEM_REJECTED = "ITEM_REJECTED"
    RESERVATION_NOT_FOUND = "RESERVATION_NOT_FOUND"
    RESERVATION_EXPIRED = "RESERVATION_EXPIRED"
    RESERVATION_RELEASED = "RESERVATION_RELEASED"
    ALREADY_RELEASED = "ALREADY_RELEASED"
    ALREADY_CONFIRMED = "ALREADY_CONFIRMED"
    ALREADY_CANCELLED = "ALREADY_CANCELLED"
    NOT_CONFIRMED = "NOT_CONFIRMED"
    OTHER_ORDER = "OTHER_ORDER"
    OTHER_CART = "OTHER_CART"
    QUANTITY_MISMATCH = "QUANTITY_MISMATCH"
    PRICE_MISMATCH = "PRICE_MISMATCH"
    CANCEL_REFUSED = "CANCEL_REFUSED"


MESSAGES = {
    Code.UNKNOWN_ITEM: "No such item is offered.",
    Code.OUT_OF_STOCK: "There is not enough of it left.",
    Code.ITEM_REJECTED: "The provider rejected the item.",
    Code.RESERVATION_NOT_FOUND: "There is no such reservation in this cart.",
    Code.RESERVATION_EXPIRED: "The reservation has expired.",
    Code.RESERVATION_RELEASED: "The reservation was released.",
    Code.ALREADY_RELEASED: "The reservation was already released.",
    Code.ALREADY_CONFIRMED: "The item was already confirmed.",
    Code.ALREADY_CANCELLED: "The item was already cancelled.",
    Code.NOT_CONFIRMED: "The item was not confirmed, so there is nothing to cancel.",
    Code.OTHER_ORDER: "The reservation was used by another order.",
    Code.OTHER_CART: "The order belongs to another cart.",
    Code.QUANTITY_MISMATCH: "The quantity is not the one that was reserved.",
    Code.PRICE_MISMATCH: "The price is not the one that was locked.",
    Code.CANCEL_REFUSED: "The provider refuses to cancel.",
}


@dataclass(frozen=True, slots=True)
class ApiFault:
    """One entry of `errors`. `value` is any JSON. It names the item if the error is about one."""

    code: Code
    value: Any = None
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of the API."""
        text = self.message or MESSAGES.get(self.code, self.code.replace("_", " ").capitalize())
        return {"code": str(self.code), "message": text, "value": self.value}


class ApiError(Exception):
    """An error response. `with_body` is False for a 401 without a body."""

    def __init__(
        self,
        status: int,
        description: str,
        errors: Iterable[ApiFault] = (),
        *,
        with_body: bool = True,
    ) -> None:
        self.status = status
        self.description = description
        self.errors = tuple(errors)
        self.with_body = with_body
        super().__init__(f"{status} {description}")

    def to_json(self) -> dict[str, Any] | None:
        """Return the documented body, or None."""
        if not self.with_body:
            return None
        return error_body(self.description, self.errors)


def error_body(description: str, errors: Iterable[ApiFault]) -> dict[str, Any]:
    """Build a body in the documented shape."""
    return {"description": description, "errors": [error.to_json() for error in errors]}


def invalid(field: str, message: str) -> ApiError:
    """Build the 400 for an invalid body."""
    text = f"{field} {message}" if field else f"The body {message}"
    fault = ApiFault(Code.INVALID_REQUEST, {"field": field}, text)
    return ApiError(400, "The request is not valid.", [fault])
