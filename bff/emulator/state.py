"""The emulator's memory and its rules: stock, impressions, reservations, orders and the clock.

One lock guards all of it, so two reserves for the last item cannot both win. Reservations lapse by
the emulator's own clock, lazily: whatever looks next gives the stock back first. Everything stays
in memory until a reset; only the impressions are bounded.

Decided here where the documentation is silent: reserving a cartItemId again makes a second
reservation; a call with several items is carried out for all of them or for none; a reservation
counts for the cart that made it; a confirm must not contradict the quantity and price that the
reservation holds.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any

from bff.emulator.confirmation import Confirming, Purchase, obstacle, order_of, sale
from bff.emulator.errors import ApiError, ApiFault, Code
from bff.emulator.records import Order, Reservation, stamp
from bff.emulator.rejection import Asked, Tweak, decide, hold, refusal, reserve_answer
from bff.emulator.settings import CatalogItem, EmulatorSettings
from bff.emulator.stock import CatalogChange, Shelf


class State:
    """All that the emulator knows. Safe to use from many threads."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self._first = settings
        self._lock = RLock()
        self.generation = 0  # counts the resets
        self.reset()

    def reset(self) -> None:
        """Go back to the start: settings, catalogue, clock; no reservation, no order."""
        with self._lock:
            self.generation += 1
            self.settings = self._first
            self._offset = timedelta(0)
            self._shelf = Shelf(self._first.catalog)
            self._reservations: dict[str, Reservation] = {}
            self._orders: dict[str, Order] = {}
            self._lapsing: list[tuple[datetime, str]] = []

    # clock, settings, catalogue

    def now(self) -> datetime:
        """Give the emulator's time, UTC."""
        return datetime.now(UTC) + self._offset

    def move_clock(self, seconds: float) -> datetime:
        """Move the time on and give it."""
        with self._lock:
            self._offset += timedelta(seconds=seconds)
            return self.now()

    def change_settings(self, **changes: Any) -> EmulatorSettings:
        """Take other settings until the next reset."""
        with self._lock:
            self.settings = replace(self.settings, **changes)
            return self.settings

    def catalog(self) -> tuple[CatalogItem, ...]:
        """Give the catalogue with the stock that is free now."""
        with self._lock:
            self._lapse()
            return tuple(self._shelf.items.values())

    def change_catalog(self, edit: Callable[[tuple[CatalogItem, ...]], CatalogChange]) -> None:
        """Change the catalogue by what `edit` makes of the present one; nothing comes between."""
        with self._lock:
            change = edit(self.catalog())
            self._shelf.put(change.items, keep=not change.replace)
            if change.placements is not None:
                self.change_settings(placements=change.placements)

    def issue(self, item: CatalogItem) -> str:
        """Make a fresh cartItemId for an impression of an item."""
        with self._lock:
            return self._shelf.issue(item)

    # the Cart API

    def reserve(
        self, cart_id: str, session_id: str, lines: Sequence[Asked], tweak: Tweak
    ) -> tuple[dict[str, Any], bool]:
        """Reserve what can be; give the answer and whether anything was. Raises `ApiError`."""
        with self._lock:
            self._lapse()
            settings = self.settings
            free = self._shelf.free()
            decisions = []
            for line in lines:
                item = self._find(line.cart_item_id)
                left = free[item.catalog_item_id] if item else 0
                decision = decide(line, item, left, tweak, settings.rejection_form)
                decisions.append(decision)
                if item:
                    free[item.catalog_item_id] -= decision.granted
            refused = refusal(decisions, settings)
            if refused:
                raise refused
            expires_at = self.now() + timedelta(seconds=settings.reservation_seconds)
            outcomes: list[tuple[Any, Reservation | None]] = []
            for decision in decisions:
                made = None
                if decision.item and decision.granted:
                    made = hold(decision, decision.item, cart_id, session_id, expires_at)
                    self._shelf.take(made)
                    self._reservations[made.reservation_id] = made
                    heapq.heappush(self._lapsing, (expires_at, made.reservation_id))
                outcomes.append((decision, made))
            effect = any(made is not None for _, made in outcomes)
            return reserve_answer(cart_id, outcomes, expires_at, settings), effect

    def confirm(self, purchase: Purchase, tweak: Tweak) -> tuple[dict[str, Any], bool]:
        """Confirm all lines or none; give the answer and whether it changed anything."""
        with self._lock:
            self._lapse()
            order = self._orders.get(purchase.order_id)
            if order and order.cart_id != purchase.cart_id:
                fault = ApiFault(Code.OTHER_CART, {"orderId": purchase.order_id})
                raise ApiError(422, "The order cannot be confirmed.", [fault])
            faults: list[ApiFault] = []
            fresh: list[Reservation] = []
            known: list[Reservation] = []
            for line in purchase.lines:
                found = self._to_confirm(line, purchase, order, tweak)
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
            short = self._shelf.short_of(r for r in fresh if not r.held)
            faults += [ApiFault(Code.OUT_OF_STOCK, {"cartItemId": r.cart_item_id}) for r in short]
            if faults:
                raise ApiError(422, "The order cannot be confirmed.", faults)
            effect = order is None or bool(fresh)
            if order is None:
                order = order_of(purchase)
                self._orders[order.order_id] = order
            order.confirms += 1
            for reservation in fresh:
                if not reservation.held:
                    self._shelf.take(reservation)
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
        """Give all of these reservations back or none; lines are (cartItemId, reservation id)."""
        with self._lock:
            self._lapse()
            faults: list[ApiFault] = []
            fresh: list[Reservation] = []
            for cart_item_id, reservation_id in lines:
                found = self._own(cart_id, cart_item_id, reservation_id)
                if found is None:
                    value = {"cartItemId": cart_item_id, "itemReservationId": reservation_id}
                    faults.append(ApiFault(Code.RESERVATION_NOT_FOUND, value))
                    continue
                found.release_calls += 1
                if found.state == "reserved":
                    fresh.append(found)
                elif found.state == "lapsed":
                    faults.append(ApiFault(Code.RESERVATION_EXPIRED, found.names))
                elif found.state != "released":
                    faults.append(ApiFault(Code.ALREADY_CONFIRMED, found.names))
                elif self.settings.repeat_release == "error":
                    faults.append(ApiFault(Code.ALREADY_RELEASED, found.names))
            if faults:
                raise ApiError(422, "The items cannot be released.", faults)
            for reservation in fresh:
                reservation.state = "released"
                self._shelf.give_back(reservation)
            items = [{"cartItemId": c, "itemReservationId": r} for c, r in lines]
            return {"cartId": cart_id, "items": items}, bool(fresh)

    def cancel(self, reservation_id: str) -> bool:
        """Cancel a confirmed item; give whether this call did it. Raises `ApiError`."""
        with self._lock:
            self._lapse()
            found = self._reservations.get(reservation_id)
            if found is None:
                raise _no_cancel(Code.RESERVATION_NOT_FOUND, {"itemReservationId": reservation_id})
            found.cancel_calls += 1
            item = self._shelf.items.get(found.catalog_item_id)
            if found.state == "cancelled":
                if self.settings.repeat_cancel == "ok":
                    return False
                raise _no_cancel(Code.ALREADY_CANCELLED, found.names)
            if found.state != "confirmed":
                raise _no_cancel(Code.NOT_CONFIRMED, found.names)
            if item and item.refuse_cancel:
                raise _no_cancel(Code.CANCEL_REFUSED, found.names)
            found.state = "cancelled"
            found.cancelled += 1
            self._shelf.give_back(found)
            return True

    def to_json(self) -> dict[str, Any]:
        """Spell it all for `GET /_emulator/state`."""
        with self._lock:
            self._lapse()
            all_of_them = list(self._reservations.values())
            return {
                "now": stamp(self.now()),
                "catalog": self._shelf.to_state(all_of_them),
                "reservations": {r.reservation_id: r.to_state() for r in all_of_them},
                "orders": {key: order.to_state() for key, order in self._orders.items()},
            }

    # inside the lock

    def _lapse(self) -> None:
        now = self.now()
        while self._lapsing and self._lapsing[0][0] <= now:
            reservation = self._reservations[heapq.heappop(self._lapsing)[1]]
            if reservation.state == "reserved":
                reservation.state = "lapsed"
                self._shelf.give_back(reservation)

    def _find(self, cart_item_id: str) -> CatalogItem | None:
        return self._shelf.find(cart_item_id, accept_unissued=self.settings.accept_unissued)

    def _own(self, cart_id: str, cart_item_id: str, reservation_id: str) -> Reservation | None:
        found = self._reservations.get(reservation_id)
        if found and found.cart_id == cart_id and found.cart_item_id == cart_item_id:
            return found
        return None

    def _to_confirm(
        self, line: Confirming, purchase: Purchase, order: Order | None, tweak: Tweak
    ) -> Reservation | ApiFault:
        """Find or make what a line confirms, or say why it cannot be."""
        if line.reservation_id is None:
            return self._to_buy(line, purchase, order, tweak)
        found = self._own(purchase.cart_id, line.cart_item_id, line.reservation_id)
        if found is None:
            value = {"cartItemId": line.cart_item_id, "itemReservationId": line.reservation_id}
            return ApiFault(Code.RESERVATION_NOT_FOUND, value)
        found.confirm_calls += 1
        code = obstacle(found, line, purchase.order_id)
        if code:
            return ApiFault(code, found.names)
        kind = tweak.on(found.cart_item_id, found.catalog_item_id)
        if found.state == "reserved" and kind == "reject":
            return ApiFault(Code.ITEM_REJECTED, found.names)
        return found

    def _to_buy(
        self, line: Confirming, purchase: Purchase, order: Order | None, tweak: Tweak
    ) -> Reservation | ApiFault:
        """Make the sale of an item that was not reserved, or find it in the order."""
        names = {"cartItemId": line.cart_item_id}
        quantity = line.quantity or 0
        for sold in order.reservations if order else ():
            if not sold.held and sold.cart_item_id == line.cart_item_id:
                sold.confirm_calls += 1
                same = sold.quantity == quantity
                return sold if same else ApiFault(Code.QUANTITY_MISMATCH, names)
        item = self._find(line.cart_item_id)
        if item is None:
            return ApiFault(Code.UNKNOWN_ITEM, names)
        return sale(line, purchase, item, tweak, self.now())


def _no_cancel(code: Code, names: dict[str, Any]) -> ApiError:
    return ApiError(422, "The item cannot be cancelled.", [ApiFault(code, names)])
