"""The demo's pages keep to their strict policy all through a purchase; the timeline hears all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.demo_pages import (
    TIMES,
    add,
    back_to_extras,
    break_policy,
    pay,
    to_extras,
    to_payment,
    total,
)
from tests.support.demo_shop import Demo, running_demo

pytestmark = pytest.mark.browser


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with running_demo(tmp_path) as running:
        yield running


def test_the_shop_s_whole_journey_breaks_no_rule_of_its_policy(
    demo: Demo, context: BrowserContext, page: Page
) -> None:
    page.goto(demo.url)
    to_extras(page)
    add(page)
    expect(total(page)).to_have_text("$140.50")
    page.set_viewport_size({"width": 390, "height": 844})  # the placement is drawn anew
    page.get_by_role("button", name="One more: Evening parking").click()
    expect(total(page)).to_have_text("$153.00")
    demo.rokt.put("catalog", {"items": [{"catalogItemId": "parking.quay", "unitPrice": 15.0}]})
    to_payment(page)
    page.get_by_role("button", name="Add it for $30.00").click()
    back_to_extras(page)
    to_payment(page)
    pay(page, "4000 0000 0000 0002")
    expect(page.get_by_role("heading", name="Your card was declined")).to_be_visible()
    pay(page)
    expect(page.get_by_text("Confirmed", exact=True)).to_be_visible()
    page.get_by_role("link", name="Cancel Evening parking").click()
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.get_by_text("Canceled", exact=True)).to_be_visible()
    for path in ("/timeline", "/nothing-here", "/cart"):
        page.goto(demo.url + path)
    break_policy(page)  # is noticed; that nothing else did, the context's end says


def test_the_timeline_shows_what_the_bridge_asks_of_the_placement(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    to_extras(page)
    add(page, "Ticket protection")  # one for every ticket: the shop makes two of it
    asked = page.locator("#sequence li", has=page.get_by_text("update cart item", exact=True))
    expect(asked).to_contain_text(
        f"The bridge asks the placement to show 2 {TIMES} Ticket protection"
    )
    asked.locator("summary").click()
    expect(asked.locator("pre")).to_contain_text('"V2_UPDATE_CART_ITEM"')
    expect(asked.locator("pre")).to_contain_text('"quantity": 2')


def test_the_timeline_shows_the_shopper_s_answers_to_offers(demo: Demo, page: Page) -> None:
    page.add_init_script(
        """new MutationObserver(() =>
          document.getElementById("rokt-launcher")?.setAttribute("data-layout", "partner-event")
        ).observe(document, { childList: true, subtree: true });"""
    )  # offers with one button, which Rokt can choose to draw
    page.goto(demo.url)
    to_extras(page)
    add(page)
    sequence = page.locator("#sequence")
    for label, caption in (
        ("offer engagement", "The shopper answered an offer"),
        ("positive engagement", "The answer was yes"),
    ):
        entry = sequence.locator("li", has=page.get_by_text(label, exact=True))
        expect(entry).to_contain_text(caption)


def test_the_messages_of_the_thanks_page_have_captions_too(demo: Demo) -> None:
    shopper = demo.shopper()
    token = shopper.page.form("/cart")["csrf_token"]
    for name in (
        "CART_ITEM_INSTANT_PURCHASE",
        "CART_ITEM_INSTANT_PURCHASE_RESPONSE",
        "UPSERT_ALERT",
        "DELETE_ALERT",
    ):
        told = shopper.http.post(
            f"{demo.url}/timeline/sdk",
            json={"name": name},
            headers={"X-CSRFToken": token},
            timeout=60,
        )
        assert told.status_code == 204
    entries = shopper.http.get(f"{demo.url}/timeline?after=0", timeout=60).json()["entries"]
    assert len(entries) == 4
    assert all(entry["caption"].endswith(".") for entry in entries)
    shopper.close()
