"""The demo shop in a browser: what it says while it works, where the focus goes, how it looks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.support.demo_pages import (
    PHONE,
    TIMES,
    add,
    back_to_extras,
    fill_card,
    focused,
    pay,
    to_extras,
    to_payment,
    total,
)
from tests.support.demo_shop import PARKING, Demo, running_demo

pytestmark = pytest.mark.browser


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with running_demo(tmp_path) as running:
        yield running


@pytest.fixture
def shop(demo: Demo, page: Page) -> Iterator[Page]:
    """The ticket page; at the end nothing in the browser may have gone wrong."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(demo.url)
    yield page
    assert not problems


def lines(page: Page) -> float:
    """Add up the lines of the summary."""
    amounts = page.locator("#bill > div:not(.bill__total) dd").all_text_contents()
    return sum(float(amount.strip("$")) for amount in amounts)


# --- back on the extras page ---


def test_back_from_a_sell_out_the_total_is_that_of_the_lines(demo: Demo, shop: Page) -> None:
    to_extras(shop)
    add(shop)
    add(shop, "Ticket protection")
    expect(total(shop)).to_have_text("$150.00")
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "stock": 0}]})
    to_payment(shop)
    expect(total(shop)).to_have_text("$137.50")
    back_to_extras(shop)
    bill = shop.locator("#bill")
    expect(bill.get_by_role("button", name="Remove Ticket protection")).to_be_visible()
    expect(bill).not_to_contain_text("Evening parking")
    expect(total(shop)).to_have_text("$137.50")
    assert lines(shop) == 137.5
    expect(shop.locator("#already-names")).to_have_text(f"2 {TIMES} Ticket protection")


def test_on_return_what_is_held_is_named_and_adding_it_again_doubles_nothing(shop: Page) -> None:
    to_extras(shop)
    already = shop.locator("#already")
    expect(already).to_be_hidden()
    add(shop)
    shop.get_by_role("button", name="One more: Evening parking").click()
    expect(total(shop)).to_have_text("$153.00")
    expect(already).to_be_hidden()  # the placement itself shows it
    to_payment(shop)
    back_to_extras(shop)
    expect(already).to_contain_text(f"Already in your order: 2 {TIMES} Evening parking")
    expect(already).to_contain_text("its number changes. Nothing is added twice.")
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    expect(shop.locator("#bill")).to_contain_text(f"1 {TIMES} $12.50")
    expect(already).to_be_hidden()


def test_what_is_removed_is_no_longer_named_as_held(shop: Page) -> None:
    to_extras(shop)
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    shop.reload()
    expect(shop.locator("#already")).to_be_visible()
    shop.get_by_role("button", name="Remove Evening parking").click()
    expect(total(shop)).to_have_text("$128.00")
    expect(shop.locator("#already")).to_be_hidden()


# --- the focus ---


def test_after_a_removal_the_focus_goes_to_the_next_one_and_then_to_continue(shop: Page) -> None:
    to_extras(shop)
    for name in ("Evening parking", "Front-door parking", "Ticket protection"):
        add(shop, name)
        expect(shop.get_by_role("button", name=f"Remove {name}")).to_be_visible()
    for name, then in (
        ("Front-door parking", "BUTTON Remove Ticket protection"),
        ("Ticket protection", "BUTTON Remove Evening parking"),
        ("Evening parking", "A Continue without extras"),
    ):
        remove = shop.get_by_role("button", name=f"Remove {name}")
        remove.focus()
        shop.keyboard.press("Enter")
        expect(remove).to_have_count(0)
        assert focused(shop) == then


def test_a_change_elsewhere_leaves_the_focus_on_its_row(shop: Page) -> None:
    to_extras(shop)
    for name in ("Evening parking", "Front-door parking", "Ticket protection"):
        add(shop, name)
        expect(shop.get_by_role("button", name=f"Remove {name}")).to_be_visible()
    remove = shop.get_by_role("button", name="Remove Front-door parking")
    remove.focus()
    shop.get_by_role("button", name="One fewer: Evening parking").dispatch_event("click")
    expect(total(shop)).to_have_text("$161.50")
    expect(remove).to_be_focused()


def test_closed_offers_leave_words_and_a_way_back(shop: Page) -> None:
    to_extras(shop)
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    shop.get_by_role("button", name="Close offers").press("Enter")
    expect(shop.get_by_role("heading", name="You closed the offers")).to_be_focused()
    expect(total(shop)).to_have_text("$140.50")
    shop.get_by_role("link", name="Show them again").click()
    expect(shop.get_by_role("button", name=re.compile("^Add.*Evening parking"))).to_be_visible()
    expect(shop.locator("#already")).to_contain_text("Evening parking")


