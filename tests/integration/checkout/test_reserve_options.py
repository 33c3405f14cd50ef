"""What a shop and its shopper ask with reaches Rokt: members, language, and again at a renewal."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from bff.cart.quote import make_quote
from bff.cart.reservation import ReserveOptions
from bff.store.documents import dump_quote, load_quote
from bff.web.shopper import keep_handle
from tests.support.interference import after_call
from tests.support.samples import held
from tests.support.shop import SERVER, Shop, Shopper, ok
from tests.support.summaries import PARKING, POSTER, price

MEMBERS: dict[str, Any] = {
    "isPayPalPayment": True,
    "merchantId": "merchant-9",
    "attributes": {"country": "CH"},
}
Entry = dict[str, Any]


def members(entry: Entry) -> Entry:
    return {name: entry["body"][name] for name in MEMBERS if name in entry["body"]}


def language(entry: Entry) -> str | None:
    told: str | None = entry["headers"].get("accept-language")
    return told


def reserve(shopper: Shopper, spoken: str | None = "de-CH", **body: Any) -> Any:
    headers = {"Accept_Language": spoken} if spoken else {}
    return ok(shopper.post("/cart/reserve", body, **headers))


def pay(shop: Shop, shopper: Shopper, order_id: str = "order-1", **body: Any) -> Any:
    """Let a partner's backend, with a language of its own, say that the order is paid."""
    headers = SERVER | {"Accept-Language": "en-US"}
    body = {"handle": shopper.handle, "orderId": order_id} | body
    return ok(shop.app.test_client().post("/rokt/orders", json=body, headers=headers))


def in_process(shop: Shop, handle: str | None, spoken: str, verb: Callable[[], Any]) -> Any:
    """Run a verb in a request of the shop's own, with or without the shopper's cookie."""
    with shop.app.test_request_context(headers={"Accept-Language": spoken}):
        if handle is not None:
            keep_handle(handle)
        return verb()


# Reserve.


