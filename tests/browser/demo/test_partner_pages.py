"""The partner's pages in a browser: another origin, and a handle in place of any cookie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests import TOP
from tests.support.browser import ARGUMENTS, PATIENCE_MS, find_chromium
from tests.support.demo_pages import PHONE, TIMES, add, break_policy
from tests.support.demo_shop import PARKING, Demo, running_demo

pytestmark = pytest.mark.browser

HANDLE = "localStorage.getItem(Object.keys(localStorage)[0])"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with running_demo(tmp_path, partner=True) as running:
        yield running


def to_checkout(demo: Demo, page: Page, seats: str = "2") -> None:
    page.goto(demo.partner)
    page.get_by_label("Seat", exact=True).select_option(seats)
    page.get_by_role("button", name="Book seats").click()
    ready(page)


def ready(page: Page) -> None:
    """Wait until the offers are drawn."""
    expect(page.get_by_role("button", name=re.compile("^Add.*Evening parking"))).to_be_visible()


def total(page: Page) -> Any:
    return page.locator("#total")


def to_payment(page: Page) -> None:
    page.locator("#continue").click()
    expect(page.get_by_role("heading", name="Your details")).to_be_focused()


def pay(page: Page, amount: str) -> None:
    page.get_by_label("Name").fill("Ada Marsh")
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_role("button", name=f"Pay {amount}").click()
    expect(page.get_by_role("heading", name="You are booked")).to_be_visible()


def buy_and_cancel(demo: Demo, page: Page) -> None:
    to_checkout(demo, page)
    add(page)
    expect(total(page)).to_have_text("$68.50")
    page.get_by_role("button", name="One more: Evening parking").click()
    expect(total(page)).to_have_text("$81.00")
    page.get_by_role("button", name="One fewer: Evening parking").click()
    expect(total(page)).to_have_text("$68.50")
    to_payment(page)
    expect(total(page)).to_have_text("$68.50")
    expect(page.locator("#until")).to_contain_text("held for you until")
    pay(page, "$68.50")
    expect(page.get_by_text("Confirmed", exact=True)).to_be_visible()
    page.get_by_text("Cancel", exact=False).locator("visible=true").first.click()
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.get_by_text("Canceled", exact=True)).to_be_visible()
    expect(page.locator(".bill__total dd")).to_have_text("$56.00")


def exactly_one_of_each(demo: Demo) -> None:
    """The emulator's journal holds one whole purchase of one parking, and its cancel."""
    [reserve], [confirm], [cancel] = (demo.calls(name) for name in ("reserve", "confirm", "cancel"))
    [wanted], [granted] = reserve["body"]["items"], reserve["answer"]["items"]
    [sold] = confirm["body"]["items"]
    assert wanted["cartItemId"].endswith(f":{PARKING}")
    assert sold["cartItemId"] == wanted["cartItemId"]
    assert sold["itemReservationId"] == granted["itemReservationId"]
    assert (sold["quantity"], Decimal(str(sold["unitPrice"]))) == (1, Decimal("12.50"))
    assert confirm["body"]["orderId"].startswith("RW-")
    assert cancel["body"] == {"itemReservationId": granted["itemReservationId"]}
    assert {call["status"] for call in (reserve, confirm, cancel)} == {200}


def test_the_whole_journey_with_a_handle_and_no_cookie_breaks_no_rule_of_the_policy(
    demo: Demo, context: BrowserContext, page: Page
) -> None:
    page.goto(demo.url)  # the shop's own cookie is there, and must stay out of it
    assert context.cookies()
    sent: list[dict[str, str]] = []

    def note(request: Request) -> None:
        if request.url.startswith((f"{demo.url}/rokt/", demo.partner)):
            sent.append({"url": request.url, "method": request.method, **request.all_headers()})

    context.on("requestfinished", note)
    buy_and_cancel(demo, page)
    exactly_one_of_each(demo)
    assert all("cookie" not in headers for headers in sent)
    calls = [one for one in sent if "/rokt/cart" in one["url"] and one["method"] != "OPTIONS"]
    assert len(calls) >= 4
    assert all(one["authorization"].startswith("Bearer ") for one in calls)
    assert {cookie["domain"] for cookie in context.cookies()} == {"127.0.0.1"}
    assert {cookie["name"] for cookie in context.cookies()} == {"quayside"}
    break_policy(page)  # is noticed; that nothing else did, the context's end says


