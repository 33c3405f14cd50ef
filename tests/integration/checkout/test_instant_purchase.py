"""Instant purchase after payment: the shop decides on the charge, and nothing else is bought."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from bff import Quote
from tests.support.interference import Killed, at_once
from tests.support.responses import problem_of
from tests.support.shop import BRIDGE, Shop, Shopper, ok, server_get, server_post
from tests.support.summaries import PARKING, POSTER


class Till:
    """The shop's second charge: what was charged, by the quote's id; it may decline."""

    def __init__(self) -> None:
        self.charged: dict[str, Decimal] = {}
        self.declines = False
        self.dies = False
        self.asked: list[tuple[str, Decimal]] = []
        self.answers: Any = ...  # what it returns, whatever its annotation says

    def charge(self, quote: Quote) -> Any:
        if self.declines:
            return None
        self.asked.append((quote.quote_id, quote.total))
        self.charged.setdefault(quote.quote_id, quote.total)  # by its key, as a provider does
        if self.dies:
            raise Killed
        if self.answers is not ...:
            return self.answers
        return f"again-{list(self.charged).index(quote.quote_id) + 1}"


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
def again(shop: Shop, till: Till) -> Shop:
    shop.app.add_url_rule(
        "/buy-again", view_func=lambda: shop.upsells.buy_instantly(till.charge), methods=["POST"]
    )

    @shop.app.post("/login")
    def login() -> str:
        shop.upsells.rotate()
        return "logged in"

    return shop


@pytest.fixture
def buyer(again: Shop) -> Shopper:
    """A shopper on the thanks page: an order is paid, and a page with new offers is open."""
    shopper = again.shopper()
    shopper.add(PARKING)
    shopper.reserve()
    shopper.pay("order-1")
    shopper.load_page()
    return shopper


def message(shopper: Shopper, *items: tuple[str, int], **more: Any) -> dict[str, Any]:
    upsell = [shopper.item(one, quantity) for one, quantity in items or [(POSTER, 2)]]
    return {
        "purchaseId": str(uuid4()),
        "upsellItems": upsell,
        "totalUpsellPrice": sum(item["totalPrice"] for item in upsell),
        "currency": "USD",
    } | more


def press(shopper: Shopper, body: dict[str, Any]) -> Any:
    return ok(raw(shopper, body))


def raw(shopper: Shopper, body: object, headers: dict[str, str] = BRIDGE) -> TestResponse:
    return shopper.client.post("/buy-again", json=body, headers=headers)


def stock(shop: Shop) -> int:
    return shop.emulator.stock(POSTER)


def test_a_press_is_reserved_charged_and_confirmed(again: Shop, buyer: Shopper, till: Till) -> None:
    body = message(buyer)
    answer = press(buyer, body)
    assert answer["upsellItems"] == body["upsellItems"]
    assert (answer["paid"], answer["success"]) == (True, True)
    assert answer["orderConfirmationId"] == "again-1"
    assert list(till.charged.values()) == [Decimal(str(body["totalUpsellPrice"]))]
    order = ok(server_get(again, "/orders/again-1"))
    assert order["status"] == "confirmed"
    assert [(item["catalogItemId"], item["quantity"]) for item in order["items"]] == [(POSTER, 2)]
    sessions = {call["headers"]["rokt-session-id"] for call in again.calls("reserve", "confirm")}
    assert len(sessions) == 1  # the page's, also for what was bought again


def test_what_else_the_shopper_holds_is_neither_bought_nor_lost(
    again: Shop, buyer: Shopper, till: Till
) -> None:
    held = buyer.add(PARKING, 3)["items"]
    assert press(buyer, message(buyer))["paid"]
    assert buyer.cart()["items"] == held
    order = ok(server_get(again, "/orders/again-1"))
    assert [item["catalogItemId"] for item in order["items"]] == [POSTER]


def test_a_declined_card_gives_the_stock_back_and_says_so(
    again: Shop, buyer: Shopper, till: Till
) -> None:
    before = stock(again)
    till.declines = True
    answer = press(buyer, message(buyer))
    assert (answer["paid"], answer["success"], answer["reason"]) == (False, False, "declined")
    assert stock(again) == before
    assert len(again.calls("confirm")) == 1  # of the first order


@pytest.mark.parametrize("answer", [None, False, ""])
def test_no_order_s_id_is_a_declined_card(
    again: Shop, buyer: Shopper, till: Till, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    before = stock(again)
    till.answers = answer
    told = press(buyer, message(buyer))
    assert (told["paid"], told["success"], told["reason"]) == (False, False, "declined")
    assert stock(again) == before
    assert caplog.records == []


@pytest.mark.parametrize(
    "answer",
    [True, 0, {"id": "pay-1"}, "x" * 129, "half \ud83d", "order-1"],
    ids=["true", "zero", "an object", "too long", "half a character", "another's"],
)
def test_a_charge_without_an_order_of_it_is_loud(
    again: Shop, buyer: Shopper, till: Till, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An id that is none, that no database holds, or that another order has."""
    before = stock(again)
    till.answers = answer
    refused = raw(buyer, message(buyer))
    code = (409, "foreign_order") if answer == "order-1" else (422, "invalid_input")
    assert problem_of(refused, code[0])["code"] == code[1]
    (quote_id,) = till.charged
    (alarm,) = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert quote_id in alarm
    assert "30.00 USD" in alarm
    assert len(again.calls("confirm")) == 1  # of the first order
    again.move_clocks(700)  # what was not given back at once is not kept
    again.deliver()
    assert stock(again) == before