# --- waiting, and pressing twice ---


# A page that is about to be left answers nothing more: what it shows is read with the press. The
# second one comes when the first is on its way; of two at once the browser itself drops one.
PRESS_TWICE = """(element) => {
  element.click();
  setTimeout(() => element.click(), 300);
  const words = document.querySelector("#waiting-words");
  return [element.textContent, element.ariaBusy, words.textContent];
}"""


def test_waiting_for_the_hold_has_words(demo: Demo, shop: Page) -> None:
    to_extras(shop)
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    loads: list[str] = []
    shop.on("request", lambda sent: loads.append(sent.url) if "/payment" in sent.url else None)
    demo.rokt.faults("reserve", {"kind": "delay", "seconds": 1.5, "times": 1})
    said = "Holding your evening parking…"
    assert shop.locator("#continue").evaluate(PRESS_TWICE) == [said, "true", said]
    expect(shop.get_by_role("heading", level=1)).to_have_text("Payment")
    assert len([url for url in loads if url.endswith("/payment")]) == 1


def test_the_words_come_while_the_last_change_is_still_on_its_way(shop: Page) -> None:
    to_extras(shop)
    on_its_way: list[Route] = []
    shop.route("**/rokt/cart/updates", lambda route: on_its_way.append(route))
    add(shop)
    while not on_its_way:
        shop.wait_for_timeout(10)
    button = shop.locator("#continue")
    button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    for route in on_its_way:
        route.continue_()
    expect(shop.get_by_role("heading", level=1)).to_have_text("Payment")
    expect(total(shop)).to_have_text("$140.50")


def test_paying_has_words_and_is_posted_once(demo: Demo, shop: Page) -> None:
    to_extras(shop)
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    to_payment(shop)
    fill_card(shop)
    posts: list[str] = []
    shop.on("request", lambda sent: posts.append(sent.url) if sent.url.endswith("/pay") else None)
    demo.rokt.faults("confirm", {"kind": "delay", "seconds": 1.5, "times": 1})
    button = shop.get_by_role("button", name=re.compile("^Pay"))
    assert button.evaluate(PRESS_TWICE) == ["Paying…", "true", "Paying…"]
    expect(shop.get_by_role("heading", level=1)).to_have_text("See you at the quay")
    assert len(posts) == 1


# --- words ---


def test_the_payment_page_counts_down_in_minutes_and_seconds(shop: Page) -> None:
    to_extras(shop)
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    to_payment(shop)
    expect(shop.locator("#held-until")).to_have_text(
        re.compile(r"^Your extras are held for another\s+\d:\d\d\.$")
    )


def test_the_time_that_is_left_is_the_server_s_whatever_the_device_s_clock_says(
    shop: Page,
) -> None:
    shop.clock.install(time="2031-01-01T10:00:00Z")
    to_extras(shop)
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    to_payment(shop)
    expect(shop.locator("#held-until")).to_have_text(re.compile(r"for another\s+9:\d\d\.$"))
    shop.clock.fast_forward("11:00")
    expect(shop.locator("#held-until")).to_have_text(
        "The hold on your extras has run out. We look again when you pay."
    )


def test_extras_that_did_not_load_promise_nothing_and_can_be_tried_again(shop: Page) -> None:
    shop.route("**/_emulator/offers", lambda route: route.abort())
    to_extras(shop)
    expect(shop.get_by_role("heading", name="The extras did not load")).to_be_visible()
    expect(shop.get_by_text("Optional, and yours to change")).to_be_hidden()
    shop.unroute("**/_emulator/offers")
    shop.get_by_role("link", name="Try again").click()
    expect(shop.get_by_role("button", name=re.compile("^Add.*Evening parking"))).to_be_visible()
    expect(shop.get_by_text("Optional, and yours to change")).to_be_visible()


def test_a_refused_change_is_said_once_in_the_page_s_own_words(shop: Page) -> None:
    to_extras(shop)
    shop.evaluate(
        """() => {
          window.said = [];
          new MutationObserver((records) => {
            for (const { addedNodes } of records) said.push(...addedNodes);
          }).observe(document.querySelector("#notices"), { childList: true });
        }"""
    )
    problem = {"title": "No", "status": 422, "code": "invalid", "detail": "No."}
    shop.route("**/rokt/cart/updates", lambda route: route.fulfill(status=422, json=problem))
    add(shop)
    expect(shop.locator("#notices")).to_have_text(
        "That change could not be made. Your order is as shown in the summary."
    )
    expect(total(shop)).to_have_text("$128.00")
    assert shop.evaluate("said.length") == 1


