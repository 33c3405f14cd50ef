"""Decides whether an item can be reserved, and builds the response that shows a rejection. Pure.

Rokt does not document how a rejected item looks in the response. So there is a form for every way
that a client must expect. Each form shows one sign only, so a test finds a client that ignores it:

- `absent`: the item is not in the response;
- `no_id`: the item is there as requested, without `itemReservationId` and expiry;
- `smaller`: the item has a smaller quantity, reserved as far as the stock lasts. If nothing could
  be reserved, the quantity is 0 and there is no id. Only this form reserves a line in part;
- `status`: the item looks reserved, but its `status` says otherwise;
- `error_value`: the item looks reserved, but an error beside the items names it in its `value`;
- `422_named`: a 422 whose errors name the items. Nothing is reserved;
- `422_all`: a 422 whose errors name no item. Nothing is reserved.

In the forms `status` and `error_value`, the id that looks like a reservation reserves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import uuid4

from bff.emulator.errors import ApiError, ApiFault, Code
from bff.emulator.records import Reservation, rokt_time
from bff.emulator.settings import CatalogItem, EmulatorSettings, RejectionForm


@dataclass(frozen=True, slots=True)
class ReserveLine:
    """A line of a reserve request."""

    cart_item_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class ItemFault:
    """A fault about the items of one call. Without ids it is about all of them."""

    kind: Literal["reject", "no_stock", "grant_less", "price"] | None = None
    catalog_item_ids: frozenset[str] = frozenset()
    cart_item_ids: frozenset[str] = frozenset()
    form: RejectionForm | None = None
    unit_price: Decimal = Decimal(0)
    quantity: int = 0

    def on(self, cart_item_id: str, catalog_item_id: str | None) -> str | None:
        """Return the kind of fault if it is about this item, else None."""
        if not self.catalog_item_ids and not self.cart_item_ids:
            return self.kind
        is_named = cart_item_id in self.cart_item_ids or catalog_item_id in self.catalog_item_ids
        return self.kind if is_named else None


@dataclass(frozen=True, slots=True)
class Decision:
    """How much of a line is granted, and at which price. `reason` says why it is not all."""

    line: ReserveLine
    item: CatalogItem | None
    granted: int
    unit_price: Decimal
    form: RejectionForm
    reason: Code | None

    @property
    def refuses_all(self) -> bool:
        """Whether this line makes the whole request a 422."""
        return self.reason is not None and self.form in ("422_named", "422_all")


def decide(
    line: ReserveLine,
    item: CatalogItem | None,
    free: int,
    item_fault: ItemFault,
    form: RejectionForm,
) -> Decision:
    """Decide one line. `item` is None if it is unknown. `free` is the stock left for it."""
    kind = item_fault.on(line.cart_item_id, item.catalog_item_id if item else None)
    form = item_fault.form or form
    if item is None:
        return Decision(line, None, 0, Decimal(0), form, Code.UNKNOWN_ITEM)
    price = item_fault.unit_price if kind == "price" else item.unit_price
    granted, reason = line.quantity, None
    if kind == "reject":
        granted, reason = line.quantity - 1, Code.ITEM_REJECTED
    elif kind == "grant_less" and item_fault.quantity < line.quantity:
        granted, reason, form = item_fault.quantity, Code.OUT_OF_STOCK, "smaller"
    if kind == "no_stock":
        free = 0
    if granted > free:
        granted, reason = free, Code.OUT_OF_STOCK
    if reason and form != "smaller":
        granted = 0
    return Decision(line, item, granted, price, form, reason)


def new_reservation(
    decision: Decision, item: CatalogItem, cart_id: str, session_id: str, expires_at: datetime
) -> Reservation:
    """Create the reservation of the granted quantity, at the price that it locks."""
    return Reservation(
        new_reservation_id(),
        cart_id,
        session_id,
        decision.line.cart_item_id,
        item.catalog_item_id,
        decision.granted,
        decision.unit_price,
        item.currency,
        expires_at,
    )


def error_value(decision: Decision, settings: EmulatorSettings) -> Any:
    """Return the `value` with which an error names a line."""
    if settings.error_value == "id":
        return decision.line.cart_item_id
    return {"cartItemId": decision.line.cart_item_id, "quantity": decision.line.quantity}


def reserve_error(decisions: Sequence[Decision], settings: EmulatorSettings) -> ApiError | None:
    """Return the 422 for the whole request if the form of a rejected line needs one."""
    if not any(decision.refuses_all for decision in decisions):
        return None
    faults = []
    for decision in decisions:
        if decision.reason is not None:
            value = None if decision.form == "422_all" else error_value(decision, settings)
            faults.append(ApiFault(decision.reason, value))
    return ApiError(422, "The items cannot be reserved.", faults)


def reserve_body(
    cart_id: str,
    outcomes: Sequence[tuple[Decision, Reservation | None]],
    expires_at: datetime,
    settings: EmulatorSettings,
) -> dict[str, Any]:
    """Build the body of a 200 from the lines and their reservations."""
    items: list[dict[str, Any]] = []
    faults: list[ApiFault] = []
    for decision, reservation in outcomes:
        if reservation is not None:
            item = reservation.to_item(expiry=True)
            if decision.form == "status":
                item["status"] = "RESERVED"  # the member alone must not mean a rejection
            items.append(item)
            continue
        item = _unreserved(decision, expires_at)
        match decision.form:
            case "no_id":
                del item["itemReservationId"], item["expirationDateTimeUtc"]
                items.append(item)
            case "smaller":
                del item["itemReservationId"], item["expirationDateTimeUtc"]
                items.append(item | {"quantity": 0, "totalPrice": 0})
            case "status":
                items.append(item | {"status": settings.rejection_status})
            case "error_value":
                items.append(item)
                code = decision.reason or Code.ITEM_REJECTED
                faults.append(ApiFault(code, error_value(decision, settings)))
    body: dict[str, Any] = {"cartId": cart_id, "items": items}
    if faults:
        body["errors"] = [fault.to_json() for fault in faults]
    return body


def _unreserved(decision: Decision, expires_at: datetime) -> dict[str, Any]:
    """Build an item that looks reserved but is not."""
    return {
        "cartItemId": decision.line.cart_item_id,
        "itemReservationId": new_reservation_id(),
        "quantity": decision.line.quantity,
        "unitPrice": float(decision.unit_price),
        "totalPrice": float(decision.unit_price * decision.line.quantity),
        "currency": decision.item.currency if decision.item else "USD",
        "expirationDateTimeUtc": rokt_time(expires_at),
    }


def new_reservation_id() -> str:
    """Create an id in the documented form."""
    return f"rokt_item_reservation_id.{uuid4()}"
