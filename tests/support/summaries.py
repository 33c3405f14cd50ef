"""Short forms of carts, quotes and orders, and of the emulator's state, for assertions."""

from __future__ import annotations

from typing import Any

from tests.support.shop import Shop, ok, server_get

PARKING = "parking.standard"
POSTER = "poster.souvenir"
VIP = "parking.vip"


def price(unit_price: float, times: int | None = 1) -> dict[str, Any]:
    """Return the emulator's fault that reserves the parking at another unit price."""
    return {"kind": "price", "catalogItemId": PARKING, "unitPrice": unit_price, "times": times}


def statuses(cart: Any) -> dict[str, str]:
    return {item["catalogItemId"]: item["status"] for item in cart["items"]}


def quoted(quote: Any) -> dict[str, int]:
    return {item["catalogItemId"]: item["quantity"] for item in quote["items"]}


def reasons(quote: Any) -> dict[str, tuple[int, str]]:
    return {one["catalogItemId"]: (one["quantity"], one["reason"]) for one in quote["rejected"]}


def bought(order: Any) -> dict[str, tuple[int, str]]:
    return {item["catalogItemId"]: (item["quantity"], item["status"]) for item in order["items"]}


def at_rokt(shop: Shop) -> list[tuple[str, int, str]]:
    """Return the emulator's reservations, oldest first: item, quantity, state."""
    made = shop.emulator.state()["reservations"].values()
    return [(one["catalogItemId"], one["quantity"], one["state"]) for one in made]


def fulfilled(shop: Shop) -> int:
    """Return how many items the emulator fulfilled."""
    return sum(one["fulfilled"] for one in shop.emulator.state()["reservations"].values())


def alarms(shop: Shop) -> list[str]:
    """Return the orders for which the shop received the refund signal."""
    return [told["order"].order_id for told in shop.heard.of("refund")]


def read_order(shop: Shop, order_id: str = "order-1") -> Any:
    """Return an order as a partner's server reads it."""
    return ok(server_get(shop, f"/orders/{order_id}"))