def test_a_repetition_is_one_purchase(again: Shop, buyer: Shopper, till: Till) -> None:
    body = message(buyer)
    first = press(buyer, body)
    assert press(buyer, body) == first
    assert len(till.charged) == 1
    assert len(again.calls("confirm")) == 2
    assert press(buyer, message(buyer))["orderConfirmationId"] == "again-2"  # another press


def test_two_requests_of_one_press_at_once_are_one_purchase(
    again: Shop, buyer: Shopper, till: Till
) -> None:
    before = stock(again)
    body = message(buyer)
    bearer = {"Authorization": f"Bearer {buyer.handle}", "Origin": "http://localhost"}

    def send() -> Any:
        return ok(again.app.test_client().post("/buy-again", json=body, headers=bearer))

    answers = at_once([send] * 4)
    assert {answer["orderConfirmationId"] for answer in answers} == {"again-1"}
    assert len(till.charged) == 1
    assert stock(again) == before - 2
    assert [c["body"]["orderId"] for c in again.calls("confirm")].count("again-1") == 1


def test_a_dearer_price_is_never_charged(again: Shop, buyer: Shopper, till: Till) -> None:
    before = stock(again)
    body = message(buyer)
    dearer = {"catalogItemId": POSTER, "unitPrice": 99.0}
    again.emulator.put("catalog", {"items": [dearer]})
    answer = press(buyer, body)
    assert (answer["paid"], answer["reason"]) == (False, "price_changed")
    assert till.charged == {}
    assert stock(again) == before


def test_what_the_page_claims_as_price_is_not_what_is_charged(
    again: Shop, buyer: Shopper, till: Till
) -> None:
    body = message(buyer, totalUpsellPrice=0.02)
    for item in body["upsellItems"]:
        item |= {"unitPrice": 0.01, "totalPrice": 0.02}
    answer = press(buyer, body)
    assert (answer["paid"], answer["reason"]) == (False, "price_changed")
    assert till.charged == {}


def test_a_part_that_is_sold_out_takes_the_rest_with_it(
    again: Shop, buyer: Shopper, till: Till
) -> None:
    before = stock(again)
    body = message(buyer, (POSTER, 1), (PARKING, 1))
    again.emulator.faults("reserve", {"kind": "no_stock", "catalogItemIds": [PARKING]})
    answer = press(buyer, body)
    assert (answer["paid"], answer["reason"]) == (False, "not_available")
    assert till.charged == {}
    assert stock(again) == before


def test_what_rokt_finally_refuses_is_paid_and_no_success(
    again: Shop, buyer: Shopper, till: Till
) -> None:
    body = message(buyer)
    again.emulator.faults("confirm", {"kind": "status", "status": 409})
    for _ in ("the first time", "repeated after a lost answer"):
        answer = press(buyer, body)
        assert (answer["paid"], answer["success"]) == (True, False)
        assert answer["reason"] == "refund_needed"
    assert len(till.charged) == 1