def test_without_javascript_the_extras_page_says_so_quietly(demo: Demo, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-US")
    page = context.new_page()
    page.goto(demo.url)
    page.get_by_label("Stalls, number of tickets").select_option("2")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("button", name="Check out").click()
    expect(page.get_by_text("Extras need JavaScript")).to_be_visible()
    expect(page.get_by_text("Optional, and yours to change")).to_be_hidden()
    context.close()


# --- the panel ---


def test_on_a_phone_the_panel_comes_into_view_when_it_opens(demo: Demo, browser: Browser) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-US", reduced_motion="reduce")
    page = context.new_page()
    page.goto(demo.url)
    toggle = page.get_by_role("button", name="Behind the scenes")
    toggle.click()
    expect(page.locator("#backstage")).to_be_in_viewport(ratio=0.3)
    top = toggle.bounding_box()
    assert top is not None
    assert top["y"] < PHONE["height"] / 2
    context.close()


def test_the_panel_s_ground_is_as_long_as_the_page(shop: Page) -> None:
    shop.set_viewport_size({"width": 1280, "height": 400})
    to_extras(shop)
    page_height = shop.evaluate("document.documentElement.scrollHeight")
    assert page_height > 600
    panel = shop.locator(".backstage--panel").bounding_box()
    assert panel is not None
    assert panel["height"] >= page_height - 1
    shop.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(shop.get_by_role("button", name="Behind the scenes")).to_be_in_viewport()


def test_beside_the_shop_the_panel_s_arrow_points_to_the_sides(shop: Page) -> None:
    toggle = shop.get_by_role("button", name="Behind the scenes")
    arrow = "(button) => getComputedStyle(button, '::after').rotate"
    assert toggle.evaluate(arrow) == "-45deg"  # the corner of a square: to the right
    toggle.click()
    assert toggle.evaluate(arrow) == "135deg"


def test_what_stands_on_an_arrow_keeps_clear_of_both_lifelines(demo: Demo, shop: Page) -> None:
    to_extras(shop)
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    demo.rokt.faults("reserve", {"kind": "drop", "times": None})
    to_payment(shop)
    answers = shop.locator(".entry--bff-rokt [data-part=response]")
    expect(answers.last).to_contain_text("no response")
    for width in (1280, PHONE["width"]):
        shop.set_viewport_size({"width": width, "height": 900})
        gaps = answers.evaluate_all(
            """(all) => all.map((text) => {
              const range = document.createRange();
              range.selectNodeContents(text);
              const drawn = range.getBoundingClientRect();
              const wire = text.parentElement.getBoundingClientRect();
              return Math.min(drawn.left - wire.left, wire.right - drawn.right);
            })"""
        )
        assert min(gaps) >= 3, (width, gaps)


# --- contrast ---

CONTRAST = """(element, [property, over]) => {
  const channels = (color) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
  };
  const light = (color) => {
    const [red, green, blue] = channels(color);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
  };
  const ground = getComputedStyle(over ? element.closest(over) : element).backgroundColor;
  const pair = [light(getComputedStyle(element)[property]), light(ground)];
  return Math.max(...pair) / Math.min(...pair);
}"""


def contrast(element: Locator, name: str, over: str = "") -> float:
    ratio: float = element.evaluate(CONTRAST, [name, over])
    return ratio


def test_controls_stand_out_from_their_ground(shop: Page) -> None:
    to_extras(shop)
    assert contrast(shop.locator(".stepper").first, "borderTopColor", ".card") >= 3
    less = shop.get_by_role("button", name="One fewer: Evening parking")
    expect(less).to_have_attribute("aria-disabled", "true")
    assert contrast(less, "color", ".card") >= 3
    assert contrast(shop.locator(".control").first, "borderTopColor", ".backstage") >= 3
    shop.get_by_role("button", name="Close offers").click()
    quiet = shop.get_by_role("link", name="Show them again")
    assert contrast(quiet, "borderTopColor") >= 3


def test_a_canceled_extra_s_price_is_struck_through(shop: Page) -> None:
    to_extras(shop)
    add(shop)
    expect(total(shop)).to_have_text("$140.50")
    to_payment(shop)
    pay(shop)
    shop.get_by_role("link", name="Cancel Evening parking").click()
    shop.get_by_role("button", name="Yes, cancel it").click()
    struck = shop.locator("#order-extras del")
    expect(struck).to_have_text("$12.50")
    assert "line-through" in struck.evaluate("(one) => getComputedStyle(one).textDecorationLine")