def test_it_works_where_third_party_cookies_are_blocked(demo: Demo, browser: Browser) -> None:
    started = browser.browser_type.launch(
        executable_path=find_chromium(),
        args=[*ARGUMENTS, "--test-third-party-cookie-phaseout"],
    )
    context = started.new_context(viewport=PHONE, locale="en-US")
    context.set_default_timeout(PATIENCE_MS)
    try:
        buy_and_cancel(demo, context.new_page())
    finally:
        started.close()
    exactly_one_of_each(demo)


def test_what_was_added_survives_a_reload_and_can_be_taken_out_of_the_order(
    demo: Demo, page: Page
) -> None:
    to_checkout(demo, page)
    add(page)
    expect(total(page)).to_have_text("$68.50")
    handle = page.evaluate(HANDLE)
    page.reload()
    ready(page)
    expect(total(page)).to_have_text("$68.50")
    assert page.evaluate(HANDLE) == handle
    page.get_by_role("button", name="Remove Evening parking").click()
    expect(total(page)).to_have_text("$56.00")
    expect(page.locator("#continue")).to_have_text("Continue without extras")
    to_payment(page)
    pay(page, "$56.00")
    assert not demo.calls("reserve")


def test_an_extra_that_is_one_for_every_ticket_follows_the_seats(demo: Demo, page: Page) -> None:
    to_checkout(demo, page, "3")
    add(page, "Ticket protection")
    expect(page.locator("#bill")).to_contain_text(f"3 {TIMES} $4.75")
    expect(page.get_by_text("3 in your order")).to_be_visible()
    expect(total(page)).to_have_text("$98.25")


def test_sold_out_and_dearer_are_told_before_anything_is_paid(demo: Demo, page: Page) -> None:
    to_checkout(demo, page)
    add(page)
    add(page, "Front-door parking")
    expect(total(page)).to_have_text("$92.50")
    items = [
        {"catalogItemId": PARKING, "stock": 0},
        {"catalogItemId": "parking.front", "unitPrice": 29.0},
    ]
    demo.rokt.put("catalog", {"items": items})
    to_payment(page)
    expect(page.get_by_role("heading", name="Evening parking has just sold out")).to_be_visible()
    expect(page.get_by_role("heading", name="Front-door parking now costs more")).to_be_visible()
    expect(total(page)).to_have_text("$56.00")
    page.get_by_role("button", name="Change extras").click()
    expect(page.locator("#notices")).to_contain_text("Evening parking is sold out.")
    to_payment(page)
    page.get_by_role("button", name="Add it for $29.00").click()
    expect(total(page)).to_have_text("$85.00")
    pay(page, "$85.00")
    expect(page.get_by_text("Confirmed", exact=True)).to_be_visible()
    [confirm] = demo.calls("confirm")
    assert [one["catalogItemId"] for one in confirm["body"]["items"]] == ["parking.front"]


