"""The verbs of ``Upsells`` in a shop's own views."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from bff import Conflict, InvalidInput, NotFound, OrderStatus, Unauthorized
from bff.store.handles import RETRY_AFTER_LOGIN
from tests.support.responses import problem_of
from tests.support.shop import BRIDGE, Shop, Shopper, Views, bearer, ok, server_post

T = TypeVar("T")


@pytest.fixture
def views(shop: Shop) -> Views:
    return Views(shop)


def test_the_cart_is_what_the_page_sent(shop: Shop, shopper: Shopper, views: Views) -> None:
    over_http = shopper.add(quantity=2)
    cart = views.run(shopper, lambda: shop.upsells.cart)
    assert cart.totals == {"USD": Decimal("25.00")}
    assert cart.items[0].quantity == 2
    assert shop.upsells.to_json(cart) == over_http


def test_looking_at_the_cart_of_a_shopper_without_a_session_starts_none(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    cart, ref = views.run(shopper, lambda: (shop.upsells.cart, shop.upsells.session_ref))
    assert (cart.items, cart.version, ref) == ((), 0, None)
    assert shopper.client.get_cookie("rokt_bff") is None


def test_placements_answer_as_a_condition(shop: Shop, shopper: Shopper, views: Views) -> None:
    found = views.run(shopper, lambda: shop.upsells.any_placements(attributes={"country": "US"}))
    assert found
    assert found.reason == "placements"
    (call,) = shop.calls("any")
    assert call["body"]["pageIdentifier"] == "checkout.upsell"
    assert call["body"]["attributes"] == {"country": "US"}
    assert call["body"]["url"] == "http://localhost/shop/run"  # the page's own, without its query
    shop.emulator.faults("any", {"kind": "drop"})
    assert not views.run(shopper, lambda: shop.upsells.any_placements())


def test_reserve_and_confirm_with_whole_number_order_ids(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add(quantity=2)
    quote = views.run(shopper, lambda: shop.upsells.reserve())
    assert (quote.total, quote.totals) == (Decimal("25.00"), {"USD": Decimal("25.00")})
    order = views.run(shopper, lambda: shop.upsells.confirm(order_id=1001))
    assert (order.order_id, order.status) == ("1001", OrderStatus.CONFIRMED)
    assert order.totals == quote.totals
    assert views.run(shopper, lambda: shop.upsells.confirm(order_id="1001")) == order
    assert views.run(shopper, lambda: shop.upsells.order(1001)) == order
    cancelled = views.run(shopper, lambda: shop.upsells.cancel(1001))
    assert cancelled.status is OrderStatus.CANCELLED
    assert len(shop.calls("confirm")) == len(shop.calls("cancel")) == 1


def test_a_dearer_price_is_charged_with_consent_only(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    shop.emulator.faults(
        "reserve", {"kind": "price", "catalogItemId": "parking.standard", "unitPrice": 15}
    )
    quote = views.run(shopper, lambda: shop.upsells.reserve())
    assert quote.total == 0
    (change,) = quote.price_changes
    assert (change.before, change.after) == (Decimal("12.50"), Decimal("15.00"))
    taken: dict[str, Decimal | str] = {change.cart_item_id: "15.00"}
    assert views.run(shopper, lambda: shop.upsells.reserve(taken)).total == Decimal("15.00")


def test_confirm_takes_the_quote_that_is_named(shop: Shop, shopper: Shopper, views: Views) -> None:
    shopper.add()
    first = views.run(shopper, lambda: shop.upsells.reserve())
    shopper.add("poster.souvenir")
    views.run(shopper, lambda: shop.upsells.reserve())
    order = views.run(shopper, lambda: shop.upsells.confirm("A-1", quote_id=first.quote_id))
    assert [item.catalog_item_id for item in order.items] == ["parking.standard"]
    assert [item["catalogItemId"] for item in shopper.cart()["items"]] == ["poster.souvenir"]


def test_confirm_takes_no_name_of_a_quote_for_the_last_one(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    quote = views.run(shopper, shop.upsells.reserve)

    def confirm(order_id: Any, quote_id: Any) -> Any:
        try:
            return views.run(shopper, lambda: shop.upsells.confirm(order_id, quote_id=quote_id))
        except (NotFound, InvalidInput) as error:
            return type(error)

    for wrong in ("", " ", "last", 0, False, "\0", "\ud83d", quote.quote_id + "0"):
        assert confirm("order-1", wrong) is NotFound, wrong
    for nobody in (None, True, False, "", 0):
        assert confirm(nobody, quote.quote_id) is InvalidInput, nobody
    assert shop.calls("confirm") == []
    assert [one.status for one in confirm("order-1", UUID(quote.quote_id)).items] == ["confirmed"]


def test_confirm_takes_the_quote_of_this_request_whatever_another_tab_did_since(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()

    def pay() -> Any:
        quote = shop.upsells.reserve()
        shopper.client.set_cookie("other", "tab")
        tab = shop.app.test_client()
        headers = bearer(handle)
        item = shopper.item("poster.souvenir")
        ok(tab.post("/rokt/cart/updates", json={"updatedItem": item}, headers=headers))
        ok(tab.post("/rokt/cart/reserve", json={}, headers=headers))
        return quote, shop.upsells.confirm("A-1")

    handle = shopper.handle
    quote, order = views.run(shopper, pay)
    assert order.totals == quote.totals == {"USD": Decimal("12.50")}


def test_an_unknown_quote_or_order_and_anothers_order_are_refused(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    views.run(shopper, lambda: shop.upsells.reserve())
    unknown = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(NotFound):
        views.run(shopper, lambda: shop.upsells.confirm("A-1", quote_id=unknown))
    for verb in (lambda: shop.upsells.order("A-1"), lambda: shop.upsells.cancel("A-1")):
        with pytest.raises(NotFound):
            views.run(shopper, verb)
    views.run(shopper, lambda: shop.upsells.confirm("A-1"))
    other = shop.shopper()
    other.add()
    with pytest.raises(Conflict):
        views.run(other, lambda: shop.upsells.confirm("A-1"))
    with pytest.raises(NotFound):
        views.run(shopper, lambda: shop.upsells.cancel("A-1", "no such item"))


def test_a_page_of_the_shop_s_own_takes_an_item_out(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    parking = shopper.add()["items"][0]["cartItemId"]
    shopper.add("poster.souvenir")
    views.run(shopper, lambda: shop.upsells.reserve())
    cart = views.run(shopper, lambda: shop.upsells.remove(parking))
    assert [item.catalog_item_id for item in cart.items] == ["poster.souvenir"]
    assert cart.removed == ("parking.standard",)
    assert shop.upsells.to_json(cart) == shopper.cart()
    assert shop.heard.of("cart")[-1]["cause"] == "update"
    quote = views.run(shopper, lambda: shop.upsells.reserve())
    assert [item.catalog_item_id for item in quote.items] == ["poster.souvenir"]
    assert shop.emulator.stock("parking.standard") == 100  # its reservation went back


def test_taking_out_what_is_not_held_changes_nothing(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    assert views.run(shopper, lambda: shop.upsells.remove("no such item")).items == ()
    assert shopper.client.get_cookie("rokt_bff") is None  # nothing to take out, so no session
    shopper.add()
    before = shopper.cart()
    stranger = shop.shopper()
    stranger.add("poster.souvenir")
    assert views.run(shopper, lambda: shop.upsells.remove("no such item")).version == 1
    held = before["items"][0]["cartItemId"]
    views.run(stranger, lambda: shop.upsells.remove(held))  # an id of somebody else's cart
    assert shopper.cart() == before
    assert len(stranger.cart()["items"]) == 1


def test_release_gives_back_and_keeps_the_line(shop: Shop, shopper: Shopper, views: Views) -> None:
    shopper.add()
    views.run(shopper, lambda: shop.upsells.reserve())
    assert shop.emulator.stock("parking.standard") == 99
    cart = views.run(shopper, lambda: shop.upsells.release())
    assert [item.status for item in cart.items] == ["held"]
    assert shop.emulator.stock("parking.standard") == 100


def test_one_item_of_an_order_can_be_cancelled(shop: Shop, shopper: Shopper, views: Views) -> None:
    shopper.add()
    shopper.add("poster.souvenir")
    views.run(shopper, lambda: shop.upsells.reserve())
    views.run(shopper, lambda: shop.upsells.confirm("A-1"))
    poster = shopper.offers["poster.souvenir"]["cartItemId"]
    order = views.run(shopper, lambda: shop.upsells.cancel("A-1", poster))
    assert {item.catalog_item_id: item.status for item in order.items} == {
        "parking.standard": "confirmed",
        "poster.souvenir": "cancelled",
    }


def test_linked_items_follow_the_shops_products(shop: Shop, shopper: Shopper, views: Views) -> None:
    sync = shop.upsells.sync_products
    assert views.run(shopper, lambda: sync({"ticket.concert": 2})).items == ()
    assert shopper.client.get_cookie("rokt_bff") is None  # nothing to follow, so no session
    shopper.add("insurance.ticket")
    shopper.add()
    cart = views.run(shopper, lambda: sync({"ticket.concert": 3}))
    assert {item.catalog_item_id: item.quantity for item in cart.items} == {
        "insurance.ticket": 3,
        "parking.standard": 1,
    }
    for wrong in (-1, 1000):
        with pytest.raises(InvalidInput):
            views.run(shopper, lambda wrong=wrong: sync({"ticket.concert": wrong}))  # type: ignore[misc]
    left = views.run(shopper, lambda: sync({}))
    assert [item.catalog_item_id for item in left.items] == ["parking.standard"]


def test_rotate_keeps_the_cart_and_makes_the_old_handle_worthless(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    cart = shopper.add(quantity=3)
    ref = views.run(shopper, lambda: shop.upsells.session_ref)
    old = shopper.handle
    views.run(shopper, lambda: shop.upsells.rotate())
    assert shopper.handle != old
    assert shopper.cart() == cart
    assert views.run(shopper, lambda: shop.upsells.session_ref) == ref
    problem_of(shop.app.test_client().get("/rokt/cart", headers=bearer(old)), 401)


def test_a_cookie_that_an_attacker_planted_is_worthless_after_the_login(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    attacker = shop.shopper()
    attacker.add()
    planted = attacker.client.get_cookie("rokt_bff")
    assert planted is not None
    shopper.client.set_cookie("rokt_bff", planted.value)
    views.run(shopper, lambda: shop.upsells.rotate())  # the victim logs in
    shopper.add("poster.souvenir")
    assert attacker.update(attacker.item()).status_code == 503
    shop.clock.move(RETRY_AFTER_LOGIN.total_seconds() + 1)
    assert attacker.cart()["items"] == []
    attacker.add()
    names = [item["catalogItemId"] for item in shopper.cart()["items"]]
    assert names == ["parking.standard", "poster.souvenir"]


def test_rotating_without_a_session_starts_none(shop: Shop, shopper: Shopper, views: Views) -> None:
    views.run(shopper, lambda: shop.upsells.rotate())
    assert shopper.client.get_cookie("rokt_bff") is None


def test_a_login_after_the_session_ended_does_not_fail(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    shop.clock.move(25 * 3600)
    views.run(shopper, lambda: shop.upsells.rotate())
    assert shopper.cart()["items"] == []
    assert len(shopper.add()["items"]) == 1


def test_the_session_s_public_reference_is_the_signals_key_and_not_the_handle(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    ref = views.run(shopper, lambda: shop.upsells.session_ref)
    assert ref == shop.heard.of("cart")[0]["session_ref"]
    assert ref != shopper.handle
    assert ref is not None
    problem_of(shop.app.test_client().get("/rokt/cart", headers=bearer(ref)), 401)


def test_an_ended_session_is_replaced_by_a_new_one(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    old = shopper.handle
    shop.clock.move(25 * 3600)
    cart, ref = views.run(shopper, lambda: (shop.upsells.cart, shop.upsells.session_ref))
    assert (cart.items, ref) == ((), None)
    assert views.run(shopper, lambda: shop.upsells.reserve()).items == ()
    assert shopper.handle != old
    assert len(shopper.add()["items"]) == 1


def header_of(shop: Shop, call: str) -> str | None:
    (entry,) = shop.calls(call)
    header: str | None = entry["headers"].get("accept-language")
    return header


@pytest.mark.parametrize(("sent", "told"), [("de-AT,de;q=0.9,en;q=0.5", "de-AT"), ("fr", "fr")])
def test_the_shoppers_language_reaches_rokt(
    shop: Shop, shopper: Shopper, views: Views, sent: str, told: str
) -> None:
    shopper.add()
    views.run(shopper, lambda: shop.upsells.any_placements(), Accept_Language=sent)
    views.run(shopper, lambda: shop.upsells.reserve(), Accept_Language=sent)
    views.run(shopper, lambda: shop.upsells.confirm("A-1"), Accept_Language=sent)
    for call in ("any", "reserve", "confirm"):
        assert header_of(shop, call) == told


def test_over_http_too_and_what_is_no_language_is_not_passed_on(
    shop: Shop, shopper: Shopper
) -> None:
    def post(path: str, language: str) -> TestResponse:
        headers = BRIDGE | {"Accept-Language": language}
        body = {"pageIdentifier": "x"}
        return shopper.client.post(f"/rokt{path}", json=body, headers=headers)

    shopper.add()
    ok(post("/placements/any", "nl;q=0.8, da"))
    assert header_of(shop, "any") == "da"
    ok(post("/cart/reserve", "*"))
    assert header_of(shop, "reserve") is None


def test_a_payment_providers_call_without_a_cookie_confirms_by_the_quote(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    quote = views.run(shopper, lambda: shop.upsells.reserve())
    provider = shop.shopper()  # another browser, or none: no cookie of the shopper's
    with pytest.raises(Unauthorized, match="Name the quote"):
        views.run(provider, lambda: shop.upsells.confirm("A-1"))
    order = views.run(provider, lambda: shop.upsells.confirm("A-1", quote_id=quote.quote_id))
    assert [item.status for item in order.items] == ["confirmed"]
    again = views.run(shopper, lambda: shop.upsells.confirm("A-1"))
    assert again.items == order.items


def test_a_job_without_any_request_confirms_by_the_quote(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    quote = views.run(shopper, lambda: shop.upsells.reserve(), Accept_Language="da")
    with shop.app.app_context():
        with pytest.raises(RuntimeError, match="quote_id"):
            shop.upsells.confirm("A-1")
        order = shop.upsells.confirm("A-1", quote_id=quote.quote_id)
    assert [item.status for item in order.items] == ["confirmed"]
    assert header_of(shop, "confirm") == "da"


@pytest.mark.sqlite
def test_a_wrong_argument_is_named_and_nothing_is_sent(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    verbs: Any = shop.upsells  # a shop without a type checker
    wrong: dict[str, Callable[[], Any]] = {
        "acceptPrices.a: must be": lambda: verbs.reserve({"a": None}),
        "attributes: must be": lambda: verbs.reserve(attributes="country"),
        "isPayPalPayment: must be": lambda: verbs.reserve(is_paypal_payment="yes"),
        "merchantId: must be": lambda: verbs.reserve(merchant_id=7),
        "pageIdentifier: must be": lambda: verbs.any_placements(None),
        "url: must be": lambda: verbs.any_placements(url=7),
        "orderId: must be": lambda: verbs.confirm(None),
        "quantities.a: must be": lambda: verbs.sync_products({"a": -1}),
    }
    for text, verb in wrong.items():
        with pytest.raises(InvalidInput, match=text):
            views.run(shopper, verb)
    assert shop.emulator.journal() == []


@pytest.mark.sqlite
def test_no_paid_order_fails_for_what_comes_with_it(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    verbs: Any = shop.upsells
    views.run(shopper, verbs.reserve)
    order = views.run(shopper, lambda: verbs.confirm("A-1", attributes="country", extra=[1]))
    assert [item.status for item in order.items] == ["confirmed"]


def test_who_was_paying_while_they_logged_in_elsewhere_has_paid(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add()
    shopper.reserve()
    old = shopper.handle
    shop.parts.checkout.rotate(old)
    order = ok(server_post(shop, "/orders", {"handle": old, "orderId": "A-1"}))
    assert [item["status"] for item in order["items"]] == ["confirmed"]
