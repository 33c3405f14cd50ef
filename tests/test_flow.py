"""The seven steps, one after another, over HTTP."""

from tests.shopping import Shop, Shopper, ok, server_get, server_post


def test_a_shopper_buys_parking_and_cancels_it(shop: Shop, shopper: Shopper) -> None:
    asked = ok(shopper.post("/placements/any", {"pageIdentifier": "checkout.upsell"}))
    assert asked == {"result": True, "reason": "placements"}
    cart = shopper.add(quantity=2)
    assert cart["totals"] == {"USD": "25.00"}
    quote = shopper.reserve()
    assert [item["status"] for item in quote["items"]] == ["reserved"]
    assert shopper.pay("order-7")["status"] == "confirmed"
    assert shopper.cart()["items"] == []
    cancelled = ok(server_post(shop, "/orders/order-7/cancel", {}))
    assert cancelled["status"] == "cancelled"
    assert ok(server_get(shop, "/orders/order-7")) == cancelled
    endpoints = [entry["endpoint"] for entry in shop.calls()]
    assert endpoints == ["any", "reserve", "confirm", "cancel"]
    carts = {entry["body"]["cartId"] for entry in shop.calls("any", "reserve", "confirm")}
    assert carts == {cart["cartId"]}
