"""Whether an item can be reserved, and how a rejection is shown. Pure.

How a rejected item appears in Rokt's answer is unknown. So there is a form for every way that a
reader must expect, and each shows **its own sign and no other**, so that a reader who overlooks
that sign is found out:

- `absent`: the item is not in the answer;
- `no_id`: it is there as it was asked for, without `itemReservationId` and expiry;
- `smaller`: it is there with a smaller quantity, reserved as far as it goes; with quantity 0 and
  without an id when nothing could be reserved. Only in this form is a line reserved in part;
- `status`: it looks reserved, but for a `status` that says otherwise;
- `error_value`: it looks reserved, but an error beside the items names it in its `value`;
- `422_named`: nothing is reserved, and the errors name the items;
- `422_all`: nothing is reserved, and no error names an item.

An id that only looks like a reservation (`status`, `error_value`) holds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import uuid4

from bff.emulator.errors import ApiError, ApiFault, Code
from bff.emulator.records import Reservation, stamp
from bff.emulator.settings import CatalogItem, EmulatorSettings, RejectionForm


@dataclass(frozen=True, slots=True)
class Asked:
    """A line of a reserve."""

    cart_item_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Tweak:
    """What a fault does to the items of one call; without ids it touches all of them."""

    kind: Literal["reject", "no_stock", "grant_less", "price"] | None = None
    catalog_item_ids: frozenset[str] = frozenset()
    cart_item_ids: frozenset[str] = frozenset()
    form: RejectionForm | None = None
    unit_price: Decimal = Decimal(0)
    quantity: int = 0

    def on(self, cart_item_id: str, catalog_item_id: str | None) -> str | None:
        """Give the kind where it touches this item, else None."""
        if not self.catalog_item_ids and not self.cart_item_ids:
            return self.kind
        named = cart_item_id in self.cart_item_ids or catalog_item_id in self.catalog_item_ids
        return self.kind if named else None


@dataclass(frozen=True, slots=True)
class Decision:
    """How much of a line is granted, at what price; `reason` when it is not all of it."""

    asked: Asked
    item: CatalogItem | None
    granted: int
    unit_price: Decimal
    form: RejectionForm
    reason: Code | None

    @property
    def refuses_all(self) -> bool:
        """Whether the form refuses the whole request for this line's sake."""
        return self.reason is not None and self.form in ("422_named", "422_all")


def decide(
    asked: Asked, item: CatalogItem | None, free: int, tweak: Tweak, form: RejectionForm
) -> Decision:
    """Decide one line: `item` is None when it is unknown, `free` is the stock left for it."""
    kind = tweak.on(asked.cart_item_id, item.catalog_item_id if item else None)
    form = tweak.form or form
    if item is None:
        return Decision(asked, None, 0, Decimal(0), form, Code.UNKNOWN_ITEM)
    price = tweak.unit_price if kind == "price" else item.unit_price
    granted, reason = asked.quantity, None
    if kind == "reject":
        granted, reason = asked.quantity - 1, Code.ITEM_REJECTED
    elif kind == "grant_less" and tweak.quantity < asked.quantity:
        granted, reason, form = tweak.quantity, Code.OUT_OF_STOCK, "smaller"
    if kind == "no_stock":
        free = 0
    if granted > free:
        granted, reason = free, Code.OUT_OF_STOCK
    if reason and form != "smaller":
        granted = 0
    return Decision(asked, item, granted, price, form, reason)


def hold(
    decision: Decision, item: CatalogItem, cart_id: str, session_id: str, expires_at: datetime
) -> Reservation:
    """Make the reservation of what was granted, at the price that is locked by it."""
    return Reservation(
        new_reservation_id(),
        cart_id,
        session_id,
        decision.asked.cart_item_id,
        item.catalog_item_id,
        decision.granted,
        decision.unit_price,
        item.currency,
        expires_at,
    )


def named(decision: Decision, settings: EmulatorSettings) -> Any:
    """Give the `value` by which an error names a line."""
    if settings.error_value == "id":
        return decision.asked.cart_item_id
    return {"cartItemId": decision.asked.cart_item_id, "quantity": decision.asked.quantity}


def refusal(decisions: Sequence[Decision], settings: EmulatorSettings) -> ApiError | None:
    """Give the 422 for the whole request when the form of a rejected line asks for it."""
    if not any(decision.refuses_all for decision in decisions):
        return None
    faults = []
    for decision in decisions:
        if decision.reason is not None:
            value = None if decision.form == "422_all" else named(decision, settings)
            faults.append(ApiFault(decision.reason, value))
    return ApiError(422, "The items cannot be reserved.", faults)


def reserve_answer(
    cart_id: str,
    outcomes: Sequence[tuple[Decision, Reservation | None]],
    expires_at: datetime,
    settings: EmulatorSettings,
) -> dict[str, Any]:
    """Build the 200 of a reserve from its lines and the reservations that were made for them."""
    items: list[dict[str, Any]] = []
    faults: list[ApiFault] = []
    for decision, reservation in outcomes:
        if reservation is not None:
            item = reservation.to_item(expiry=True)
            if decision.form == "status":
                item["status"] = "RESERVED"  # a status by itself is no rejection
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
                faults.append(ApiFault(code, named(decision, settings)))
    answer: dict[str, Any] = {"cartId": cart_id, "items": items}
    if faults:
        answer["errors"] = [fault.to_json() for fault in faults]
    return answer


def _unreserved(decision: Decision, expires_at: datetime) -> dict[str, Any]:
    """Build an item that looks reserved and is not."""
    return {
        "cartItemId": decision.asked.cart_item_id,
        "itemReservationId": new_reservation_id(),
        "quantity": decision.asked.quantity,
        "unitPrice": float(decision.unit_price),
        "totalPrice": float(decision.unit_price * decision.asked.quantity),
        "currency": decision.item.currency if decision.item else "USD",
        "expirationDateTimeUtc": stamp(expires_at),
    }


def new_reservation_id() -> str:
    """Make an id of the documented look."""
    return f"rokt_item_reservation_id.{uuid4()}"
