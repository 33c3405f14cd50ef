"""The recorded messages of the real SDK, read and applied: what is held after each step.

The recording is ``data/sdk-events.json``. What must be held is derived by hand from the steps'
own names, with two refusals: a fraction is no quantity, and ``$`` is no currency.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from bff.cart.held_cart import HeldCart
from bff.config.settings import Settings
from bff.errors import InvalidInput
from tests import TOP
from tests.support.samples import PAGE, shown, told
from tests.support.sdk_bodies import read

RECORDING = json.loads((TOP / "tests" / "data" / "sdk-events.json").read_text("utf-8"))
SCENARIOS: dict[str, list[dict[str, Any]]] = {
    one["scenario"]: one["steps"] for one in RECORDING["scenarios"]
}
PLAIN = Settings(api_key="key", tag_id="tag")
DOLLARS = Settings(api_key="key", tag_id="tag", default_currency="USD")

PARKING = "v1:8ef7a1b2-0001-4a00-9000-000000000001:parking-standard"
ON_RETURN = "v1:8ef7a1b2-0001-4a00-9000-000000000002:parking-standard"
LINKED = "v1:8ef7a1b2-0002-4a00-9000-000000000002:parking-linked"
SYNCED = "v1:8ef7a1b2-0003-4a00-9000-000000000003:insurance-sync"
POSTER = "v1:8ef7a1b2-0004-4a00-9000-000000000004:poster-nocurrency"
STICKER = "v1:8ef7a1b2-0005-4a00-9000-000000000005:sticker-float"


class Replay:
    """Applies a scenario's messages as one page load, both of each pair, and keeps the story."""

    def __init__(self, settings: Settings = PLAIN, page: str = PAGE) -> None:
        self.settings, self.page, self.seq = settings, page, 0
        self.cart = HeldCart("cart")
        self.interactive = False
        self.refused: list[tuple[str, str]] = []
        self.after: dict[str, dict[str, int]] = {}

    def run(self, scenario: str) -> HeldCart:
        for step in SCENARIOS[scenario]:
            for message in step["messages"]:
                if message.get("name") == "PLACEMENT_INTERACTIVE":
                    self.interactive = True
                if "both" in message:
                    self.hear(step["step"], message["both"])
            self.after[step["step"]] = shown(self.cart)
        return self.cart

    def hear(self, step: str, both: dict[str, Any]) -> None:
        self.seq += 1
        body = {"page": self.page, "seq": self.seq, "preselected": not self.interactive}
        legacy = {"updatedItem": both["cartItem"], "oldItem": both["oldCartItem"]}
        for items in (both, legacy):
            try:
                update = read(items | body, self.settings)
            except InvalidInput as error:
                self.refused += [(step, name) for name in error.errors]
                continue
            before, self.cart = self.cart, told(self.cart, update)
            assert items is both or self.cart is before, "the second of a pair changes nothing"


def test_what_the_shopper_did_is_what_is_held() -> None:
    replay = Replay(DOLLARS)
    cart = replay.run("shopper")
    quantities = {step: held.get(PARKING) for step, held in replay.after.items()}
    assert list(quantities.values())[:17] == [
        None,  # load
        1,
        2,
        3,
        2,
        1,
        None,  # remove
        1,
        3,
        1,  # the Add button sets
        1,
        4,
        4,  # 5 is over the placement's maximum: no message
        4,  # 2.5 is refused, so the last good quantity stays
        None,  # clear the field
        2,
        1,  # - - +
    ]
    assert replay.after["float price: type 3 (0.1 x 3)"][STICKER] == 3
    assert shown(cart) == {LINKED: 1, POSTER: 3, SYNCED: 10}
    assert cart.removed == ("parking-standard", "sticker-float")
    assert {line.item.currency for line in cart.lines} == {"USD"}
    linked, synced = cart.line(LINKED), cart.line(SYNCED)
    assert linked is not None
    assert linked.item.linked_product_id == "TICKET-SKU-1"
    assert synced is not None
    assert synced.item.quantity_must_be_synchronized
    assert {step for step, _ in replay.refused} == {"type 2.5"}


def test_without_a_default_currency_the_dollar_sign_is_refused_and_nothing_else_more() -> None:
    replay = Replay()
    assert shown(replay.run("shopper")) == {LINKED: 1, SYNCED: 10}
    assert set(replay.refused) == {
        (step, f"{item}.{member}")
        for item in ("cartItem", "updatedItem")
        for step, member in (
            ("type 2.5", "quantity"),
            ("no currency: add 1", "currency"),
            ("no currency: type 3 (9.99 x 3)", "currency"),
        )
    }


def test_what_the_page_asked_for_is_what_is_held() -> None:
    replay = Replay()
    cart = replay.run("partner")
    assert replay.after["stale id: the same item on another visit, quantity 1"] == {PARKING: 1}
    assert replay.after["valid: quantity 0 (removal)"] == {}
    assert replay.after["fraction: 1.5"] == {}
    assert replay.after["fraction: 0.5 on an empty item"] == {}, "both null is nothing"
    assert replay.after["catalogItemId in place of cartItemId"] == {}
    assert replay.after["valid again after the bad ones: quantity 3"] == {PARKING: 3}
    assert shown(cart) == {PARKING: 2}
    assert [step for step, _ in replay.refused] == ["fraction: 1.5"] * 2


def test_preselected_items_are_held_until_the_shopper_takes_them_out() -> None:
    replay = Replay()
    cart = replay.run("preselected")
    assert replay.after["load"] == {PARKING: 2, STICKER: 1}
    assert (shown(cart), cart.removed) == ({STICKER: 1}, ("parking-standard",))


def test_preselected_items_do_not_come_back_after_the_shopper_took_them_out() -> None:
    first = Replay()
    first.run("preselected")
    again = Replay(page="3f1f6d0e-0000-4000-8000-000000000009")
    again.cart = first.cart
    again.interactive = False
    for message in SCENARIOS["preselected"][0]["messages"]:
        if "both" in message:
            again.hear("load", message["both"])
    assert again.cart is first.cart


@pytest.mark.parametrize("with_first_visit", [True, False])
def test_on_the_next_visit_the_new_id_takes_the_held_lines_place(with_first_visit: bool) -> None:
    first = Replay()
    if with_first_visit:
        first.run("partner")
    replay = Replay(page="3f1f6d0e-0000-4000-8000-000000000009")
    replay.cart = first.cart
    assert shown(replay.run("next visit: the cart item ids change")) == {ON_RETURN: 2}


def test_made_up_old_items_are_tolerated() -> None:
    replay = Replay()
    cart = replay.run("the layout mounts the offer anew (breakpoint change)")
    assert replay.refused == []
    assert list(replay.after.values()) == [
        {},  # load
        {PARKING: 1},
        {PARKING: 2},
        {PARKING: 2},  # the window becomes narrow
        {PARKING: 3},  # with a made-up old item
        {},
        {PARKING: 1},  # told twice, with contradicting old items
        {PARKING: 1},
        {},  # a removal with a made-up old item
    ]
    assert cart.removed == ("parking-standard",)


def test_every_recorded_scenario_is_replayed_here() -> None:
    assert set(SCENARIOS) == {
        "shopper",
        "partner",
        "preselected",
        "next visit: the cart item ids change",
        "the layout mounts the offer anew (breakpoint change)",
    }