def test_when_the_price_rises_while_the_page_is_open_nothing_is_charged(
    demo: Demo, page: Page
) -> None:
    to_checkout(demo, page)
    add(page)
    expect(total(page)).to_have_text("$68.50")
    to_payment(page)
    other = page.context.new_page()
    other.goto(f"{demo.partner}/checkout?seat=2")
    ready(other)
    add(other, "Front-door parking")
    expect(total(other)).to_have_text("$92.50")
    page.get_by_label("Name").fill("Ada Marsh")
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_role("button", name="Pay $68.50").click()
    expect(page.get_by_role("heading", name="Your total has changed")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("Ada Marsh")
    expect(total(page)).to_have_text("$92.50")
    assert not demo.calls("confirm")
    pay(page, "$92.50")


def test_with_the_bff_down_the_page_says_so_and_sells_its_seats(demo: Demo, page: Page) -> None:
    page.route(f"{demo.url}/**", lambda route: route.abort())
    page.goto(f"{demo.partner}/checkout?seat=2")
    expect(page.get_by_text("Extras are not available just now")).to_be_visible()
    pay(page, "$56.00")


def test_with_the_bff_gone_in_between_nothing_of_the_extras_is_in_the_total(
    demo: Demo, page: Page
) -> None:
    to_checkout(demo, page)
    add(page)
    expect(total(page)).to_have_text("$68.50")
    page.route(f"{demo.url}/**", lambda route: route.abort())
    page.locator("#continue").click()
    expect(page.get_by_text("Your extras could not be held just now")).to_be_visible()
    expect(total(page)).to_have_text("$56.00")
    page.unroute(f"{demo.url}/**")
    page.get_by_role("button", name="Try again").click()
    expect(total(page)).to_have_text("$68.50")
    expect(page.get_by_text("could not be held")).to_be_hidden()


def test_while_the_hold_is_made_and_offers_load_the_page_says_so(demo: Demo, page: Page) -> None:
    page.route("**/_emulator/offers", lambda _route: None)  # never answered
    page.goto(f"{demo.partner}/checkout?seat=2")
    expect(page.get_by_text("Looking for extras…")).to_be_visible()
    page.unroute("**/_emulator/offers")
    page.reload()
    ready(page)
    add(page)
    expect(total(page)).to_have_text("$68.50")
    demo.rokt.faults("reserve", {"kind": "delay", "seconds": 1.5})
    page.locator("#continue").click()
    expect(page.locator("#continue")).to_have_text("Holding your extras…")
    expect(page.get_by_role("heading", name="Your details")).to_be_focused()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_nothing_scrolls_sideways_on_a_phone_and_without_scripts_seats_are_sold(
    demo: Demo, browser: Browser, scripts: bool
) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-US", java_script_enabled=scripts)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()

    def check() -> None:
        if scripts:
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    page.goto(demo.partner)
    check()
    page.get_by_label("Seat", exact=True).select_option("2")
    page.get_by_role("button", name="Book seats").click()
    if scripts:
        ready(page)
        add(page)
        expect(total(page)).to_have_text("$68.50")
        check()
        to_payment(page)
        check()
    else:
        expect(page.get_by_text("Extras, such as parking, need JavaScript")).to_be_visible()
    pay(page, "$68.50" if scripts else "$56.00")
    check()
    page.goto(f"{demo.partner}/nothing-here")
    check()
    context.close()


def test_the_timeline_of_the_partner_s_page_shows_its_calls_and_no_other_does(
    demo: Demo, page: Page
) -> None:
    page.goto(demo.url)
    more = page.get_by_role("link", name="on another origin")
    expect(more).to_have_attribute("href", demo.partner)
    to_checkout(demo, page)
    add(page)
    expect(total(page)).to_have_text("$68.50")
    to_payment(page)
    pay(page, "$68.50")
    page.get_by_role("link", name="What goes on behind this page").click()
    labels = page.locator("#sequence [data-part=label]")
    expect(labels).to_have_text(
        ["cart/updates", "reserve", re.compile("cart v"), "confirm", re.compile("cart v")]
    )
    page.get_by_role("link", name="Back to the partner").click()
    expect(page).to_have_url(f"{demo.partner}/")
    page.goto(f"{demo.url}/timeline")
    expect(labels).to_have_count(0)


def test_the_styles_have_no_rule_for_what_is_nowhere() -> None:
    top = TOP
    sources = [
        path.read_text()
        for folder, kind in (("templates/demo/partner", "*.html"), ("static/demo/partner", "*.js"))
        for path in (top / folder).glob(kind)
    ]
    css = "".join(sheet.read_text() for sheet in (top / "static/demo/partner").glob("*.css"))
    bare = re.sub(r"/\*.*?\*/|\{[^{}]*\}", " ", css, flags=re.DOTALL)
    for name in re.findall(r"\.([a-z][\w-]*)", bare):
        is_used = any(name in source for source in sources)
        assert is_used or name.startswith(("state--", "message--")), name
