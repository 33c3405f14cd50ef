"""The seven steps, one after another, over HTTP. The second is the page's: test_demo_journey."""

from tests.support.shop import Shop, Shopper, ok, server_get, server_post


def test_a_shopper_buys_parking_and_cancels_it(shop: Shop, shopper: Shopper) -> None:
    asked = ok(shopper.post("/placements/any", {"pageIdentifier": "checkout.upsell"}))
    assert asked == {"result": True, "reason": "placements"}
    cart = shopper.add(quantity=2)
    assert cart["totals"] == {"USD": "25.00"}
    assert [item["status"] for item in shopper.reserve()["items"]] == ["reserved"]
    released = ok(shopper.post("/cart/release", {}))
    assert [item["status"] for item in released["items"]] == ["held"]
    quote = shopper.reserve()
    assert [item["status"] for item in quote["items"]] == ["reserved"]
    assert shopper.pay("order-7")["status"] == "confirmed"
    assert shopper.cart()["items"] == []
    cancelled = ok(server_post(shop, "/orders/order-7/cancel", {}))
    assert cancelled["status"] == "cancelled"
    assert ok(server_get(shop, "/orders/order-7")) == cancelled
    endpoints = [entry["endpoint"] for entry in shop.calls()]
    assert endpoints == ["any", "reserve", "release", "reserve", "confirm", "cancel"]
    carts = {
        entry["body"]["cartId"] for entry in shop.calls("any", "reserve", "release", "confirm")
    }
    assert carts == {cart["cartId"]}