def test_the_documented_members_of_reserve_reach_rokt_over_http(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add()
    reserve(shopper, **MEMBERS)
    (entry,) = shop.calls("reserve")
    assert members(entry) == MEMBERS
    assert language(entry) == "de-CH"


def test_members_that_the_shop_does_not_name_are_not_sent(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    reserve(shopper, None)
    (entry,) = shop.calls("reserve")
    assert members(entry) == {}
    assert language(entry) is None


def test_that_it_is_no_paypal_payment_is_sent_too(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    reserve(shopper, isPayPalPayment=False)
    assert members(shop.calls("reserve")[0]) == {"isPayPalPayment": False}


# A renewal at confirm.


def test_what_is_reserved_again_at_confirm_is_asked_for_with_the_same(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add()
    reserve(shopper, **MEMBERS)
    shop.move_clocks(601)
    assert pay(shop, shopper, attributes={"till": "7"})["status"] == "confirmed"
    first, again = shop.calls("reserve")
    assert members(again) == members(first) == MEMBERS
    assert language(again) == language(first) == "de-CH"
    (confirm,) = shop.calls("confirm")
    assert confirm["body"]["attributes"] == {"till": "7"}


def test_a_reserve_that_had_nothing_to_ask_for_does_not_forget_the_members(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add()
    shopper.add(POSTER)
    quote = reserve(shopper, **MEMBERS)
    assert reserve(shopper, None)["quoteId"] == quote["quoteId"]
    shopper.remove(POSTER)
    assert reserve(shopper, None)["quoteId"] != quote["quoteId"]  # one is given back, none asked
    shop.move_clocks(601)
    pay(shop, shopper)
    first, again = shop.calls("reserve")
    assert members(again) == members(first) == MEMBERS
    assert language(again) == "de-CH"


def test_what_a_later_reserve_names_counts_though_there_was_nothing_to_ask_for(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add()
    reserve(shopper, attributes={"country": "CH", "till": "1"}, isPayPalPayment=True)
    reserve(shopper, "fr", attributes={"till": "2"}, isPayPalPayment=False, merchantId="m-1")
    shop.move_clocks(601)
    pay(shop, shopper)
    again = shop.calls("reserve")[1]
    assert members(again) == {
        "attributes": {"country": "CH", "till": "2"},
        "isPayPalPayment": False,
        "merchantId": "m-1",
    }
    assert language(again) == "fr"


def test_a_new_reserve_asks_with_its_own_members_only(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    reserve(shopper, **MEMBERS)
    shopper.add(quantity=2)
    reserve(shopper, "fr", merchantId="m-1")
    shop.move_clocks(601)
    pay(shop, shopper)
    assert [members(entry) for entry in shop.calls("reserve")[1:]] == [{"merchantId": "m-1"}] * 2


def test_the_members_of_a_bought_cart_are_not_those_of_the_next(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add()
    reserve(shopper, **MEMBERS)
    pay(shop, shopper)
    shopper.load_page()
    quote = ok(shopper.post("/cart/reserve", {}))  # empty
    assert quote["items"] == []
    shopper.add(POSTER)
    reserve(shopper, None)
    shop.move_clocks(601)
    pay(shop, shopper, "order-2")
    assert [members(entry) for entry in shop.calls("reserve")] == [MEMBERS, {}, {}]


def test_members_survive_the_quotes_document_and_accepted_prices_are_not_among_them() -> None:
    wish = ReserveOptions({"a": Decimal(13)}, {"country": "é"}, False, "merchant", "de-CH")
    quote = make_quote("quote", held("a"), (), {}, wish)
    assert load_quote(dump_quote(quote)) == quote
    assert (
        quote.options
        == wish.members()
        == ReserveOptions({}, {"country": "é"}, False, "merchant", "de-CH")
    )
    assert "merchant" not in repr(quote)


# Confirm and release.


def test_a_partners_backend_confirms_in_the_shoppers_language(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    reserve(shopper)
    pay(shop, shopper)
    assert [language(entry) for entry in shop.calls("confirm")] == ["de-CH"]


def test_a_backends_language_is_nobodys(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    reserve(shopper, None)
    pay(shop, shopper)
    assert [language(entry) for entry in shop.calls("confirm")] == [None]


@pytest.mark.parametrize(("knows_the_shopper", "told"), [(True, "fr"), (False, "de-CH")])
def test_in_process_the_shoppers_own_request_counts_and_a_payment_providers_does_not(
    shop: Shop, shopper: Shopper, knows_the_shopper: bool, told: str
) -> None:
    shopper.add()
    quote_id = reserve(shopper)["quoteId"]
    handle = shopper.handle if knows_the_shopper else None
    in_process(shop, handle, "fr", lambda: shop.upsells.confirm("order-1", quote_id))
    assert [language(entry) for entry in shop.calls("confirm")] == [told]


def test_where_the_shoppers_request_names_no_language_the_quotes_counts(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add()
    reserve(shopper)
    in_process(shop, shopper.handle, "*", lambda: shop.upsells.confirm("order-1"))
    assert [language(entry) for entry in shop.calls("confirm")] == ["de-CH"]


def test_release_carries_the_shoppers_language(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    reserve(shopper)
    ok(shopper.post("/cart/release", {}, Accept_Language="de-CH"))
    reserve(shopper)
    in_process(shop, shopper.handle, "fr", lambda: shop.upsells.release())
    assert [language(entry) for entry in shop.calls("release")] == ["de-CH", "fr"]


def test_what_a_renewal_gives_back_goes_in_the_shoppers_language_too(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add()
    reserve(shopper)
    shop.move_clocks(601)
    shop.emulator.faults("reserve", price(15))
    assert pay(shop, shopper)["status"] == "refund_needed"
    shop.deliver()
    assert [language(entry) for entry in shop.calls("release")] == ["de-CH"]


def test_what_a_reserve_and_a_confirm_give_back_goes_in_the_shoppers_language_too(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add()
    reserve(shopper, "de-CH")
    shopper.add(quantity=2)
    reserve(shopper, "fr")  # gives the one back before it asks for two
    shopper.add(POSTER)
    with after_call(shop, "reserve", lambda: shopper.add(PARKING, 3)):
        reserve(shopper, "it")
    pay(shop, shopper)
    told = [language(entry) for entry in shop.calls("release")]
    assert told[0] == "fr"
    assert None not in told
