"""A shop driven at random, against a simple model of it (``tests.model``).

Shoppers with several tabs hold, change and remove items, by messages that come late and twice;
they reserve, consent to prices, pay for this quote or that, release and cancel. Meanwhile prices
and stock change, time passes, Rokt fails in every way, and the process dies at any of the named
points and is started again. After each step the held cart, Rokt's books and the database must
agree with the model; at the end everything paid for must have arrived exactly once, or need a
refund.

A short run with always the same choices by default; a long one with new ones each time by
``HYPOTHESIS_PROFILE=long python -m pytest tests/test_shop_model.py`` (a quarter of an hour; it
prints how to repeat what it finds).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from werkzeug.test import TestResponse

from bff import faultpoints, upsell_call_made
from bff.doctor import examine_database
from bff.emulator.faults import AFTER
from bff.runtime import COOKIE
from bff.sweeping import Sweeping
from tests.emulator_client import Client
from tests.model import Message, Payment, Person, Shown, World
from tests.shopping import BRIDGE, Shop, Shopper, ok, server_get, server_post

# Faults that say nothing of their moment: these always come after the effect.
WITHOUT_MOMENT = {"truncate", "drip", "endless"}
# What the short run finds it shows as it is: shrinking takes minutes, and is the long run's.
FOUND = (Phase.explicit, Phase.reuse, Phase.generate)
SHORT = settings(
    max_examples=30, stateful_step_count=25, derandomize=True, database=None, phases=FOUND
)
LONG = settings(
    max_examples=1500, stateful_step_count=60, print_blob=True, phases=(*FOUND, Phase.shrink)
)
PROFILE = LONG if os.environ.get("HYPOTHESIS_PROFILE") == "long" else SHORT

PRICES = {"parking.standard": 12.5, "parking.vip": 20.0, "poster.souvenir": 15.0}
ITEMS = tuple(PRICES)
# Short enough for a hanging Rokt not to hold up the run, long enough for a busy machine.
LIMITS = {"reserve_timeout": 0.8, "confirm_timeout": 0.8, "placements_timeout": 0.4}
HANG = 1.0
# What has no grace: findings that only say that time was moved on, or that a refund is due.
OF_TIME = {"lease_without_owner", "overdue", "refund_needed"}

ANSWERS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "retryAfter": 0},
    {"kind": "status", "status": 429, "retryAfter": 1},
    {"kind": "status", "status": 408},
    {"kind": "status", "status": 401},
    {"kind": "status", "status": 422},
    {"kind": "status", "status": 302},
    {"kind": "drop"},
    {"kind": "reset"},
    {"kind": "hang", "seconds": HANG},
    {"kind": "delay", "seconds": 0.05},
    {"kind": "malformed"},
    {"kind": "html"},
    {"kind": "wrong_types"},
    {"kind": "truncate"},
    {"kind": "drip", "secondsPerByte": 0.1},
    {"kind": "endless"},
)
ABOUT_ITEMS: tuple[dict[str, Any], ...] = (
    {"kind": "reject", "all": True},
    {"kind": "reject", "catalogItemIds": ["parking.vip"], "form": "422_named"},
    {"kind": "reject", "catalogItemIds": ["parking.standard"], "form": "error_value"},
    {"kind": "price", "catalogItemId": "parking.standard", "unitPrice": 13.75},
    {"kind": "price", "catalogItemId": "parking.vip", "unitPrice": 18.5},
    {"kind": "no_stock", "catalogItemIds": ["poster.souvenir"]},
)
GRANT_LESS = {"kind": "grant_less", "quantity": 1}


class Crash(BaseException):
    """The process is gone: nothing catches it."""


class Trap:
    """Ends the process when it reaches the armed point; ``call`` is after any answer of Rokt's."""

    def __init__(self) -> None:
        self.armed: str | None = None

    def reach(self, point: str) -> None:
        if point == self.armed:
            self.armed = None
            raise Crash(point)


TRAP = Trap()


@dataclass
class Tab:
    """A page load of the upsell page."""

    page: str
    offers: dict[str, Any]
    seq: int = 0


