"""The demo shop in a real browser: the whole journey, by mouse, by keyboard, on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.support.browser import pictured
from tests.support.demo_pages import (
    PHONE,
    TIMES,
    add,
    back_to_extras,
    fill_card,
    pay,
    to_extras,
    to_payment,
    total,
)
from tests.support.demo_shop import GOOD_CARD, PARKING, Demo, running_demo

pytestmark = pytest.mark.browser


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with running_demo(tmp_path) as running:
        yield running


@pytest.fixture
def shop(demo: Demo, page: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The ticket page; at the end nothing in the browser may have gone wrong."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(demo.url)
    yield page
    with pictured(page.context, request.node.name):
        assert not problems


def test_the_journey_from_adding_to_canceling(demo: Demo, shop: Page) -> None:
    updates: list[Any] = []
    shop.on(
        "request",
        lambda sent: updates.append(sent.post_data_json) if "/cart/updates" in sent.url else None,
    )
    to_extras(shop)
    bill = shop.locator("#bill")
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    shop.get_by_role("button", name="One more: Evening parking").click()
    expect(bill).to_contain_text(f"2 {TIMES} $12.50")
    expect(total(shop)).to_have_text("$153.00")
    shop.get_by_role("button", name="One fewer: Evening parking").click()
    shop.get_by_role("button", name="One fewer: Evening parking").click()
    expect(total(shop)).to_have_text("$128.00")
    expect(shop.locator("#continue")).to_have_text("Continue without extras")
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    shop.get_by_role("link", name="Continue to payment").click()
    expect(total(shop)).to_have_text("$140.50")
    pay(shop)
    expect(shop.get_by_role("heading", level=1)).to_have_text("See you at the quay")
    expect(shop.get_by_text("Confirmed", exact=True)).to_be_visible()
    order = shop.url.rsplit("/", 1)[1]
    shop.get_by_role("link", name="Cancel Evening parking").click()
    shop.get_by_role("button", name="Yes, cancel it").click()
    expect(shop.get_by_text("Canceled", exact=True)).to_be_visible()

    [reserve] = demo.calls("reserve")
    [confirm] = demo.calls("confirm")
    [cancel] = demo.calls("cancel")
    [wanted] = reserve["body"]["items"]
    [granted] = reserve["answer"]["items"]
    [sold] = confirm["body"]["items"]
    assert wanted["cartItemId"].endswith(f":{PARKING}")
    assert wanted["quantity"] == 1
    assert confirm["body"]["orderId"] == order
    assert confirm["body"]["cartId"] == reserve["body"]["cartId"]
    assert sold["cartItemId"] == wanted["cartItemId"]
    assert sold["itemReservationId"] == granted["itemReservationId"]
    assert (sold["quantity"], Decimal(str(sold["unitPrice"]))) == (1, Decimal("12.50"))
    assert Decimal(str(sold["totalPrice"])) == Decimal("12.50")
    assert (sold["catalogItemId"], sold["currency"]) == (PARKING, "USD")
    assert cancel["body"] == {"itemReservationId": granted["itemReservationId"]}
    for call in (reserve, confirm, cancel):
        assert call["status"] == 200
        assert call["headers"]["rokt-api-key"] == "present"
        assert call["headers"]["content-type"] == "application/json"
        assert call["headers"]["accept"] == "application/json"
    [of_the_page] = {update["roktSessionId"] for update in updates}
    for call in (reserve, confirm):
        assert call["headers"]["rokt-session-id"] == of_the_page
        assert call["headers"]["rokt-tag-id"] == "emulator-tag"
        assert call["headers"]["accept-language"] == "en-US"
    assert "rokt-tag-id" not in cancel["headers"]
    assert "rokt-session-id" not in cancel["headers"]


def test_parking_that_is_held_stays_on_return_and_can_be_taken_out_of_the_order(
    demo: Demo, shop: Page
) -> None:
    to_extras(shop)
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    shop.reload()
    expect(shop.locator("#extras")).to_have_attribute("aria-busy", "false")
    expect(shop.locator("#sequence")).to_contain_text("This is not a removal")
    expect(total(shop)).to_have_text("$140.50")
    shop.get_by_role("button", name="Remove Evening parking").click()
    expect(total(shop)).to_have_text("$128.00")
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    shop.get_by_role("link", name="Cart").click()
    shop.get_by_role("button", name="Remove Evening parking").click()
    expect(total(shop)).to_have_text("$128.00")
    assert not demo.calls("reserve")


def test_a_linked_extra_follows_the_number_of_tickets_at_once(shop: Page) -> None:
    to_extras(shop, "3")
    add(shop, "Ticket protection")
    expect(shop.locator("#bill")).to_contain_text("$14.25")
    expect(shop.get_by_text("3 in your order")).to_be_visible()


def test_the_last_click_before_continue_is_not_lost(shop: Page) -> None:
    to_extras(shop)

    def late(route: Route) -> None:
        shop.wait_for_timeout(400)
        route.continue_()

    shop.route("**/rokt/cart/updates", late)
    add(shop)
    shop.locator("#continue").click()
    expect(shop.get_by_role("heading", level=1)).to_have_text("Payment")
    expect(total(shop)).to_have_text("$140.50")


def test_while_offers_load_the_shopper_sees_so_and_may_go_on(demo: Demo, shop: Page) -> None:
    shop.route("**/_emulator/offers", lambda _route: None)  # never answered
    shop.get_by_label("Stalls, number of tickets").select_option("2")
    shop.get_by_role("button", name="Add to cart").click()
    shop.get_by_role("button", name="Check out").click()
    expect(shop.get_by_text("Looking for extras for this evening…")).to_be_visible()
    shop.get_by_role("link", name="Continue without extras").click()
    expect(shop.get_by_role("heading", level=1)).to_have_text("Payment")


def test_when_the_sdk_does_not_come_the_page_says_so_and_goes_on(demo: Demo, shop: Page) -> None:
    shop.route("**/rokt-stand-in.js", lambda route: route.abort())
    shop.get_by_label("Stalls, number of tickets").select_option("2")
    shop.get_by_role("button", name="Add to cart").click()
    shop.get_by_role("button", name="Check out").click()
    expect(shop.get_by_text("The extras did not load")).to_be_visible(timeout=10_000)
    shop.get_by_role("link", name="Continue without extras").click()
    pay(shop)
    expect(shop.get_by_role("heading", level=1)).to_have_text("See you at the quay")


def test_a_pending_confirmation_shows_itself_when_it_comes(demo: Demo, shop: Page) -> None:
    to_extras(shop)
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    shop.get_by_role("link", name="Continue to payment").click()
    fill_card(shop)
    demo.rokt.faults("confirm", {"kind": "drop", "times": 2})
    shop.get_by_role("button", name=re.compile("^Pay ")).click()
    expect(shop.get_by_text("Being confirmed")).to_be_visible()
    expect(shop.get_by_text("Confirmed", exact=True)).to_be_visible(timeout=20_000)


def test_the_keyboard_alone_reaches_payment_and_pays(shop: Page) -> None:
    def tab_to(name: str) -> None:
        for _ in range(60):
            shop.keyboard.press("Tab")
            focused = shop.evaluate(
                """() => {
                  let one = document.activeElement;
                  while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
                  const label = one?.labels?.[0]?.textContent ?? "";
                  return [one?.getAttribute("aria-label"), label, one?.textContent].join(" ");
                }"""
            )
            if name in focused:
                return
        raise AssertionError(f"Tab never reached {name}")

    shop.keyboard.press("Tab")
    expect(shop.get_by_role("link", name="Skip to content")).to_be_focused()
    shop.keyboard.press("Enter")
    tab_to("Stalls, number of tickets")
    shop.keyboard.press("ArrowDown")
    tab_to("Add to cart")
    shop.keyboard.press("Enter")
    expect(shop.get_by_role("heading", level=1)).to_have_text("Your cart")
    tab_to("Check out")
    shop.keyboard.press("Enter")
    expect(shop.locator("#extras")).to_have_attribute("aria-busy", "false")
    tab_to("Evening parking")
    while "Add" not in shop.evaluate(
        """() => {
          let one = document.activeElement;
          while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
          return one?.textContent ?? "";
        }"""
    ):
        shop.keyboard.press("Tab")
    shop.keyboard.press("Enter")
    expect(total(shop)).to_have_text("$76.50")
    expect(shop.locator("#said")).to_contain_text(f"1 {TIMES} Evening parking")
    tab_to("Continue to payment")
    shop.keyboard.press("Enter")
    expect(shop.get_by_role("heading", level=1)).to_have_text("Payment")
    for label, field in (
        ("Email", "email"),
        ("Card number", "number"),
        ("Expiry", "expiry"),
        ("Security code", "cvc"),
        ("Name on card", "name"),
    ):
        tab_to(label)
        shop.keyboard.type(GOOD_CARD[field].replace(" ", "") if field != "name" else "Ada Marsh")
    expect(shop.get_by_label("Card number")).to_have_value("4242 4242 4242 4242")
    shop.keyboard.press("Enter")
    expect(shop.get_by_role("heading", level=1)).to_have_text("See you at the quay")


def test_back_from_payment_the_summary_has_the_price_that_rokt_locked(
    demo: Demo, shop: Page
) -> None:
    to_extras(shop)
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "unitPrice": 10.0}]})
    to_payment(shop)
    back_to_extras(shop)
    row = shop.locator(".bill__extra")
    expect(row.locator("dd")).to_have_text("$10.00")
    expect(total(shop)).to_have_text("$138.00")


def test_no_page_scrolls_sideways_on_a_phone_and_the_panel_stays_closed(
    demo: Demo, browser: Any
) -> None:
    context: BrowserContext = browser.new_context(viewport=PHONE, locale="en-US", has_touch=True)
    page = context.new_page()

    def check() -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], page.url
        expect(page.locator("#backstage")).to_be_hidden()

    page.goto(demo.url)
    check()
    page.get_by_role("button", name="Add to cart").click()
    expect(page.get_by_text("Please choose at least one ticket.")).to_be_visible()
    check()
    to_extras(page)
    check()
    add(page)
    expect(total(page)).to_have_text("$140.50")
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "unitPrice": 15.0}]})
    page.get_by_role("link", name="Continue to payment").click()
    expect(page.get_by_role("heading", name="Evening parking now costs more")).to_be_visible()
    check()
    page.get_by_role("button", name="Add it for $15.00").click()
    pay(page, "4000 0000 0000 0002")
    expect(page.get_by_role("heading", name="Your card was declined")).to_be_visible()
    check()
    pay(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("See you at the quay")
    check()
    page.get_by_role("button", name="Behind the scenes").click()
    expect(page.locator("#sequence")).to_contain_text("confirm")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for path in ("/cart", "/nothing-here"):
        page.goto(demo.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    page.goto(f"{demo.url}/timeline")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    context.close()


def test_the_timeline_shows_the_steps_live_and_across_pages(shop: Page) -> None:
    sequence = shop.locator("#sequence")
    to_extras(shop)
    add(shop)
    labels = sequence.locator("[data-part=label]")
    doubled = f"cart item message {TIMES}2"
    # Without a page change: the entries come by themselves.
    expect(labels).to_have_text(["placements/any", "selectPlacements", doubled, "cart/updates"])
    shop.get_by_role("link", name="Continue to payment").click()
    pay(shop)
    expect(labels).to_have_text(
        ["placements/any", "selectPlacements", doubled, "cart/updates", "reserve"]
        + [re.compile(text) for text in ("cart v", "paid", "confirm", ".*", ".*")]
    )
    steps = sequence.locator("[data-part=step]").all_text_contents()
    assert steps[:5] == ["1", "2", "3", "3", "4"]
    entry = sequence.locator("li", has=shop.get_by_text("reserve", exact=True))
    entry.locator("summary").click()
    expect(entry.locator("pre")).to_contain_text('"itemReservationId"')
    expect(entry.locator("pre")).to_contain_text("/v1/cart/reserve")


def test_a_switch_in_the_panel_changes_what_rokt_says_without_a_reload(shop: Page) -> None:
    to_extras(shop)
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    switch = shop.get_by_role("button", name="Stock runs out")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    shop.get_by_role("link", name="Continue to payment").click()
    expect(shop.get_by_role("heading", name="Evening parking has just sold out")).to_be_visible()
    expect(total(shop)).to_have_text("$128.00")
    shop.get_by_role("link", name="Change extras").click()
    expect(shop.locator("#notices")).to_have_text(
        "Evening parking was sold out when we last asked, so it is not in your order."
    )


def test_without_javascript_the_panel_is_a_link_to_a_page(demo: Demo, browser: Any) -> None:
    context: BrowserContext = browser.new_context(java_script_enabled=False, locale="en-US")
    page = context.new_page()
    page.goto(demo.url)
    page.get_by_label("Balcony, number of tickets").select_option("2")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("button", name="Check out").click()
    expect(page.get_by_text("Extras need JavaScript")).to_be_visible()
    page.get_by_role("link", name="Continue without extras").click()
    pay(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("See you at the quay")
    page.get_by_role("link", name=re.compile("^Behind the scenes")).click()
    expect(page.locator("#sequence")).to_contain_text("placements/any")
    context.close()
