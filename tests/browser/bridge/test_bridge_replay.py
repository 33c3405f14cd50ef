"""The recorded messages of the real renderer, through the real bridge into the real BFF.

Each scenario is said again in a browser, message by message, step by step. After each step the
database must hold the cart that the messages describe, and the page must have heard so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.pages.site import ORIGINS, Site, running_site
from tests.browser.pages.tab import Tab, watch_page
from tests.browser.stand_in.recording import RECORDING, SHORT_FORM, scenarios

pytestmark = pytest.mark.browser

# The two say the same (tests/browser/stand_in/test_recording.py).
# A clone on its own has the short form only.
RECORDED = scenarios(RECORDING if RECORDING.exists() else SHORT_FORM)
RETURN = "next visit: the cart item ids change"

# Scenario to what is held at its end, read off the steps' names.
ENDS = {
    "shopper": {"parking-linked": 1, "poster-nocurrency": 3, "insurance-sync": 10},
    "partner": {"parking-standard": 2},
    "preselected": {"sticker-float": 1},
    RETURN: {"parking-standard": 2},
    "the layout mounts the offer anew (breakpoint change)": {},
}

CHANGE = "V2_CART_ITEM_UPDATED"

Held = dict[str, tuple[str, int]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    # The renderer says "$" of an item without a currency.
    with running_site(tmp_path_factory.mktemp("site"), default_currency="USD") as site:
        yield site


@pytest.fixture
def site(running: Site) -> Site:
    running.forget()
    return running


def described(held: Held, both: dict[str, Any]) -> Held:
    """The cart after one message: cart item id to catalogue item and quantity.

    What the updated item says counts; of the old one the id alone. A fraction is refused, and an
    item whose id is new on a return takes the place of the line that the last visit left. Quantity
    0 of nothing in the catalogue is "not here", which removes nothing.
    """
    updated, old = both["cartItem"], both["oldCartItem"]
    if not updated and not old:
        return held
    gone: str = (updated or old)["cartItemId"]
    if updated and (updated["quantity"] % 1 or not updated["catalogItemId"]):
        return held
    kept = {one: line for one, line in held.items() if one != gone}
    if not updated:
        return kept
    name = updated["catalogItemId"]
    kept = {one: line for one, line in kept.items() if line[0] != name}
    return {**kept, gone: (name, updated["quantity"])}


def replay(tab: Tab, steps: list[dict[str, Any]], held: Held) -> Held:
    for step in steps:
        said = [one for one in step["messages"] if one["direction"] == "placement->partner"]
        sent = len(tab.updates)
        tab.page.evaluate("(messages) => selection.say(messages)", said)
        for message in said:
            if "CART_ITEM" in message["name"]:
                held = described(held, message["body"])
        lines = {one.cart_item_id: (one.catalog_item_id, one.quantity) for one in tab.site.lines()}
        assert lines == held, f"after “{step['step']}”"
        assert (tab.cart() or {}) == dict(held.values()), f"after “{step['step']}”"
        # Each change is told twice, under its two names.
        changes = [one for one in said if one["name"] == CHANGE and any(one["body"].values())]
        assert len(tab.updates) - sent <= len(changes), f"sent twice after “{step['step']}”"
    return held


@pytest.mark.parametrize("kind", ORIGINS)
@pytest.mark.parametrize("scenario", ENDS)
def test_leaves_exactly_the_cart_that_the_messages_describe(
    site: Site, page: Page, kind: str, scenario: str
) -> None:
    problems = watch_page(page)
    tab = Tab(page, site, kind)
    held: Held = {}
    for name in ("partner", RETURN) if scenario == RETURN else (scenario,):
        page.goto(f"{site.origin(kind)}/?sdk=recorded")
        page.wait_for_selector("html[data-page=running]", state="attached")
        held = replay(tab, RECORDED[name], held)
    assert site.held() == ENDS[scenario]
    changes = len(tab.updates)
    page.reload()
    page.wait_for_selector("html[data-page=running]", state="attached")
    page.evaluate("bridge.refresh()")
    assert len(tab.updates) == changes, "nothing was left unsent"
    assert tab.cart() == ENDS[scenario]
    assert not problems


def test_every_recorded_scenario_is_replayed_here() -> None:
    assert set(RECORDED) == set(ENDS)