class Actor:
    """A shopper of the real shop: a cookie jar, tabs, and messages that are still on their way."""

    def __init__(self, shop: Shop) -> None:
        self.browser = Shopper(shop)
        self.tabs: list[Tab] = []
        self.open_tab()
        self.late: list[Message] = []
        self.sent: list[Message] = []
        self.in_doubt = False

    def open_tab(self) -> None:
        self.browser.load_page()
        self.tabs = [*self.tabs[-2:], Tab(str(uuid4()), self.browser.offers)]

    def move_to(self, shop: Shop) -> None:
        """Go on with the server that was started again: the browser keeps its cookie."""
        cookie = self.browser.client.get_cookie(COOKIE)
        self.browser.shop = shop
        self.browser.client = shop.app.test_client()
        if cookie is not None:
            self.browser.client.set_cookie(COOKIE, cookie.value)

    @property
    def has_session(self) -> bool:
        return self.browser.client.get_cookie(COOKIE) is not None


class Machine(RuleBasedStateMachine):
    """The shop, Rokt, and the model of both."""

    emulator: Client
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        TRAP.armed = None
        self.emulator.reset()
        self.place = Path(tempfile.mkdtemp(dir=self.folder))
        self.shop = self.start()
        self.actors = [Actor(self.shop), Actor(self.shop)]
        self.world = World([Person(), Person()])
        self.world.stock = {one: self.emulator.stock(one) for one in ITEMS}
        self.numbers = count(1)

    def start(self) -> Shop:
        shop = Shop(
            self.emulator,
            self.place,
            {f"ROKT_BFF_{name.upper()}": value for name, value in LIMITS.items()},
        )

        def hear(_app: Flask, **_told: Any) -> None:
            TRAP.reach("call")

        self.hear = hear  # signals hold their receivers weakly
        upsell_call_made.connect(hear, sender=shop.app)
        return shop

    def guarded(self, work: Callable[[], TestResponse]) -> TestResponse | None:
        """Do something that may end the process; then start it again, and return None."""
        try:
            return work()
        except Crash:
            self.restart()
            return None

    def restart(self) -> None:
        ahead = self.shop.clock.ahead
        self.shop.close()
        self.shop = self.start()
        self.shop.clock.ahead = ahead
        self.world.calm = False
        for actor in self.actors:
            actor.move_to(self.shop)

    # Rokt

    @initialize(
        form=st.sampled_from(["absent", "no_id", "smaller", "status", "error_value", "422_named"]),
        repeat=st.sampled_from(["ok", "error"]),
        seconds=st.sampled_from([600, 600, 90, 20]),
    )
    def rokt_is(self, form: str, repeat: str, seconds: int) -> None:
        self.emulator.put(
            "settings",
            {
                "rejectionForm": form,
                "repeatConfirm": repeat,
                "repeatCancel": repeat,
                "reservationSeconds": seconds,
            },
        )

    @rule(one=st.sampled_from(ITEMS), cents=st.integers(-300, 300))
    def a_price_changes(self, one: str, cents: int) -> None:
        price = round(PRICES[one] + cents / 100, 2)
        self.emulator.put("catalog", {"items": [{"catalogItemId": one, "unitPrice": price}]})
        self.world.calm = False

    @rule(one=st.sampled_from(ITEMS), stock=st.integers(0, 6))
    def the_stock_changes(self, one: str, stock: int) -> None:
        before = self.emulator.stock(one)
        self.emulator.put("catalog", {"items": [{"catalogItemId": one, "stock": stock}]})
        self.world.stock[one] += stock - before
        self.world.calm = False

    @rule(
        endpoint=st.sampled_from(["any", "reserve", "confirm", "confirm", "release", "cancel"]),
        data=st.data(),
        times=st.integers(1, 2),
    )
    def a_call_will_fail(self, endpoint: str, data: st.DataObject, times: int) -> None:
        kinds = list(ANSWERS)
        if endpoint in ("reserve", "confirm"):
            kinds += ABOUT_ITEMS
        if endpoint == "reserve":
            kinds.append(GRANT_LESS)
        fault = dict(data.draw(st.sampled_from(kinds)))
        if fault["kind"] in ("status", "drop", "reset", "hang", *AFTER - WITHOUT_MOMENT):
            fault["when"] = data.draw(st.sampled_from(["before", "after"]))
        self.emulator.faults(endpoint, fault | {"times": times})
        self.world.calm = False

    @rule(seconds=st.sampled_from([2, 31, 61, 400, 1000]))
    def time_passes(self, seconds: int) -> None:
        self.shop.move_clocks(seconds)
        self.world.calm = False

    # the process

    @rule(point=st.sampled_from([*faultpoints.POINTS, "call"]))
    def the_process_will_end(self, point: str) -> None:
        TRAP.armed = point

    @rule()
    def owed_calls_are_delivered(self) -> None:
        self.guarded(self.deliver)

    def deliver(self) -> Any:
        return self.shop.deliver()

    @rule()
    def what_is_left_behind_is_swept(self) -> None:
        settings = self.shop.parts.settings
        Sweeping(settings, self.shop.parts.store, self.shop.clock).run_once()

    # shoppers

    who = st.integers(0, 1)

    @rule(who=who)
    def a_tab_is_opened(self, who: int) -> None:
        self.actors[who].open_tab()

    @rule(
        who=who,
        tab=st.integers(0, 2),
        one=st.sampled_from(ITEMS),
        quantity=st.integers(0, 3),
        late=st.sampled_from([False, False, False, True]),
        preselected=st.sampled_from([False, False, False, False, True]),
    )
    def an_item_is_chosen(
        self, who: int, tab: int, one: str, quantity: int, late: bool, preselected: bool
    ) -> None:
        actor = self.actors[who]
        page = actor.tabs[tab % len(actor.tabs)]
        page.seq += 1
        offer = page.offers[one]
        message = Message(
            page.page,
            page.seq,
            offer["cartItemId"],
            one,
            quantity,
            Decimal(str(offer["unitPrice"])),
            preselected,
        )
        if late:
            actor.late.append(message)
        else:
            self.send(who, message)

    @precondition(lambda self: any(actor.late for actor in self.actors))
    @rule(who=who, which=st.integers(0, 5))
    def a_late_message_arrives(self, who: int, which: int) -> None:
        late = self.actors[who].late
        if late:
            self.send(who, late.pop(which % len(late)))

    @precondition(lambda self: any(actor.sent for actor in self.actors))
    @rule(who=who, which=st.integers(0, 20))
    def a_message_comes_twice(self, who: int, which: int) -> None:
        sent = self.actors[who].sent
        if sent:
            self.send(who, sent[-1 - which % len(sent)])

    def send(self, who: int, message: Message) -> None:
        actor = self.actors[who]
        price = float(message.unit_price)
        item = {
            "cartItemId": message.cart_item_id,
            "catalogItemId": message.catalog_item_id,
            "name": message.catalog_item_id,
            "description": "",
            "currency": "USD",
            "unitPrice": price,
            "quantity": message.quantity,
            "totalPrice": price * message.quantity,
        }
        body = {
            "updatedItem": item if message.quantity else None,
            "oldItem": item,
            "page": message.page,
            "seq": message.seq,
            "preselected": message.preselected,
        }
        ok(actor.browser.post("/cart/updates", body))
        actor.sent.append(message)
        self.world.people[who].take(message)

    @rule(who=who)
    def the_page_asks_for_placements(self, who: int) -> None:
        actor = self.actors[who]
        body = {"pageIdentifier": "checkout.upsell"}
        answer = self.guarded(lambda: actor.browser.post("/placements/any", body))
        assert answer is None or set(ok(answer)) == {"result", "reason"}

    @rule(who=who, consents=st.booleans())
    def a_cart_is_reserved(self, who: int, consents: bool) -> None:
        self.reserve(who, consents)

    def reserve(self, who: int, consents: bool) -> Shown | None:
        """Reserve, and let the shopper see the quote; None when the process ended meanwhile."""
        actor, person = self.actors[who], self.world.people[who]
        prices = dict(person.offered) if consents else {}
        body = {"acceptPrices": {one: str(price) for one, price in prices.items()}}
        person.accept(prices)
        answer = self.guarded(lambda: actor.browser.post("/cart/reserve", body))
        actor.in_doubt = answer is None
        if answer is None:
            return None
        shown = person.see(ok(answer))
        self.is_locked(shown)
        return shown

    def is_locked(self, shown: Shown) -> None:
        """Check that Rokt holds what was quoted, at the quoted price."""
        held = list(self.emulator.state()["reservations"].values())
        for one, (quantity, unit_price) in shown.items.items():
            assert any(
                row["cartItemId"] == one
                and row["state"] == "reserved"
                and (row["quantity"], Decimal(str(row["unitPrice"]))) == (quantity, unit_price)
                for row in held
            ), "quoted, but not locked"

    @rule(who=who)
    def the_reservations_are_released(self, who: int) -> None:
        actor = self.actors[who]
        answer = self.guarded(lambda: actor.browser.post("/cart/release"))
        assert answer is None or ok(answer)

    @rule(who=who, consents=st.booleans())
    def the_shopper_checks_out(self, who: int, consents: bool) -> None:
        """The shop's pay view: reserve, charge, confirm, by the session's last quote."""
        if not self.actors[who].has_session:
            return
        shown = self.reserve(who, consents)
        if shown is not None:
            self.pay(who, shown, f"order-{next(self.numbers)}", named=False)

    @precondition(lambda self: any(person.quotes for person in self.world.people))
    @rule(who=who, which=st.integers(0, 9))
    def an_earlier_quote_is_paid(self, who: int, which: int) -> None:
        """By whom the page was left open: this quote may be outdated, or bought before."""
        quotes = list(self.world.people[who].quotes.values())
        if quotes:
            shown = quotes[-1 - which % len(quotes)]
            self.pay(who, shown, f"order-{next(self.numbers)}", named=True)

    def pay(self, who: int, shown: Shown, order_id: str, *, named: bool) -> None:
        actor, world = self.actors[who], self.world
        if not named and shown.quote_id in world.bought:
            return  # such a shop has charged nothing: its reserve gave the quote of before
        body = {"handle": actor.browser.handle, "orderId": order_id}
        body |= {"quoteId": shown.quote_id} if named else {}
        payment = world.pay(order_id, who, shown)
        answer = self.guarded(lambda: server_post(self.shop, "/orders", body))
        if answer is None:  # the shop tries again, which must change nothing
            answer = self.guarded(lambda: server_post(self.shop, "/orders", body))
        self.is_recorded(order_id, payment, answer and ok(answer))

    def is_recorded(self, order_id: str, payment: Payment, order: Any) -> None:
        order = order or ok(server_get(self.shop, f"/orders/{order_id}"))
        assert {item["cartItemId"] for item in order["items"]} == set(payment.shown.items)
        for item in order["items"]:
            quantity, unit_price = payment.shown.items[item["cartItemId"]]
            assert item["quantity"] == quantity
            assert Decimal(item["unitPrice"]) <= unit_price

    @precondition(lambda self: self.world.payments)
    @rule(which=st.integers(0, 9), who=who)
    def an_order_is_told_again(self, which: int, who: int) -> None:
        order_id = list(self.world.payments)[which % len(self.world.payments)]
        payment = self.world.payments[order_id]
        if not self.actors[who].has_session:
            return
        body = {"handle": self.actors[who].browser.handle, "orderId": order_id}
        answer = self.guarded(lambda: server_post(self.shop, "/orders", body))
        if who != payment.person:
            assert answer is not None
            assert answer.status_code == 409
        else:
            self.is_recorded(order_id, payment, answer and ok(answer))

    @precondition(lambda self: self.world.payments)
    @rule(which=st.integers(0, 9), item=st.none() | st.integers(0, 2))
    def an_order_is_cancelled(self, which: int, item: int | None) -> None:
        order_id = list(self.world.payments)[which % len(self.world.payments)]
        items = sorted(self.world.payments[order_id].shown.items)
        body = {"cartItemId": items[item % len(items)]} if item is not None and items else {}
        answer = self.guarded(lambda: server_post(self.shop, f"/orders/{order_id}/cancel", body))
        assert answer is None or answer.status_code in (200, 409), answer.text

    # what always holds

    @invariant()
    def the_held_carts_are_the_model_s(self) -> None:
        for actor, person in zip(self.actors, self.world.people, strict=True):
            cart = ok(actor.browser.client.get("/rokt/cart", headers=BRIDGE))
            held = {
                item["cartItemId"]: (item["quantity"], Decimal(item["unitPrice"]))
                for item in cart["items"]
            }
            assert held == person.cart()

    @invariant()
    def rokt_s_books_agree(self) -> None:
        state = self.emulator.state()
        self.world.stock_adds_up(state["catalog"])
        self.world.nothing_unpaid(state["reservations"])

    @invariant()
    def the_doctor_finds_nothing(self) -> None:
        findings = list(examine_database(self.shop.parts.store, self.shop.clock()))
        assert [one for one in findings if one.name not in OF_TIME] == []

    # the end

    def teardown(self) -> None:
        try:
            TRAP.armed = None
            if sys.exc_info()[1] is None:
                self.everything_arrives()
        finally:
            self.shop.close()
            shutil.rmtree(self.place)

    def everything_arrives(self) -> None:
        """Let Rokt be well and time pass; then look what became of every payment."""
        self.emulator.put("faults", {})
        for _ in range(60):
            self.shop.deliver()
            if not self.waiting():
                break
            self.shop.move_clocks(61)
        assert not self.waiting(), "something is owed for ever"
        self.rokt_s_books_agree()
        self.the_held_carts_are_the_model_s()
        refunds = set()
        for order_id, payment in self.world.payments.items():
            order = ok(server_get(self.shop, f"/orders/{order_id}"))
            self.is_recorded(order_id, payment, order)
            rows = self.fulfilled(order_id)
            if order["status"] == "refund_needed":
                refunds.add(order_id)
            for item in order["items"]:
                self.arrived(order, item, rows.get(item["cartItemId"]))
            if self.world.calm and not payment.second:
                assert order["status"] in ("confirmed", "cancelled"), order
        found = list(examine_database(self.shop.parts.store, self.shop.clock()))
        assert {one.name for one in found} <= {"refund_needed", "lease_without_owner"}, found
        told = [one for one in found if one.name == "refund_needed"]
        assert len(told) == len(refunds)

    def waiting(self) -> list[str]:
        from bff import outbox

        with self.shop.parts.store.read() as connection:
            counts = outbox.count_by_state(connection)
        return [name for name, number in counts.items() if name == "queued" and number]

    def fulfilled(self, order_id: str) -> dict[str, Any]:
        return {
            row["cartItemId"]: row
            for row in self.emulator.state()["reservations"].values()
            if row["orderId"] == order_id and row["fulfilled"]
        }

    @staticmethod
    def arrived(order: Any, item: Any, row: Any) -> None:
        """Check one paid item against what Rokt did."""
        told = order.get("lastError") or ""
        match item["status"]:
            case "confirmed":
                assert row is not None
                assert row["state"] == "confirmed" or "cancel" in told, (item, row, told)
            case "cancelled":
                assert row is not None
                assert (row["state"], row["cancelled"]) == ("cancelled", 1)
            case "refund_needed":
                assert told
                assert row is None or "earlier call" in told, (item, row, told)
            case other:
                pytest.fail(f"a paid item is {other} at the end")


def test_a_shop_driven_at_random_agrees_with_the_model(
    emulator: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach = faultpoints.reach
    for name, module in list(sys.modules.items()):
        if name.startswith("bff.") and getattr(module, "reach", None) is reach:
            monkeypatch.setattr(module, "reach", TRAP.reach)
    machine = type("TheShop", (Machine,), {"emulator": emulator, "folder": tmp_path})
    run_state_machine_as_test(
        machine,
        settings=settings(PROFILE, deadline=None, suppress_health_check=list(HealthCheck)),
    )
