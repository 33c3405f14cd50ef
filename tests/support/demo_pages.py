"""The demo shop's pages in a browser: what a shopper does on them."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, ViewportSize, expect

from tests.support.browser import ON_PURPOSE
from tests.support.demo_shop import GOOD_CARD

TIMES = "\N{MULTIPLICATION SIGN}"
PHONE: ViewportSize = {"width": 390, "height": 844}


def to_extras(page: Page, tickets: str = "2") -> None:
    page.get_by_label("Stalls, number of tickets").select_option(tickets)
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("button", name="Check out").click()
    expect(page.locator("#extras")).to_have_attribute("aria-busy", "false")


def add(page: Page, name: str = "Evening parking") -> None:
    page.get_by_role("button", name=re.compile(f"^Add.*{name}")).click()


def total(page: Page) -> Any:
    return page.locator(".bill__total dd")


def fill_card(page: Page, number: str = GOOD_CARD["number"]) -> None:
    for label, value in (
        ("Email", GOOD_CARD["email"]),
        ("Card number", number),
        ("Expiry", GOOD_CARD["expiry"]),
        ("Security code", GOOD_CARD["cvc"]),
        ("Name on card", GOOD_CARD["name"]),
    ):
        page.get_by_label(label).fill(value)


def pay(page: Page, number: str = GOOD_CARD["number"]) -> None:
    fill_card(page, number)
    page.get_by_role("button", name=re.compile("^Pay ")).click()


def to_payment(page: Page) -> None:
    page.locator("#continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Payment")


def back_to_extras(page: Page) -> None:
    page.get_by_role("link", name="Change extras").click()
    expect(page.locator("#extras")).to_have_attribute("aria-busy", "false")


def focused(page: Page) -> str:
    """Name what has the focus, by its text."""
    found: str = page.evaluate(
        "document.activeElement.tagName + ' ' + document.activeElement.textContent"
    )
    return found


BREAK = """(word) => {
  window.policyWord = word;
  try { document.body.innerHTML = "<p>"; } catch {}
}"""


def break_policy(page: Page) -> None:
    """Do what the policy forbids, so that a test knows that it would have been seen."""
    with page.expect_console_message(lambda said: ON_PURPOSE in said.text):
        page.evaluate(BREAK, ON_PURPOSE)