def test_what_rokt_says_is_sold_out_is_told_as_such(
    again: Shop, buyer: Shopper, till: Till
) -> None:
    again.emulator.put("settings", {"rejectionForm": "status", "rejectionStatus": "SOLD_OUT"})
    again.emulator.faults("reserve", {"kind": "no_stock", "catalogItemIds": [POSTER]})
    answer = press(buyer, message(buyer))
    assert (answer["paid"], answer["reason"]) == (False, "sold_out")
    assert till.charged == {}


def test_rokt_down_after_the_charge_is_still_bought_and_owed(
    again: Shop, buyer: Shopper, till: Till
) -> None:
    again.emulator.faults("confirm", {"kind": "status", "status": 503, "times": None})
    assert press(buyer, message(buyer))["paid"]
    assert ok(server_get(again, "/orders/again-1"))["status"] == "confirming"
    again.emulator.faults("confirm")
    again.clock.move(2)
    again.deliver()
    assert ok(server_get(again, "/orders/again-1"))["status"] == "confirmed"


def test_without_a_session_nobody_is_charged(again: Shop, till: Till) -> None:
    stranger = again.shopper()
    answer = press(stranger, message(stranger))
    assert (answer["paid"], answer["reason"]) == (False, "no_session")
    assert till.charged == {}


def crash(shopper: Shopper, till: Till, body: dict[str, Any]) -> None:
    """Press; the shop's process ends after the charge and before it is confirmed."""
    till.dies = True
    with pytest.raises(Killed):
        raw(shopper, body)
    till.dies = False


def log_in(shopper: Shopper) -> None:
    before = shopper.handle
    assert shopper.client.post("/login").text == "logged in"
    assert shopper.handle != before


def test_a_press_is_one_charge_whatever_happens_until_it_is_repeated(
    again: Shop, buyer: Shopper, till: Till
) -> None:
    before = stock(again)
    again.emulator.put("settings", {"reservationSeconds": 63})
    body = message(buyer)
    crash(buyer, till, body)
    again.move_clocks(4)  # less than a minute is left: what is reserved is renewed
    crash(buyer, till, body)
    log_in(buyer)
    assert press(buyer, body)["success"]
    assert raw(buyer, body, BRIDGE | {"Accept-Language": "de"}).json["success"]  # type: ignore[index]
    assert len(set(till.asked)) == 1
    assert len(till.asked) == 3
    assert stock(again) == before - 2
    assert ok(server_get(again, "/orders/again-1"))["status"] == "confirmed"


@pytest.mark.parametrize("language", ["", "de", "fr-CA"])
def test_a_press_in_another_language_is_the_same(
    again: Shop, buyer: Shopper, till: Till, language: str
) -> None:
    body = message(buyer)
    crash(buyer, till, body)
    headers = BRIDGE | {"Accept-Language": language}
    assert ok(raw(buyer, body, headers))["orderConfirmationId"] == "again-1"
    assert len(set(till.asked)) == 1


def test_a_login_does_not_part_a_press_from_its_repetition(
    again: Shop, buyer: Shopper, till: Till
) -> None:
    body = message(buyer)
    first = press(buyer, body)
    log_in(buyer)
    assert press(buyer, body) == first
    assert len(till.asked) == 1
    assert len(again.calls("confirm")) == 2


def test_a_charge_that_a_login_overtakes_is_confirmed(
    again: Shop, buyer: Shopper, till: Till
) -> None:
    """A partner's backend has the handle of the press from before the login."""
    body = message(buyer)
    old = buyer.handle
    begun = ok(server_post(again, "/purchases", body | {"handle": old}))
    new = again.parts.checkout.rotate(old)
    repeated = ok(server_post(again, "/purchases", body | {"handle": new}))
    assert repeated["quote"] == begun["quote"]
    assert repeated["handle"] != begun["handle"]
    paid = {"handle": begun["handle"], "quoteId": begun["quote"]["quoteId"], "orderId": "P-1"}
    assert ok(server_post(again, "/orders", paid))["status"] == "confirmed"
    third = ok(server_post(again, "/purchases", body | {"handle": new}))
    assert third["order"]["orderId"] == "P-1"
    planted = {"Authorization": f"Bearer {begun['handle']}"}
    assert again.app.test_client().get("/rokt/cart", headers=BRIDGE | planted).status_code == 401


