"""The stand-in against a recording of the real renderer: every scenario, every step, word for word.

`data/sdk-events.json` is the recording in short form. Each step is done again here in a real
browser, and what is said must be the same: names, order, bodies, and silence where there was
silence. Cart item ids are those of the recording because the test site hands them out so.
"""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from playwright.sync_api import Page

from tests.browser.stand_in.checkout import NARROW, WIDE, Checkout, cart_item_id
from tests.browser.stand_in.recording import RECORDING, SHORT_FORM, scenarios
from tests.browser.stand_in.site import serve

Step = Callable[[Checkout], object]


def test_the_short_form_says_what_the_recording_says() -> None:
    # A clone on its own has the short form only; beside the recording the two must agree.
    recorded = scenarios(RECORDING if RECORDING.exists() else SHORT_FORM)
    assert scenarios() == recorded
    assert len(recorded) == 5
    assert sum(len(steps) for steps in recorded.values()) == 62


# ---- How each step is done -------------------------------------------------------------------


def press(kind: str, catalog_item_id: str = "parking-standard") -> Step:
    return lambda checkout: checkout.press(kind, catalog_item_id)


def fill(text: str, catalog_item_id: str = "parking-standard") -> Step:
    return lambda checkout: checkout.fill(text, catalog_item_id)


def keys(text: str, catalog_item_id: str = "parking-standard") -> Step:
    return lambda checkout: checkout.type(text, catalog_item_id)


def ask(*quantities: object, cart_item: str = cart_item_id(1), **more: object) -> Step:
    bodies = [{"cartItemId": cart_item, "quantity": quantity, **more} for quantity in quantities]
    return lambda checkout: checkout.send(*bodies)


def each(*steps: Step) -> Step:
    def all_of_them(checkout: Checkout) -> None:
        for step in steps:
            step(checkout)

    return all_of_them


STEPS: dict[str, Step] = {
    "add 1 (+)": press("more"),
    "increase to 2 (+)": press("more"),
    "increase to 3 (+)": press("more"),
    "decrease to 2 (-)": press("less"),
    "decrease to 1 (-)": press("less"),
    "remove (- to 0)": press("less"),
    "add again after the removal (+)": press("more"),
    "type 3": fill("3"),
    "press the Add button (CatalogResponseButton) while 3 are in the cart": press("add"),
    "press the Add button again at 1": press("add"),
    "type 4 (the maximum)": fill("4"),
    "type 5 (over the maximum)": fill("5"),
    "type 2.5": fill("2.5"),
    "clear the field": fill(""),
    "keystrokes 2 . 5": keys("2.5"),
    "fast clicks: - - +": each(press("less"), press("less"), press("more")),
    "linkedProductId: add 1": press("more", "parking-linked"),
    "quantityMustBeSynchronized: add 1": press("more", "insurance-sync"),
    "no currency: add 1": press("more", "poster-nocurrency"),
    "float price: type 3 (0.1 x 3)": fill("3", "sticker-float"),
    "float price: remove": fill("0", "sticker-float"),
    "no currency: type 3 (9.99 x 3)": fill("3", "poster-nocurrency"),
    "keystrokes 1 0 on the item with max 10 (it has 1), first emptied": each(
        fill("", "insurance-sync"), keys("10", "insurance-sync")
    ),
    "valid: quantity 2 on an item that is not in the cart": ask(2),
    "valid: quantity 1": ask(1),
    "the same quantity again": ask(1),
    "over the maximum: 99": ask(99),
    "unknown id: made-up": ask(1, cart_item="made-up"),
    "stale id: the same item on another visit, quantity 1": ask(1, cart_item=cart_item_id(7)),
    "stale id, quantity 0": ask(0, cart_item=cart_item_id(7)),
    "valid: quantity 0 (removal)": ask(0),
    "quantity 0 again": ask(0),
    "negative: -1": ask(-1),
    "fraction: 1.5": ask(1.5),
    "fraction: 0.5 (after 1.5)": ask(0.5),
    "fraction: 0.5 on an empty item": ask(0.5),
    'string quantity "2"': ask("2"),
    "NaN": ask(float("nan")),
    "a whole cart item (has unitPrice)": ask(2, unitPrice=12.5),
    "no body": lambda checkout: checkout.send(None),
    "catalogItemId in place of cartItemId": ask(2, cart_item="parking-standard"),
    "V1 name from the partner: UPDATE_CART_ITEM_MESSAGE": lambda checkout: checkout.send(
        {"cartItemId": cart_item_id(1), "quantity": 2}, name="UPDATE_CART_ITEM_MESSAGE"
    ),
    "valid again after the bad ones: quantity 3": ask(3),
    "two updates in one task: 1, then 2": ask(1, 2),
    "shopper + then partner back to 2": each(press("more"), Checkout.settle, ask(2)),
    "partner: quantity 2 with the id of the first visit": ask(2),
    "partner: quantity 2 with the id of this visit": ask(2, cart_item=cart_item_id(2)),
    "remove (type 0)": fill("0"),
    "partner: quantity 1": ask(1),
    "the window becomes narrow": lambda checkout: checkout.resize(NARROW),
    "the window becomes wide": lambda checkout: checkout.resize(WIDE),
    "remove at once (type 0)": fill("0"),
}


def load(checkout: Checkout, scenario: str) -> None:
    if scenario == "preselected":
        checkout.site.item("parking-standard")["preselected"] = 2
        checkout.site.item("sticker-float")["preselected"] = 1
    if scenario.startswith("next visit"):
        checkout.open()
    checkout.open()


# ---- The test --------------------------------------------------------------------------------


@pytest.fixture
def checkout(page: Page) -> Iterator[Checkout]:
    with serve() as site:
        yield Checkout(page, site)


@pytest.mark.browser
@pytest.mark.parametrize("scenario", scenarios())
def test_says_step_by_step_what_the_real_renderer_said(checkout: Checkout, scenario: str) -> None:
    for step in scenarios()[scenario]:
        name = step["step"]
        do = partial(load, scenario=scenario) if name == "load" else STEPS[name]
        do(checkout)
        assert checkout.messages() == step["messages"], f"after “{name}”"


def test_every_recorded_step_can_be_done() -> None:
    recorded = {step["step"] for steps in scenarios().values() for step in steps} - {"load"}
    assert recorded == set(STEPS)
