"""The demo shop without a browser: every page and state, by forms alone."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import requests

from bff import Order, StoreUnavailable, Upsells
from bff.demo.run import CannotStart, DemoServer
from bff.demo.shop.basket import BadBasket, read_basket
from bff.demo.shop.card import read_card
from bff.demo.shop.catalogue import the_event
from tests import TOP
from tests.support.databases import NewDatabase
from tests.support.demo_shop import (
    DECLINED_CARD,
    GOOD_CARD,
    PARKING,
    PROTECTION,
    Demo,
    Shopper,
    Shown,
    bought,
    running_demo,
)
from tests.support.waiting import until


@pytest.fixture
def demo(tmp_path: Path, new_database: NewDatabase) -> Iterator[Demo]:
    """The demo on either kind of database; that of its own orders is SQLite always."""
    with running_demo(tmp_path, database_url=new_database()) as running:
        yield running


@pytest.fixture
def shopper(demo: Demo) -> Iterator[Shopper]:
    one = demo.shopper()
    yield one
    one.close()


# --- the way through ---


def test_a_shopper_without_javascript_buys_tickets_and_held_parking(
    demo: Demo, shopper: Shopper
) -> None:
    cart = shopper.choose_tickets(stalls="2", balcony="1")
    assert "$176.00" in cart.text
    extras = shopper.post("/checkout")
    assert extras.path == "extras"
    assert "Extras need JavaScript" in extras.text
    parking = shopper.add_extra()
    payment = shopper.get("/payment")
    assert "Evening parking" in payment.text
    assert "Pay $188.50" in payment.text
    assert "Your extras are held for another 9 minutes" in payment.text
    thanks = shopper.pay()
    assert "See you at the quay" in thanks.text
    assert "Confirmed" in thanks.text
    assert "•••• 4242" in thanks.text
    assert shopper.get("/cart").text.count("Your cart is empty") == 1
    [reserve] = demo.calls("reserve")
    [confirm] = demo.calls("confirm")
    assert reserve["body"]["items"] == [{"cartItemId": parking, "quantity": 1}]
    assert confirm["body"]["orderId"] == re.search(r"QS-\w+", thanks.text)[0]  # type: ignore[index]
    assert confirm["body"]["items"][0]["unitPrice"] == 12.5


def test_the_extras_page_is_skipped_when_rokt_has_nothing_to_show(
    demo: Demo, shopper: Shopper
) -> None:
    demo.rokt.put("settings", {"placements": False})
    assert shopper.check_out().path == "payment"
    assert shopper.get("/extras").path == "payment"
    assert "See you at the quay" in shopper.pay().text


def test_quantities_change_and_tickets_go_by_forms(shopper: Shopper) -> None:
    shopper.choose_tickets(stalls="2", standing="1")
    changed = shopper.post("/cart/change", {"quantity": "4"})
    assert "$256.00" in changed.text
    removed = shopper.post("/cart/remove")
    assert "Stalls" not in removed.text
    assert "$39.00" in removed.text


def test_a_linked_extra_follows_the_tickets(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out(stalls="2", balcony="1")
    shopper.add_extra(PROTECTION)
    assert "3 x $4.75" in shopper.get("/payment").text
    shopper.get("/cart")
    shopper.post("/cart/change", {"quantity": "1"})
    assert "2 x $4.75" in shopper.get("/payment").text
    assert demo.calls("reserve")[-1]["body"]["items"][0]["quantity"] == 2


def test_choosing_nothing_or_too_much_is_explained(shopper: Shopper) -> None:
    nothing = shopper.post("/cart", {"ticket-stalls": "0"})
    assert nothing.status == 422
    assert "Please choose at least one ticket." in nothing.text
    too_much = shopper.post("/cart", {"ticket-stalls": "5", "ticket-balcony": "4"})
    assert too_much.status == 422
    assert "You can buy up to 8 tickets at a time. You chose 9." in too_much.text
    sold_out = shopper.post("/cart", {"ticket-captain": "1"})
    assert "has sold out" in sold_out.text


# --- what Rokt rejects, and what it charges more for ---


def test_an_extra_that_sold_out_is_told_and_not_charged(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out()
    shopper.add_extra()
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "stock": 0}]})
    payment = shopper.get("/payment")
    assert "Evening parking has just sold out" in payment.text
    assert "It is not in your total." in payment.text
    assert "Pay $128.00" in payment.text
    assert "See you at the quay" in shopper.pay().text
    assert all(not call["body"]["items"] for call in demo.calls("confirm"))


def test_a_partly_reserved_extra_is_charged_for_what_was_granted(
    demo: Demo, shopper: Shopper
) -> None:
    shopper.check_out()
    shopper.add_extra(quantity=3)
    demo.rokt.faults("reserve", {"kind": "grant_less", "quantity": 1})
    payment = shopper.get("/payment")
    assert "2 fewer than you asked for could be held" in payment.text
    assert "Pay $140.50" in payment.text


def test_a_dearer_price_is_charged_only_after_consent(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out()
    parking = shopper.add_extra()
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "unitPrice": 15.0}]})
    asked = shopper.get("/payment")
    assert "Evening parking now costs more" in asked.text
    assert "It was $12.50 and is now $15.00" in asked.text
    assert "Pay $128.00" in asked.text
    accepted = shopper.post("/payment/accept")
    assert "now costs more" not in accepted.text
    assert "Pay $143.00" in accepted.text
    assert "Confirmed" in shopper.pay().text
    [item] = demo.calls("confirm")[-1]["body"]["items"]
    assert (item["cartItemId"], item["unitPrice"]) == (parking, 15)


def test_a_dearer_price_without_consent_is_neither_charged_nor_confirmed(
    demo: Demo, shopper: Shopper
) -> None:
    shopper.check_out()
    shopper.add_extra()
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "unitPrice": 15.0}]})
    shopper.get("/payment")
    thanks = shopper.pay()
    assert "Not included, not charged: Evening parking." in thanks.text
    assert "Extras" not in thanks.text
    assert "Total $128.00" in thanks.text
    assert not [call for call in demo.calls("confirm") if call["body"]["items"]]


def test_consent_to_one_price_is_none_to_a_higher_one(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out()
    shopper.add_extra()
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "unitPrice": 18.0}]})
    shopper.get("/payment")
    asked = shopper.post("/payment/accept", {"price": "15.00"})  # what an older page showed
    assert "is now $18.00" in asked.text
    assert "Pay $128.00" in asked.text


def test_a_cheaper_price_is_simply_charged_and_told(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out()
    shopper.add_extra()
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "unitPrice": 10.0}]})
    payment = shopper.get("/payment")
    assert "Evening parking is cheaper now: $10.00." in payment.text
    assert "Pay $138.00" in payment.text


@pytest.mark.parametrize(
    ("price", "told", "total"),
    [
        (15.0, "Costs $15.00 now. It is not in your total", "$128.00"),
        (10.0, "Costs $10.00 now. Your total has the new price.", "$138.00"),
    ],
)
def test_back_from_payment_the_totals_are_what_would_be_charged(
    demo: Demo, shopper: Shopper, price: float, told: str, total: str
) -> None:
    shopper.check_out()
    shopper.add_extra()
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "unitPrice": price}]})
    assert f"Pay {total}" in shopper.get("/payment").text
    cart = shopper.get("/cart")
    assert told in cart.text
    assert f"Total {total}" in cart.text
    assert f"Total {total}" in shopper.get("/extras").text


def test_back_from_payment_the_totals_have_only_as_many_as_could_be_held(
    demo: Demo, shopper: Shopper
) -> None:
    shopper.check_out()
    shopper.add_extra(quantity=3)
    demo.rokt.faults("reserve", {"kind": "grant_less", "quantity": 1})
    shopper.get("/payment")
    cart = shopper.get("/cart")
    assert "Only 1 could be held." in cart.text
    assert "Total $140.50" in cart.text
    assert "Total $140.50" in shopper.get("/extras").text


def test_a_total_that_is_not_the_one_shown_is_not_charged(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out()
    shown = shopper.get("/payment")
    shopper.add_extra()  # in another tab
    shopper.page = shown
    again = shopper.pay()
    assert again.status == 409
    assert "Your total has changed" in again.text
    assert "Pay $140.50" in again.text
    assert not demo.calls("confirm")
    assert "Total $140.50" in shopper.pay().text


# --- the card ---


def test_mistakes_in_the_card_form_stand_beside_their_fields(shopper: Shopper) -> None:
    shopper.check_out()
    shopper.get("/payment")
    wrong = shopper.pay({"email": "ada", "number": "4242 4242 4242 4243", "expiry": "13/30"})
    assert wrong.status == 422
    for message in (
        "Enter an email address",
        "This is not a card number",
        "Enter month and year",
        "Enter the 3 or 4 digits",
        "Enter the name on the card",
    ):
        assert message in wrong.text
    assert wrong.html.count('aria-invalid="true"') == 5
    assert 'value="ada"' in wrong.html
    assert "4243" not in wrong.html, "a card number must not be printed into the page"


def test_a_declined_card_charges_nothing_and_keeps_the_hold(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out()
    shopper.add_extra()
    shopper.get("/payment")
    declined = shopper.pay(DECLINED_CARD)
    assert declined.status == 402
    assert "Your card was declined" in declined.text
    assert "Pay $140.50" in declined.text
    assert not demo.calls("confirm")
    assert not demo.calls("release")
    assert "Confirmed" in shopper.pay(GOOD_CARD).text
    assert len(demo.calls("reserve")) == 1


def test_the_same_form_posted_twice_is_one_order(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out()
    shopper.add_extra()
    form = shopper.get("/payment")
    first = shopper.pay()
    shopper.page = form
    second = shopper.pay()
    assert first.path == second.path
    assert len(demo.calls("confirm")) == 1


def test_the_same_form_posted_twice_at_once_is_one_order(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out()
    shopper.add_extra()
    form = {**shopper.get("/payment").form("/pay"), **GOOD_CARD}
    places: list[str] = []

    def post() -> None:
        answer = requests.post(
            f"{demo.url}/pay", data=form, cookies=shopper.http.cookies, timeout=15
        )
        places.append(Shown(answer).path)

    posts = [threading.Thread(target=post) for _ in range(4)]
    for one in posts:
        one.start()
    for one in posts:
        one.join()
    assert len(set(places)) == 1, places
    assert places[0].startswith("thanks/QS-")
    until(lambda: len(demo.calls("confirm")) == 1)


# --- Rokt is down ---


def test_with_rokt_down_the_checkout_completes_without_extras(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out()
    shopper.add_extra()
    demo.rokt.faults("reserve", {"kind": "drop", "times": None})
    payment = shopper.get("/payment")
    assert "Evening parking could not be held just now" in payment.text
    assert "Try again" in payment.text
    assert "Total $128.00" in shopper.pay().text


def test_with_rokt_down_all_along_the_extras_are_skipped(demo: Demo, shopper: Shopper) -> None:
    demo.rokt.put(
        "faults", {one: [{"kind": "drop", "times": None}] for one in ("any", "reserve", "confirm")}
    )
    assert shopper.check_out().path == "payment"
    assert "See you at the quay" in shopper.pay().text


def test_a_confirm_that_rokt_does_not_answer_is_shown_as_pending_and_ends_confirmed(
    demo: Demo, shopper: Shopper
) -> None:
    shopper.check_out()
    shopper.add_extra()
    shopper.get("/payment")
    demo.rokt.faults("confirm", {"kind": "drop", "times": None})
    thanks = shopper.pay()
    assert "Being confirmed" in thanks.text
    assert 'http-equiv="refresh"' in thanks.html
    assert "Cancel" not in thanks.text
    demo.rokt.put("faults", {})
    until(lambda: "Confirmed" in shopper.get(f"/{thanks.path}").text, 20)
    assert 'http-equiv="refresh"' not in shopper.page.html


def test_a_confirm_that_rokt_refuses_promises_the_money_back(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out()
    shopper.add_extra()
    shopper.get("/payment")
    demo.rokt.faults("confirm", {"kind": "status", "status": 422, "times": None})
    thanks = shopper.pay()
    assert "Not available after all" in thanks.text
    assert "goes back to your card ending in 4242" in thanks.text
    assert "Refund -$12.50" in thanks.text
    assert "Total $128.00" in thanks.text


# --- after the sale ---


def test_parking_is_canceled_after_a_question(demo: Demo, shopper: Shopper) -> None:
    thanks = bought(shopper)
    link = re.search(r'href="(/orders/[^"]+/cancel\?item=[^"]+)"', thanks.html)
    assert link
    question = shopper.get(link[1])
    assert "Cancel Evening parking?" in question.text
    assert not demo.calls("cancel")
    order = thanks.path.removeprefix("thanks/")
    after = shopper.post(f"/orders/{order}/cancel-parking")
    assert "Canceled" in after.text
    assert "Refund -$12.50" in after.text
    assert "Cancel Evening" not in after.text
    [cancel] = demo.calls("cancel")
    [reserve] = demo.calls("reserve")
    reserved = reserve["answer"]["items"][0]["itemReservationId"]
    assert cancel["body"] == {"itemReservationId": reserved}


def test_a_cancel_that_the_provider_refuses_leaves_the_booking(
    demo: Demo, shopper: Shopper
) -> None:
    thanks = bought(shopper)
    order = thanks.path.removeprefix("thanks/")
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "refuseCancel": True}]})
    shopper.get(re.findall(r'href="(/orders/[^"]+)"', thanks.html)[0])
    after = shopper.post(f"/orders/{order}/cancel-parking")
    assert "could not be canceled" in after.text
    assert "Confirmed" in after.text


def test_an_order_of_another_session_is_not_there(demo: Demo, shopper: Shopper) -> None:
    thanks = bought(shopper)
    order = thanks.path.removeprefix("thanks/")
    stranger = demo.shopper()
    for path in (f"/thanks/{order}", f"/orders/{order}/state", f"/orders/{order}/cancel?item=x"):
        assert stranger.get(path).status == 404
    stranger.get("/")
    token = stranger.page.form("/cart")["csrf_token"]
    answer = stranger.http.post(
        f"{demo.url}/orders/{order}/cancel-parking", data={"csrf_token": token}, timeout=5
    )
    assert answer.status_code == 404
    assert not demo.calls("cancel")
    stranger.close()


def test_an_order_that_the_bff_did_not_take_is_told_to_it_again(
    demo: Demo, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object, **_more: object) -> Order:
        raise StoreUnavailable("The database is busy; try again.")

    shopper.check_out()
    shopper.add_extra()
    shopper.get("/payment")
    with monkeypatch.context() as patch:
        patch.setattr(Upsells, "confirm", fails)
        thanks = shopper.pay()
    assert "Being confirmed" in thanks.text
    assert "Total $140.50" in thanks.text
    assert not demo.calls("confirm")
    assert "Confirmed" in shopper.get(f"/{thanks.path}").text
    assert len(demo.calls("confirm")) == 1


# --- who may do what ---


@pytest.mark.parametrize(
    "path",
    ["/cart", "/cart/change", "/cart/remove", "/checkout", "/extras/follow", "/payment/accept",
     "/pay", "/orders/QS-1/cancel-parking", "/timeline/sdk", "/timeline/controls"],
)  # fmt: skip
def test_a_post_without_the_token_is_refused(demo: Demo, shopper: Shopper, path: str) -> None:
    shopper.choose_tickets(stalls="1")
    for token in ({}, {"csrf_token": "made up"}, {"csrf_token": "é"}):
        answer = shopper.http.post(demo.url + path, data=token, timeout=60)
        assert answer.status_code == 400
        assert "Please try that again" in answer.text
    assert "$64.00" in shopper.get("/cart").text


def test_every_page_carries_the_strict_policy_and_nothing_inline(
    demo: Demo, shopper: Shopper
) -> None:
    shopper.check_out()
    pages = ["/", "/cart", "/extras", "/payment", "/timeline", "/nothing-here"]
    pages.append("/" + bought(shopper).path)
    for path in pages:
        answer = shopper.http.get(demo.url + path, timeout=60)
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "apps.rokt.com" not in policy
        own = f"'self' {demo.rokt.url};"
        assert policy.startswith(
            f"default-src 'none'; script-src {own} style-src {own} img-src 'self';"
        )
        assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy
        assert f"connect-src {own}" in policy
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", answer.text), path


def test_with_an_account_the_page_loads_rokts_own_sdk(tmp_path: Path) -> None:
    account = {
        "ROKT_BFF_ACCOUNT_ID": "2754655826098840951",
        "ROKT_BFF_API_KEY": "key",
        "ROKT_BFF_TAG_ID": "tag",
        "ROKT_BFF_SANDBOX": "true",
        "ROKT_BFF_API_URL": "http://127.0.0.1:9",  # nobody is there
    }
    server = DemoServer(tmp_path, port=0, config=account)
    client = server.app.test_client()
    page = client.get("/").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    client.post("/cart", data={"csrf_token": token[1], "ticket-stalls": "1"})
    extras = client.get("/extras")
    assert "https://apps.rokt.com/wsdk/integrations/launcher.js" in extras.text
    assert 'data-account-id="2754655826098840951" data-sandbox="true"' in extras.text
    policy = extras.headers["Content-Security-Policy"]
    assert "script-src 'self' https://apps.rokt.com;" in policy
    assert "frame-src https://apps.rokt.com" in policy
    assert "connect-src 'self' https://apps.rokt.com http://127.0.0.1:9;" in policy
    assert "Make something happen" not in extras.text
    server.start()
    server.stop()


# --- the timeline ---


def test_the_timeline_tells_the_steps_without_secrets(demo: Demo, shopper: Shopper) -> None:
    bought(shopper)
    page = shopper.get("/timeline")
    for step in ("placements/any", "cart/updates", "reserve", "paid", "confirm", "order confirmed"):
        assert step in page.html
    news = shopper.http.get(f"{demo.url}/timeline?after=0", timeout=60)
    entries = news.json()["entries"]
    calls = [entry for entry in entries if entry["target"] == "rokt"]
    assert [entry["label"] for entry in calls] == ["placements/any", "reserve", "confirm"]
    assert all(re.fullmatch(r"200 · \d+\sms", entry["response"]) for entry in calls)
    assert [entry["step"] for entry in calls] == [1, 4, 5]
    handle = shopper.http.cookies["rokt_bff"].rsplit(".", 1)[0]
    assert len(handle) == 43  # 256 bits
    for secret in ("emulator-key", handle, "4242424242424242", "ada@example.com"):
        assert secret not in news.text
        assert secret not in page.html
    last = news.json()["last"]
    later = shopper.http.get(f"{demo.url}/timeline?after={last}", timeout=60).json()
    assert later == {"entries": [], "last": last}


def test_a_message_of_the_sdk_that_comes_twice_is_one_entry(demo: Demo, shopper: Shopper) -> None:
    token = shopper.page.form("/cart")["csrf_token"]
    body = {"cartItem": {"name": "Evening parking", "quantity": 1}, "oldCartItem": None}
    for name in ("V2_CART_ITEM_UPDATED", "UPDATE_CART_ITEM_MESSAGE", "V2_CART_ITEM_UPDATED"):
        answer = shopper.http.post(
            f"{demo.url}/timeline/sdk",
            json={**body, "name": name},
            headers={"X-CSRFToken": token},
            timeout=60,
        )
        assert answer.status_code == 204
    entries = shopper.http.get(f"{demo.url}/timeline?after=0", timeout=60).json()["entries"]
    doubled = "cart item message \N{MULTIPLICATION SIGN}2"
    # The third one is a click of its own: its name was there already.
    assert [entry["label"] for entry in entries] == [doubled, "cart item message"]
    assert "The shopper added Evening parking." in entries[0]["caption"]


@pytest.mark.parametrize(
    "body", [{"name": "SOMETHING"}, [], None, {"name": ["V2_CART_ITEM_UPDATED"]}]
)
def test_the_timeline_takes_only_messages_that_it_knows(
    demo: Demo, shopper: Shopper, body: object
) -> None:
    token = shopper.page.form("/cart")["csrf_token"]
    answer = shopper.http.post(
        f"{demo.url}/timeline/sdk", json=body, headers={"X-CSRFToken": token}, timeout=5
    )
    assert answer.status_code == 400


def test_a_shopper_sees_their_own_timeline_only(demo: Demo, shopper: Shopper) -> None:
    bought(shopper)
    stranger = demo.shopper()
    assert stranger.http.get(f"{demo.url}/timeline?after=0", timeout=60).json()["entries"] == []
    stranger.close()


def test_the_switches_reach_the_emulator_and_start_over_turns_them_off(
    demo: Demo, shopper: Shopper
) -> None:
    shopper.check_out()
    shopper.add_extra()
    shopper.get("/timeline")
    shopper.post("/timeline/controls", {"toggle": "price"})
    assert re.search(r'value="price" aria-pressed="true"', shopper.page.html)
    assert "is now $15.00" in shopper.get("/payment").text
    shopper.get("/timeline")
    shopper.post("/timeline/controls", {"toggle": "reset"})
    assert 'aria-pressed="true"' not in shopper.page.html
    assert "Nothing yet." in shopper.page.html
    assert "Your cart is empty" in shopper.get("/cart").text
    state = demo.rokt.state()
    assert all(one["state"] != "reserved" for one in state["reservations"].values())


def test_a_short_hold_is_said_to_be_short_and_is_made_again_when_it_ran_out(
    demo: Demo, shopper: Shopper
) -> None:
    shopper.check_out()
    shopper.add_extra()
    shopper.get("/timeline")
    shopper.post("/timeline/controls", {"toggle": "short_holds"})
    assert "held for another less than a minute" in shopper.get("/payment").text
    demo.rokt.move_clock(30)
    assert "Confirmed" in shopper.pay().text
    assert [call["status"] for call in demo.calls("reserve")] == [200, 200]
    shopper.get("/timeline")
    shopper.post("/timeline/controls", {"toggle": "reset"})
    shopper.check_out()
    shopper.add_extra()
    assert "held for another 10 minutes" in shopper.get("/payment").text  # and 30 s, by Rokt


def test_a_hold_that_ran_out_is_explained_where_rokt_is_asked_again(
    demo: Demo, shopper: Shopper
) -> None:
    demo.rokt.put("settings", {"reservationSeconds": 1})
    shopper.check_out()
    shopper.add_extra()
    shopper.get("/payment")
    told = "hold on Evening parking ran out before the payment"
    assert told not in shopper.get("/timeline").text
    until(lambda: len(shopper.get("/payment").text and demo.calls("reserve")) > 1)
    assert shopper.get("/timeline").text.count(told) == len(demo.calls("reserve")) - 1


def test_a_switch_leads_nowhere_else(demo: Demo, shopper: Shopper) -> None:
    for elsewhere in ("https://example.com/", "//example.com/", "/\\example.com"):
        token = shopper.get("/timeline").form("/timeline/controls")["csrf_token"]
        answer = shopper.http.post(
            f"{demo.url}/timeline/controls",
            data={"csrf_token": token, "toggle": "reset", "next": elsewhere},
            allow_redirects=False,
            timeout=60,
        )
        assert answer.headers["Location"] == "/timeline"


# --- small rules ---


def test_the_evening_is_always_a_saturday_some_weeks_ahead() -> None:
    for offset in range(400):
        today = date(2026, 1, 1) + timedelta(days=offset)
        starts = the_event(today).starts
        assert starts.weekday() == 5
        assert 40 <= (starts.date() - today).days <= 46


@pytest.mark.parametrize("quantity", ["-1", "1.5", "x", "9999", "٣"])
def test_a_quantity_that_is_no_small_whole_number_is_refused(quantity: str) -> None:
    with pytest.raises(BadBasket):
        read_basket({"ticket-stalls": quantity})


@pytest.mark.parametrize(
    ("expiry", "is_good"),
    [("11/26", True), ("11 / 2026", True), ("10/26", False), ("1/27", True), ("00/30", False),
     ("13/30", False), ("0430", True), ("", False)],
)  # fmt: skip
def test_a_card_is_good_until_its_month_ends(expiry: str, is_good: bool) -> None:
    form = read_card({**GOOD_CARD, "expiry": expiry}, date(2026, 11, 30))
    assert ("expiry" not in form.errors) is is_good


# --- starting and stopping ---


def test_a_port_in_use_is_named_with_the_cure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"(?s)emulator.*:{port}.*--emulator-port"):
            DemoServer(tmp_path, port=0, emulator_port=port)
        with pytest.raises(CannotStart, match=rf"(?s)shop.*:{port}.*--port"):
            DemoServer(tmp_path, port=port, emulator_port=0)


def test_an_address_open_to_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="this machine only"):
        DemoServer(tmp_path, host="0.0.0.0", port=0, emulator_port=0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_the_address_and_stops_on_a_signal(number: signal.Signals) -> None:
    command = "from bff.cli import main; main()"
    ports = ("--port", "0", "--emulator-port", "0", "--partner-port", "0")
    with subprocess.Popen(
        [sys.executable, "-u", "-c", command, "demo", *ports],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=TOP,
        env={k: v for k, v in os.environ.items() if not k.startswith("ROKT_BFF_")},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert url, line
        assert requests.get(url[0], timeout=60).status_code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.endswith("Stopped.\n")
    assert "Traceback" not in err


@pytest.mark.parametrize("price", ["-1", "1e30", "NaN", "1000000", ""])
def test_a_forged_consent_breaks_nothing(demo: Demo, shopper: Shopper, price: str) -> None:
    shopper.check_out()
    shopper.add_extra()
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "unitPrice": 15.0}]})
    shopper.get("/payment")
    asked = shopper.post("/payment/accept", {"price": price})
    assert "is now $15.00" in asked.text
    assert "Pay $128.00" in asked.text
