"""The emulator's memory and its rules: stock, impressions, reservations, orders and the clock.

One lock guards everything, so two reserves for the last item cannot both succeed. Reservations
expire by the emulator's own clock. Each call first returns the stock of expired ones. Everything
stays in memory until a reset. Only the impressions are bounded.

The documentation is silent about these rules:

- To reserve a cartItemId again makes a second reservation.
- A call with several items takes effect for all of them or for none.
- A reservation belongs to the cart that made it.
- A confirm must have the quantity and price of the reservation, or leave them out.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any

from bff.emulator.confirmation import (
    ConfirmLine,
    Purchase,
    cancel_error,
    confirm_error,
    new_order,
    new_sale,
    release_error,
)
from bff.emulator.errors import ApiError, ApiFault, Code
from bff.emulator.records import Order, Reservation, rokt_time
from bff.emulator.rejection import (
    ItemFault,
    ReserveLine,
    decide,
    new_reservation,
    reserve_body,
    reserve_error,
)
from bff.emulator.settings import CatalogItem, EmulatorSettings
from bff.emulator.stock import CatalogChange, Stock


class State:
    """The memory of one emulator. Thread-safe.

    `reserve`, `confirm` and `release` return the body of the response and whether anything changed.
    These methods and `cancel` raise `ApiError` to refuse a call.
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self._first = settings
        self._lock = RLock()
        self.generation = 0  # counts the resets
        self.reset()

    def reset(self) -> None:
        """Go back to the start: settings, catalogue and clock, without reservations and orders."""
        with self._lock:
            self.generation += 1
            self.settings = self._first
            self._offset = timedelta(0)
            self._stock = Stock(self._first.catalog)
            self._reservations: dict[str, Reservation] = {}
            self._orders: dict[str, Order] = {}
            self._expiries: list[tuple[datetime, str]] = []

    # clock, settings, catalogue

    def now(self) -> datetime:
        """Return the emulator's time, in UTC."""
        return datetime.now(UTC) + self._offset

    def move_clock(self, seconds: float) -> datetime:
        """Move the clock on and return the new time."""
        with self._lock:
            self._offset += timedelta(seconds=seconds)
            return self.now()

    def change_settings(self, **changes: Any) -> EmulatorSettings:
        """Change settings until the next reset."""
        with self._lock:
            self.settings = replace(self.settings, **changes)
            return self.settings

    def catalog(self) -> tuple[CatalogItem, ...]:
        """Return the catalogue with the free stock."""
        with self._lock:
            self._expire()
            return tuple(self._stock.items.values())

    def change_catalog(self, edit: Callable[[tuple[CatalogItem, ...]], CatalogChange]) -> None:
        """Change the catalogue under the lock. `edit` returns the change to the present one."""
        with self._lock:
            change = edit(self.catalog())
            self._stock.put(change.items, keep=not change.replace)
            if change.placements is not None:
                self.change_settings(placements=change.placements)

    def issue(self, item: CatalogItem) -> str:
        """Create a new cartItemId for an impression of an item."""
        with self._lock:
            return self._stock.issue(item)

    # the Cart API

    def reserve(
        self, cart_id: str, session_id: str, lines: Sequence[ReserveLine], item_fault: ItemFault
    ) -> tuple[dict[str, Any], bool]:
        """Reserve the lines as far as possible."""
        with self._lock:
            self._expire()
            settings = self.settings
            free = self._stock.free()
            decisions = []
            for line in lines:
                item = self._find(line.cart_item_id)
                left = free[item.catalog_item_id] if item else 0
                decision = decide(line, item, left, item_fault, settings.rejection_form)
                decisions.append(decision)
                if item:
                    free[item.catalog_item_id] -= decision.granted
            error = reserve_error(decisions, settings)
            if error:
                raise error
            expires_at = self.now() + timedelta(seconds=settings.reservation_seconds)
            outcomes: list[tuple[Any, Reservation | None]] = []
            for decision in decisions:
                made = None
                if decision.item and decision.granted:
                    made = new_reservation(decision, decision.item, cart_id, session_id, expires_at)
                    self._stock.take(made)
                    self._reservations[made.reservation_id] = made
                    heapq.heappush(self._expiries, (expires_at, made.reservation_id))
                outcomes.append((decision, made))
            effect = any(made is not None for _, made in outcomes)
            return reserve_body(cart_id, outcomes, expires_at, settings), effect

    def confirm(self, purchase: Purchase, item_fault: ItemFault) -> tuple[dict[str, Any], bool]:
        """Confirm all lines or none."""
        with self._lock:
            self._expire()
            order = self._orders.get(purchase.order_id)
            if order and order.cart_id != purchase.cart_id:
                fault = ApiFault(Code.OTHER_CART, {"orderId": purchase.order_id})
                raise ApiError(422, "The order cannot be confirmed.", [fault])
            faults: list[ApiFault] = []
            fresh: list[Reservation] = []
            known: list[Reservation] = []
            for line in purchase.lines:
                found = self._find_reservation(line, purchase, order, item_fault)
                if isinstance(found, ApiFault):
                    faults.append(found)
                elif found.state == "reserved":
                    fresh.append(found)
                else:
                    known.append(found)
            again = bool(known) or (order is not None and not purchase.lines)
            if again and self.settings.repeat_confirm == "error":
                values = [r.names for r in known] or [{"orderId": purchase.order_id}]
                faults += [ApiFault(Code.ALREADY_CONFIRMED, value) for value in values]
            short = self._stock.out_of_stock(r for r in fresh if not r.held)
            faults += [ApiFault(Code.OUT_OF_STOCK, {"cartItemId": r.cart_item_id}) for r in short]
            if faults:
                raise ApiError(422, "The order cannot be confirmed.", faults)
            effect = order is None or bool(fresh)
            if order is None:
                order = new_order(purchase)
                self._orders[order.order_id] = order
            order.confirms += 1
            for reservation in fresh:
                if not reservation.held:
                    self._stock.take(reservation)
                    self._reservations[reservation.reservation_id] = reservation
                reservation.state = "confirmed"
                reservation.order_id = order.order_id
                reservation.fulfilled += 1
                order.reservations.append(reservation)
            items = [r.to_item(expiry=False) for r in (*known, *fresh)]
            return {"cartId": order.cart_id, "orderId": order.order_id, "items": items}, effect

    def release(
        self, cart_id: str, lines: Sequence[tuple[str, str]]
    ) -> tuple[dict[str, Any], bool]:
        """Release all lines or none. A line is (cartItemId, itemReservationId)."""
        with self._lock:
            self._expire()
            faults: list[ApiFault] = []
            fresh: list[Reservation] = []
            for cart_item_id, reservation_id in lines:
                found = self._own(cart_id, cart_item_id, reservation_id)
                if found is None:
                    value = {"cartItemId": cart_item_id, "itemReservationId": reservation_id}
                    faults.append(ApiFault(Code.RESERVATION_NOT_FOUND, value))
                    continue
                found.release_calls += 1
                code = release_error(found, self.settings.repeat_release)
                if code:
                    faults.append(ApiFault(code, found.names))
                elif found.state == "reserved":
                    fresh.append(found)
            if faults:
                raise ApiError(422, "The items cannot be released.", faults)
            for reservation in fresh:
                reservation.state = "released"
                self._stock.give_back(reservation)
            items = [{"cartItemId": c, "itemReservationId": r} for c, r in lines]
            return {"cartId": cart_id, "items": items}, bool(fresh)

    def cancel(self, reservation_id: str) -> bool:
        """Cancel a confirmed item. Returns whether this call canceled it."""
        with self._lock:
            self._expire()
            found = self._reservations.get(reservation_id)
            if found is None:
                raise _no_cancel(Code.RESERVATION_NOT_FOUND, {"itemReservationId": reservation_id})
            found.cancel_calls += 1
            item = self._stock.items.get(found.catalog_item_id)
            code = cancel_error(found, item, self.settings.repeat_cancel)
            if code:
                raise _no_cancel(code, found.names)
            if found.state == "cancelled":
                return False
            found.state = "cancelled"
            found.cancelled += 1
            self._stock.give_back(found)
            return True

    def to_json(self) -> dict[str, Any]:
        """Return the JSON for `GET /_emulator/state`."""
        with self._lock:
            self._expire()
            reservations = list(self._reservations.values())
            return {
                "now": rokt_time(self.now()),
                "catalog": self._stock.to_state(reservations),
                "reservations": {r.reservation_id: r.to_state() for r in reservations},
                "orders": {key: order.to_state() for key, order in self._orders.items()},
            }

    # inside the lock

    def _expire(self) -> None:
        now = self.now()
        while self._expiries and self._expiries[0][0] <= now:
            reservation = self._reservations[heapq.heappop(self._expiries)[1]]
            if reservation.state == "reserved":
                reservation.state = "lapsed"
                self._stock.give_back(reservation)

    def _find(self, cart_item_id: str) -> CatalogItem | None:
        return self._stock.find(cart_item_id, accept_unissued=self.settings.accept_unissued)

    def _own(self, cart_id: str, cart_item_id: str, reservation_id: str) -> Reservation | None:
        found = self._reservations.get(reservation_id)
        if found and found.cart_id == cart_id and found.cart_item_id == cart_item_id:
            return found
        return None

    def _find_reservation(
        self, line: ConfirmLine, purchase: Purchase, order: Order | None, item_fault: ItemFault
    ) -> Reservation | ApiFault:
        """Return the reservation or sale of a line, or an error."""
        if line.reservation_id is None:
            return self._find_sale(line, purchase, order, item_fault)
        found = self._own(purchase.cart_id, line.cart_item_id, line.reservation_id)
        if found is None:
            value = {"cartItemId": line.cart_item_id, "itemReservationId": line.reservation_id}
            return ApiFault(Code.RESERVATION_NOT_FOUND, value)
        found.confirm_calls += 1
        code = confirm_error(found, line, purchase.order_id)
        if code:
            return ApiFault(code, found.names)
        kind = item_fault.on(found.cart_item_id, found.catalog_item_id)
        if found.state == "reserved" and kind == "reject":
            return ApiFault(Code.ITEM_REJECTED, found.names)
        return found

    def _find_sale(
        self, line: ConfirmLine, purchase: Purchase, order: Order | None, item_fault: ItemFault
    ) -> Reservation | ApiFault:
        """Return the sale of an item that was not reserved: an earlier one, or a new one."""
        names = {"cartItemId": line.cart_item_id}
        quantity = line.quantity or 0
        for sold in order.reservations if order else ():
            if not sold.held and sold.cart_item_id == line.cart_item_id:
                sold.confirm_calls += 1
                is_same = sold.quantity == quantity
                return sold if is_same else ApiFault(Code.QUANTITY_MISMATCH, names)
        item = self._find(line.cart_item_id)
        if item is None:
            return ApiFault(Code.UNKNOWN_ITEM, names)
        return new_sale(line, purchase, item, item_fault, self.now())


def _no_cancel(code: Code, names: dict[str, Any]) -> ApiError:
    return ApiError(422, "The item cannot be cancelled.", [ApiFault(code, names)])
