"""Reserve against the emulator: what is in a quote, what it costs, and what is asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bff.emulator import REJECTION_FORMS
from bff.web.shopper import keep_handle
from tests.support.emulator_client import Client
from tests.support.shop import Shop, Shopper
from tests.support.summaries import PARKING, POSTER, at_rokt, price, quoted, reasons, statuses


@pytest.mark.parametrize("form", REJECTION_FORMS)
def test_one_item_is_rejected_and_the_other_reserved(
    shop: Shop, shopper: Shopper, form: str
) -> None:
    shopper.add(PARKING)
    shopper.add(POSTER)
    shop.emulator.faults(
        "reserve", {"kind": "reject", "catalogItemIds": [POSTER], "form": form, "times": None}
    )
    quote = shopper.reserve()
    if form == "422_all":  # it names nobody, so it is about all of them
        assert quoted(quote) == {}
        assert set(reasons(quote)) == {PARKING, POSTER}
        assert statuses(shopper.cart()) == {PARKING: "rejected", POSTER: "rejected"}
        assert at_rokt(shop) == []
        return
    assert quoted(quote) == {PARKING: 1}
    assert reasons(quote) == {POSTER: (1, "rejected")}
    assert quote["totals"] == {"USD": "12.50"}
    assert quote["expiresAt"] is not None
    assert statuses(shopper.cart()) == {PARKING: "reserved", POSTER: "rejected"}
    assert at_rokt(shop) == [(PARKING, 1, "reserved")]
    # Refused by name, the request is made once more without those items; else never.
    asked = [len(entry["body"]["items"]) for entry in shop.calls("reserve")]
    assert asked == ([2, 1] if form == "422_named" else [2])


@pytest.mark.parametrize("form", REJECTION_FORMS)
def test_out_of_stock_is_told_where_rokt_says_so(shop: Shop, shopper: Shopper, form: str) -> None:
    shop.emulator.put("settings", {"rejectionForm": form, "rejectionStatus": "SOLD_OUT"})
    shopper.add(PARKING)
    shopper.add(POSTER)
    shop.emulator.faults("reserve", {"kind": "no_stock", "catalogItemIds": [POSTER], "times": None})
    silent = form in ("absent", "no_id", "smaller")
    assert reasons(shopper.reserve())[POSTER] == (1, "rejected" if silent else "sold_out")


def test_items_refused_by_name_have_each_their_own_reason(shop: Shop, shopper: Shopper) -> None:
    shop.emulator.put("settings", {"rejectionForm": "422_named"})
    shop.emulator.put("catalog", {"items": [{"catalogItemId": POSTER, "stock": 0}]})
    shopper.add(PARKING)
    shopper.add(POSTER)
    shop.emulator.faults("reserve", {"kind": "reject", "catalogItemIds": [PARKING]})
    quote = shopper.reserve()
    assert reasons(quote) == {PARKING: (1, "rejected"), POSTER: (1, "sold_out")}
    assert len(shop.calls("reserve")) == 1  # all are named: nothing is left to ask for


def test_a_partly_reserved_line_keeps_its_quantity(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING, 3)
    shop.emulator.faults("reserve", {"kind": "grant_less", "quantity": 1})
    quote = shopper.reserve()
    assert quoted(quote) == {PARKING: 1}
    assert reasons(quote) == {PARKING: (2, "partly_reserved")}
    assert quote["totals"] == {"USD": "12.50"}
    assert [item["quantity"] for item in shopper.cart()["items"]] == [3]
    assert shopper.reserve()["quoteId"] == quote["quoteId"]
    order = shopper.pay()
    assert [(item["quantity"], item["status"]) for item in order["items"]] == [(1, "confirmed")]


def test_a_cheaper_price_is_simply_charged(shop: Shop, shopper: Shopper) -> None:
    item = shopper.add(PARKING, 2)["items"][0]
    shop.emulator.faults("reserve", price(11))
    quote = shopper.reserve()
    assert quote["totals"] == {"USD": "22.00"}
    assert quote["priceChanges"] == [
        {"cartItemId": item["cartItemId"], "from": "12.50", "to": "11.00"}
    ]


def test_what_the_browser_says_a_price_is_reaches_no_charge(shop: Shop, shopper: Shopper) -> None:
    lie = shopper.item(PARKING) | {"unitPrice": 0.01, "totalPrice": 0.01}
    shopper.update(lie)
    quote = shopper.reserve()
    assert quote["items"] == []
    assert quote["totals"] == {}
    assert [(x["from"], x["to"]) for x in quote["priceChanges"]] == [("0.01", "12.50")]


def test_a_dearer_item_waits_for_consent(shop: Shop, shopper: Shopper) -> None:
    one = shopper.add(PARKING)["items"][0]["cartItemId"]
    shop.emulator.faults("reserve", price(15))
    quote = shopper.reserve()
    assert (quote["items"], quote["rejected"], quote["totals"]) == ([], [], {})
    assert quote["priceChanges"] == [{"cartItemId": one, "from": "12.50", "to": "15.00"}]
    assert statuses(shopper.cart()) == {PARKING: "reserved"}  # it stays reserved meanwhile
    short = shopper.reserve(acceptPrices={one: "14.99"})
    assert short["items"] == []
    taken = shopper.reserve(acceptPrices={one: "15.00"})
    assert taken["totals"] == {"USD": "15.00"}
    assert taken["priceChanges"] == []
    assert shopper.reserve()["quoteId"] == taken["quoteId"]  # consent is given once
    assert len(shop.calls()) == 1


def test_consent_survives_a_renewal_but_covers_no_more(shop: Shop, shopper: Shopper) -> None:
    one = shopper.add(PARKING)["items"][0]["cartItemId"]
    shop.emulator.faults("reserve", price(15), price(15), price(16))
    shopper.reserve()
    shopper.reserve(acceptPrices={one: "15.00"})
    shop.move_clocks(550)
    assert shopper.reserve()["totals"] == {"USD": "15.00"}
    assert len(shop.calls("reserve")) == 2
    shop.move_clocks(550)
    dearer = shopper.reserve()
    assert dearer["items"] == []
    assert dearer["priceChanges"] == [{"cartItemId": one, "from": "15.00", "to": "16.00"}]


def test_a_dearer_item_without_consent_is_released_at_confirm(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.add(POSTER)
    shop.emulator.faults("reserve", price(15))
    assert quoted(shopper.reserve()) == {POSTER: 1}
    order = shopper.pay()
    assert [item["catalogItemId"] for item in order["items"]] == [POSTER]
    assert at_rokt(shop) == [(PARKING, 1, "released"), (POSTER, 1, "confirmed")]


def test_another_currency_is_rejected_and_given_back(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shop.emulator.put("catalog", {"items": [{"catalogItemId": PARKING, "currency": "EUR"}]})
    assert reasons(shopper.reserve()) == {PARKING: (1, "currency_changed")}
    assert at_rokt(shop) == [(PARKING, 1, "released")]
    assert statuses(shopper.cart()) == {PARKING: "rejected"}


def test_what_is_unchanged_keeps_its_reservation_and_its_quote(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    first = shopper.reserve()
    assert shopper.reserve() == first
    shopper.add(PARKING)  # the SDK's doubled message changes nothing
    assert shopper.reserve() == first
    assert len(shop.calls()) == 1
    shopper.add(POSTER)
    second = shopper.reserve()
    assert second["quoteId"] != first["quoteId"]
    assert second["totals"] == {"USD": "27.50"}
    assert [line["quantity"] for line in shop.calls()[1]["body"]["items"]] == [1]
    assert at_rokt(shop) == [(PARKING, 1, "reserved"), (POSTER, 1, "reserved")]


def test_a_changed_line_does_not_compete_with_itself(shop: Shop, shopper: Shopper) -> None:
    shopper.add(POSTER, 3)  # of five
    shopper.reserve()
    shopper.add(POSTER, 5)
    assert quoted(shopper.reserve()) == {POSTER: 5}
    assert [entry["endpoint"] for entry in shop.calls()] == ["reserve", "release", "reserve"]
    assert at_rokt(shop) == [(POSTER, 3, "released"), (POSTER, 5, "reserved")]


def test_what_was_removed_is_given_back_without_asking(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.add(POSTER)
    shopper.reserve()
    shopper.remove(POSTER)
    assert quoted(shopper.reserve()) == {PARKING: 1}
    assert [entry["endpoint"] for entry in shop.calls()] == ["reserve", "release"]
    assert shop.emulator.stock(POSTER) == 5


@pytest.mark.parametrize(("passed", "renewed"), [(530, False), (550, True)])
def test_what_is_about_to_lapse_is_renewed_before_a_charge(
    shop: Shop, shopper: Shopper, passed: int, renewed: bool
) -> None:
    shopper.add(PARKING)
    first = shopper.reserve()
    shop.move_clocks(passed)
    second = shopper.reserve()
    assert (second["expiresAt"] > first["expiresAt"]) is renewed
    assert len(shop.calls("reserve")) == (2 if renewed else 1)
    assert len([one for one in at_rokt(shop) if one[2] == "reserved"]) == 1


def test_a_grant_below_the_margin_is_used_once_and_not_renewed_in_a_loop(
    shop: Shop, shopper: Shopper
) -> None:
    shop.emulator.put("settings", {"reservationSeconds": 30})
    shopper.add(PARKING)
    first = shopper.reserve()
    assert quoted(first) == {PARKING: 1}
    shop.move_clocks(20)
    assert shopper.reserve() == first
    assert len(shop.calls()) == 1
    shop.move_clocks(11)  # lapsed: Rokt has it back already, so nothing is released
    assert quoted(shopper.reserve()) == {PARKING: 1}
    assert [entry["endpoint"] for entry in shop.calls()] == ["reserve", "reserve"]
    assert at_rokt(shop) == [(PARKING, 1, "lapsed"), (PARKING, 1, "reserved")]


def test_what_has_lapsed_on_arrival_is_not_offered_for_charge(shop: Shop, shopper: Shopper) -> None:
    shop.emulator.put("settings", {"reservationSeconds": 0})
    shopper.add(PARKING)
    quote = shopper.reserve()
    assert (quote["items"], quote["totals"]) == ([], {})
    assert reasons(quote) == {PARKING: (1, "rejected")}
    assert shopper.pay(quoteId=quote["quoteId"])["items"] == []


def test_a_lapsed_reservation_shows_as_held(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shop.move_clocks(601)
    cart = shopper.cart()
    assert statuses(cart) == {PARKING: "held"}
    assert "reservedUntil" not in cart["items"][0]


def test_a_rejected_line_is_asked_for_again_only_after_it_changed(
    shop: Shop, shopper: Shopper
) -> None:
    shopper.add(PARKING)
    shop.emulator.faults("reserve", {"kind": "reject", "all": True})
    first = shopper.reserve()
    assert shopper.reserve() == first
    assert len(shop.calls()) == 1
    shopper.add(PARKING, 2)
    assert quoted(shopper.reserve()) == {PARKING: 2}


@pytest.mark.parametrize("status", [401, 403, 404, 302])
def test_a_wrong_setup_says_nothing_about_the_items(
    shop: Shop, shopper: Shopper, status: int
) -> None:
    shopper.add(PARKING)
    shop.emulator.faults("reserve", {"kind": "status", "status": status})
    assert reasons(shopper.reserve()) == {PARKING: (1, "unreachable")}
    assert quoted(shopper.reserve()) == {PARKING: 1}


def test_optional_members_are_passed_on(shop: Shop, emulator: Client) -> None:
    shopper = shop.shopper()
    shopper.add(PARKING)
    with shop.app.test_request_context(headers={"Accept-Language": "de-CH,de;q=0.8"}):
        keep_handle(shopper.handle)
        shop.upsells.reserve(
            attributes={"country": "CH"}, is_paypal_payment=True, merchant_id="merchant-9"
        )
    (entry,) = shop.calls("reserve")
    assert entry["headers"]["accept-language"] == "de-CH"
    assert entry["body"]["attributes"] == {"country": "CH"}
    assert (entry["body"]["isPayPalPayment"], entry["body"]["merchantId"]) == (True, "merchant-9")


def test_an_empty_cart_makes_an_empty_quote_without_a_call(
    make_shop: Callable[..., Shop],
) -> None:
    shop = make_shop()
    quote = shop.shopper().reserve()
    assert (quote["items"], quote["totals"], quote["expiresAt"]) == ([], {}, None)
    assert shop.calls() == []
