"""The five endpoints of the Cart API: the headers they check and the bodies they read.

Source: Rokt's Cart API documentation (overview and the page of each endpoint). Where it names no
status: a missing or wrong header and an invalid body are 400, a wrong tag is 403, and errors about
items are 422. Unknown members are accepted, because the documentation says that there are more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Request

from bff.emulator.confirmation import ConfirmLine, Purchase
from bff.emulator.errors import ApiError, ApiFault, Code, invalid
from bff.emulator.faults import Endpoint
from bff.emulator.json_body import BadInputError, Node, read_json
from bff.emulator.rejection import ItemFault, ReserveLine
from bff.emulator.state import State

# The documented members of a confirm. Others are only stored.
_CONFIRM = {"cartId", "orderId", "items", "attributes"}


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """The response of an endpoint. `body` None is no body. `effect`: whether anything changed."""

    status: int
    body: Any
    effect: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed the header checks. `session_id` is None without that header."""

    body: Node
    session_id: str | None
    item_fault: ItemFault

    def cart_id(self) -> str:
        """Read the cart id."""
        return self.body.need("cartId").text()

    def attributes(self) -> dict[str, str]:
        """Read the optional attributes, string to string."""
        node = self.body.get("attributes")
        return node.pairs() if node else {}


def respond(
    endpoint: Endpoint, request: Request, state: State, item_fault: ItemFault
) -> ApiResponse:
    """Carry out one call. An error is a response too."""
    try:
        session_id = _check_headers(endpoint, request, state)
        call = Call(read_json(request.get_data()), session_id, item_fault)
        return _ENDPOINTS[endpoint](call, state)
    except BadInputError as bad:
        error = invalid(bad.field, bad.message)
    except ApiError as raised:
        error = raised
    return ApiResponse(error.status, error.to_json())


def _check_headers(endpoint: Endpoint, request: Request, state: State) -> str | None:
    settings = state.settings
    if request.headers.get("rokt-api-key") != settings.api_key:
        fault = ApiFault(Code.UNAUTHORIZED, {"header": "rokt-api-key"})
        raise ApiError(401, "Unauthorized.", [fault], with_body=settings.body_on_401)
    if endpoint != "cancel":  # the one call that needs no tag
        tag = request.headers.get("rokt-tag-id")
        if not tag:
            raise _header(Code.MISSING_HEADER, "rokt-tag-id")
        if tag != settings.tag_id:
            fault = ApiFault(Code.WRONG_TAG, {"header": "rokt-tag-id"})
            raise ApiError(403, "The key may not act for this tag.", [fault])
    if request.mimetype != "application/json":
        raise _header(Code.WRONG_MEDIA_TYPE, "Content-Type")
    if request.accept_mimetypes.quality("application/json") <= 0:
        raise _header(Code.WRONG_MEDIA_TYPE, "Accept")
    session_id = request.headers.get("rokt-session-id") or None
    if session_id is None and endpoint in ("reserve", "release"):
        raise _header(Code.MISSING_HEADER, "rokt-session-id")
    return session_id


def _header(code: Code, name: str) -> ApiError:
    return ApiError(
        400, f"The header {name} is missing or wrong.", [ApiFault(code, {"header": name})]
    )


def _any(call: Call, state: State) -> ApiResponse:
    call.cart_id()
    call.body.need("pageIdentifier").text()
    url = call.body.get("url")
    if url:
        url.text(empty=True)
    call.attributes()
    shown = state.settings.placements and any(item.offered for item in state.catalog())
    return ApiResponse(200, {"result": shown})


def _reserve(call: Call, state: State) -> ApiResponse:
    items = call.body.need("items")
    lines = [
        ReserveLine(node.need("cartItemId").text(), node.need("quantity").whole(1))
        for node in items.elements()
    ]
    if not lines:
        items.fail("must name an item")
    paypal = call.body.get("isPayPalPayment")
    if paypal:
        paypal.flag()
    merchant = call.body.get("merchantId")
    if merchant:
        merchant.text()
    call.attributes()
    session_id = call.session_id or ""  # checked with the headers
    return ApiResponse(200, *state.reserve(call.cart_id(), session_id, lines, call.item_fault))


def _confirm(call: Call, state: State) -> ApiResponse:
    items = call.body.need("items")
    lines: list[ConfirmLine] = []
    for node in items.elements():
        line = _confirm_line(node)
        key = line.reservation_id or line.cart_item_id
        if any(key == (seen.reservation_id or seen.cart_item_id) for seen in lines):
            node.fail("is in the list twice")
        lines.append(line)
    if lines and state.settings.confirm_needs_session and call.session_id is None:
        raise _header(Code.MISSING_HEADER, "rokt-session-id")
    purchase = Purchase(
        call.cart_id(),
        call.body.need("orderId").text(),
        call.session_id,
        tuple(lines),
        call.attributes(),
        {name: node.value for name, node in call.body.members().items() if name not in _CONFIRM},
    )
    return ApiResponse(200, *state.confirm(purchase, call.item_fault))


def _confirm_line(node: Node) -> ConfirmLine:
    reservation = node.get("itemReservationId")
    quantity = node.get("quantity")
    if reservation is None and quantity is None:
        node.fail("needs an itemReservationId or a quantity")
    unit, total = node.get("unitPrice"), node.get("totalPrice")
    for name in ("catalogItemId", "currency"):
        text = node.get(name)
        if text:
            text.text()
    return ConfirmLine(
        node.need("cartItemId").text(),
        reservation.text() if reservation else None,
        quantity.whole(1) if quantity else None,
        unit.amount() if unit else None,
        total.amount() if total else None,
    )


def _release(call: Call, state: State) -> ApiResponse:
    items = call.body.need("items")
    lines = [
        (node.need("cartItemId").text(), node.need("itemReservationId").text())
        for node in items.elements()
    ]
    if not lines:
        items.fail("must name an item")
    if len(set(lines)) < len(lines):
        items.fail("has an item twice")
    call.attributes()
    return ApiResponse(200, *state.release(call.cart_id(), lines))


def _cancel(call: Call, state: State) -> ApiResponse:
    done = state.cancel(call.body.need("itemReservationId").text())
    return ApiResponse(200, None, done)


_ENDPOINTS: Mapping[Endpoint, Callable[[Call, State], ApiResponse]] = {
    "any": _any,
    "reserve": _reserve,
    "confirm": _confirm,
    "release": _release,
    "cancel": _cancel,
}
