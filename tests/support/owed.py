"""Calls that a shop under test owes to Rokt, and the times after which they are due again."""

from __future__ import annotations

from bff.cart.order import Order, Purchase
from tests.support.shop import Shop, Shopper
from tests.support.summaries import PARKING

# Beyond the longest first wait, of one second.
SOON = 2
# Beyond the lease of a process that was killed.
LEASE = 31


def confirm(shopper: Shopper, order_id: str = "order-1") -> Order:
    """Confirm below HTTP, where a test can stop the process by an exception."""
    purchase = Purchase(order_id=order_id, quote_id=None, attributes={}, extra={})
    return shopper.shop.parts.checkout.record(shopper.handle, purchase)[0]


def leave_owed(shop: Shop, *order_ids: str) -> None:
    """Pay orders whose first attempt at the confirm fails, and let them become due."""
    for order_id in order_ids:
        shopper = shop.shopper()
        shopper.add(PARKING)
        shopper.reserve()
        shop.emulator.faults("confirm", {"kind": "drop"})
        assert shopper.pay(order_id)["status"] == "confirming"
    shop.clock.move(SOON)


def backlog(shop: Shop, number: int) -> list[str]:
    """Pay this many orders while Rokt answers 429 to every confirm. Returns their ids."""
    shop.emulator.faults("confirm", {"kind": "status", "status": 429, "times": None})
    order_ids = [f"order-{n}" for n in range(number)]
    for order_id in order_ids:
        shopper = shop.shopper()
        shopper.add(PARKING)
        shopper.reserve()
        assert shopper.pay(order_id)["status"] == "confirming"
    shop.emulator.put("faults", {})
    shop.clock.move(60)
    return order_ids


def status(shop: Shop, order_id: str) -> str:
    return shop.parts.checkout.order(order_id).status