def test_a_repetition_at_another_total_charges_nobody(
    again: Shop, buyer: Shopper, till: Till
) -> None:
    """Not even at a lower one: it is no repetition of the charge that may have been made."""
    again.emulator.put("settings", {"reservationSeconds": 63})
    body = message(buyer)
    crash(buyer, till, body)
    again.emulator.put("catalog", {"items": [{"catalogItemId": POSTER, "unitPrice": 5.0}]})
    again.move_clocks(4)
    answer = press(buyer, body)
    assert (answer["paid"], answer["reason"]) == (False, "price_changed")
    assert len(till.asked) == 1


def test_what_a_partner_charged_is_owed_though_the_repetition_was_refused(
    again: Shop, buyer: Shopper
) -> None:
    again.emulator.put("settings", {"reservationSeconds": 63})
    body = message(buyer) | {"handle": buyer.handle}
    begun = ok(server_post(again, "/purchases", body))
    again.emulator.put("catalog", {"items": [{"catalogItemId": POSTER, "unitPrice": 99.0}]})
    again.move_clocks(4)
    assert ok(server_post(again, "/purchases", body))["reason"] == "price_changed"
    paid = {"handle": begun["handle"], "orderId": "P-1"}
    order = ok(server_post(again, "/orders", paid))
    assert order["totals"] == begun["quote"]["totals"]
    assert order["status"] == "refund_needed"


def test_another_press_under_the_same_id_does_not_disturb_the_first(
    again: Shop, buyer: Shopper, till: Till
) -> None:
    body = message(buyer)
    crash(buyer, till, body)
    other = message(buyer, (PARKING, 1)) | {"purchaseId": body["purchaseId"]}
    answer = press(buyer, other)
    assert (answer["paid"], answer["reason"]) == (False, "not_available")
    assert press(buyer, body)["success"]
    assert len(set(till.asked)) == 1
    assert len(till.asked) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Rokt-Bff": "1", "Sec-Fetch-Site": "cross-site"},
        {"Rokt-Bff": "1", "Origin": "https://shop.example.evil.io"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
    ids=["nothing", "cross-site", "look-alike", "no header"],
)
def test_another_sites_page_cannot_press(
    buyer: Shopper, till: Till, headers: dict[str, str]
) -> None:
    answer = raw(buyer, message(buyer), headers)
    assert answer.status_code == 403
    assert answer.mimetype == "application/problem+json"
    assert till.charged == {}


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no id": (lambda body: body.pop("purchaseId"), "purchaseId"),
    "no items": (lambda body: body.update(upsellItems=[]), "upsellItems"),
    "another total": (lambda body: body.update(totalUpsellPrice=1.0), "totalUpsellPrice"),
    "a fraction": (
        lambda body: body["upsellItems"][0].update(quantity=1.5),
        "upsellItems.0.quantity",
    ),
    "none of it": (lambda body: body["upsellItems"][0].update(quantity=0, totalPrice=0),
                   "upsellItems"),
    "one twice": (lambda body: body["upsellItems"].append(body["upsellItems"][0]), "upsellItems"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_names_the_field_and_charges_nobody(
    buyer: Shopper, till: Till, name: str
) -> None:
    breaks, field = WRONG[name]
    body = message(buyer)
    breaks(body)
    answer = raw(buyer, body)
    assert answer.status_code == 422
    assert field in answer.json["errors"]  # type: ignore[index]
    assert till.charged == {}


def test_a_partners_backend_reserves_charges_and_confirms(again: Shop, buyer: Shopper) -> None:
    body = message(buyer) | {"handle": buyer.handle}
    begun = ok(server_post(again, "/purchases", body))
    assert begun["handle"] != buyer.handle
    assert begun["quote"]["totals"] == {"USD": f"{body['totalUpsellPrice']:.2f}"}
    paid = {"handle": begun["handle"], "quoteId": begun["quote"]["quoteId"], "orderId": "P-1"}
    assert ok(server_post(again, "/orders", paid))["status"] == "confirmed"
    assert ok(server_post(again, "/purchases", body))["order"]["orderId"] == "P-1"
    again.emulator.faults("reserve", {"kind": "no_stock", "catalogItemIds": [POSTER]})
    refused = ok(server_post(again, "/purchases", message(buyer) | {"handle": buyer.handle}))
    assert refused["reason"] == "not_available"
    unknown = server_post(again, "/purchases", message(buyer) | {"handle": "x" * 43})
    assert unknown.status_code == 401
