"""A shop driven at random, against a simple model of it (``tests.campaign.shop_model``).

Shoppers with several tabs hold, change and remove items. Their messages come late and twice. They
reserve, accept prices, pay for one quote or another, release and cancel, also two things at once.

Meanwhile prices and stock change, time passes, the shop's clock is off, and Rokt has every fault.
Orders are redriven and refunded, and old rows are purged. The process dies before or after any
commit or call, and is started again.

After each step the held cart, Rokt's books and the database must agree with the model. At the end
every paid item was fulfilled exactly once, or needs a refund. A purge leaves only those refunds.

By default the run is short and always the same. ``HYPOTHESIS_PROFILE=long pytest
tests/campaign/test_shop_model.py`` runs for a quarter of an hour with new choices each time, and
prints how to repeat a failure.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
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

from bff.ops.doctor import count_by_state, examine_database
from bff.ops.invariants import Finding
from bff.ops.redrive import redrive
from bff.outbox.senders import SenderPool
from bff.store import orders as order_book
from tests.campaign.operations import Kind, Side, watched
from tests.campaign.points import SIDES
from tests.campaign.shop_actors import (
    ITEMS,
    PRICES,
    TO_A_CONFIRM,
    WITH_MOMENT,
    Actor,
    Crash,
    Trap,
    body_of,
    faults_of,
)
from tests.campaign.shop_model import Message, Payment, Person, Shown, World
from tests.support.databases import NewDatabase
from tests.support.emulator_client import Client
from tests.support.interference import at_once
from tests.support.shop import BRIDGE, Shop, ok, server_get, server_post

Result = TypeVar("Result")

# The item, its quantity, and the fault of its confirm.
Purchase = tuple[str, int, dict[str, Any] | None]
PURCHASES: st.SearchStrategy[Purchase] = st.tuples(
    st.sampled_from(ITEMS), st.integers(1, 2), st.sampled_from((*TO_A_CONFIRM, None))
)

# The short run does not shrink its failures, which takes minutes. The long run does.
FOUND = (Phase.explicit, Phase.reuse, Phase.generate)
SHORT = settings(
    max_examples=10, stateful_step_count=25, derandomize=True, database=None, phases=FOUND
)
LONG = settings(
    max_examples=1500, stateful_step_count=60, print_blob=True, phases=(*FOUND, Phase.shrink)
)
PROFILE = LONG if os.environ.get("HYPOTHESIS_PROFILE") == "long" else SHORT

# Short, because Rokt hangs often, and long enough for a busy machine.
LIMITS = {"reserve_timeout": 0.8, "confirm_timeout": 0.8, "placements_timeout": 0.4}
# Each wait is a minute. In an hour, reservations that are unknown to the shop have expired.
MOST_WAITS = 120
# Orders are kept for ninety days.
LONG_AFTER = 100 * 86400.0
# Findings that only report that time was moved on, or that a refund is due.
OF_TIME = {"lease_without_owner", "overdue", "refund_needed"}
# An order without items whose confirm Rokt refused. The model knows which orders these are.
UNTOLD = "purchase_not_told"

TRAP = Trap()


class Machine(RuleBasedStateMachine):
    """The shop, Rokt, and the model of both."""

    emulator: Client
    folder: Path
    new_database: NewDatabase

    def __init__(self) -> None:
        super().__init__()
        TRAP.armed = None
        self.emulator.reset()
        self.place = Path(tempfile.mkdtemp(dir=self.folder))
        self.settings = LIMITS | {"database_url": self.new_database()}
        self.shop = self.start()
        self.actors = [Actor(self.shop), Actor(self.shop)]
        self.world = World([Person(), Person()])
        self.world.stock = {one: self.emulator.stock(one) for one in ITEMS}
        self.numbers = count(1)
        self.skew = 0.0
        self.refunded: set[str] = set()

    def start(self) -> Shop:
        config = {f"ROKT_BFF_{name.upper()}": value for name, value in self.settings.items()}
        return Shop(self.emulator, self.place, config)

    def guarded(self, work: Callable[[], Result]) -> Result | None:
        """Do something. If the process ends meanwhile, start it again and return None."""
        try:
            return work()
        except Crash:
            self.world.calm = False
            self.restart()
            return None

    def restart(self) -> None:
        ahead = self.shop.clock.ahead
        self.shop.close()
        self.shop = self.start()
        self.shop.clock.ahead = ahead
        for actor in self.actors:
            actor.move_to(self.shop)

    # Rokt

    @initialize(
        form=st.sampled_from(["absent", "no_id", "smaller", "status", "error_value", "422_named"]),
        repeat=st.sampled_from(["ok", "error"]),
        seconds=st.sampled_from([600, 600, 90, 20]),
        every_order=st.booleans(),
        bought=st.tuples(PURCHASES, PURCHASES),
    )
    def rokt_and_the_shop_are(
        self,
        form: str,
        repeat: str,
        seconds: int,
        every_order: bool,
        bought: tuple[Purchase, Purchase],
    ) -> None:
        """Begin with an order of each shopper: otherwise few runs would have any."""
        self.settings["confirm_every_order"] = every_order
        self.restart()
        self.emulator.put(
            "settings",
            {
                "rejectionForm": form,
                "repeatConfirm": repeat,
                "repeatCancel": repeat,
                "reservationSeconds": seconds,
            },
        )
        for who, purchase in enumerate(bought):
            self.something_is_bought(who=who, purchase=purchase)

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
        fault = dict(data.draw(st.sampled_from(faults_of(endpoint))))
        if fault["kind"] in WITH_MOMENT:
            fault["when"] = data.draw(st.sampled_from(["before", "after"]))
        self.emulator.faults(endpoint, fault | {"times": times})
        self.world.calm = False

    @rule(seconds=st.sampled_from([2, 31, 61, 400, 1000]))
    def time_passes(self, seconds: int) -> None:
        self.shop.move_clocks(seconds)
        self.world.calm = False

    @rule(seconds=st.sampled_from([-8.0, -3.0, 0.0, 3.0, 8.0]))
    def the_shop_s_clock_is_off(self, seconds: float) -> None:
        """Set the clock off, by less than the doctor reports. It may also jump back."""
        self.shop.clock.move(seconds - self.skew)
        self.skew = seconds
        self.world.calm = False

    # the process

    @rule(
        side=st.sampled_from(SIDES),
        kind=st.sampled_from(["commit", "call"]),
        number=st.integers(1, 4),
    )
    def the_process_will_end(self, side: Side, kind: Kind, number: int) -> None:
        TRAP.arm(side, kind, number)

    @rule(worker=st.booleans())
    def owed_calls_are_delivered(self, worker: bool) -> None:
        self.guarded(self.work if worker else self.shop.deliver)

    def work(self) -> None:
        """Deliver as the worker of a server does, with one sender, so that runs are the same."""
        draining = SenderPool(self.shop.parts.delivery, senders=1)
        try:
            while draining.step():
                pass
        except Crash:
            draining._pool.shutdown()  # and no more outcomes are written
            raise
        with draining:
            pass

    @rule()
    def what_is_left_behind_is_swept(self) -> None:
        self.guarded(self.shop.sweep)

    @rule()
    def what_is_over_is_purged(self) -> None:
        """Purge. No row is old enough yet: see ``what_is_settled_goes``."""
        self.guarded(self.shop.purge)

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
        message = actor.says(tab, one, quantity, preselected=preselected)
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
        body = body_of(message)
        answer = self.guarded(lambda: actor.browser.post("/cart/updates", body))
        # The bridge sends it again when the process ended before it responded.
        ok(answer or actor.browser.post("/cart/updates", body))
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
        """Reserve, and let the shopper see the quote. None when the process ended meanwhile."""
        actor, person = self.actors[who], self.world.people[who]
        prices = dict(person.offered) if consents else {}
        body = {"acceptPrices": {one: str(price) for one, price in prices.items()}}
        person.accept(prices)
        answer = self.guarded(lambda: actor.browser.post("/cart/reserve", body))
        if answer is None:
            return None
        shown = person.see(ok(answer))
        self.is_locked(shown)
        return shown

    def is_locked(self, shown: Shown) -> None:
        """Check that Rokt holds the quoted items at the quoted prices."""
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
        """Pay as the shop's view does: reserve, charge, and confirm the session's last quote."""
        if not self.actors[who].has_session:
            return
        shown = self.reserve(who, consents)
        if shown is not None:
            self.pay(who, shown, f"order-{next(self.numbers)}", named=False)

    @rule(who=who, purchase=PURCHASES)
    def something_is_bought(self, who: int, purchase: Purchase) -> None:
        """Buy in one step, because rules of one request each seldom come to a purchase."""
        one, quantity, fault = purchase
        self.send(who, self.actors[who].says(-1, one, quantity, preselected=False))
        if fault is not None:
            self.emulator.faults("confirm", fault)
            self.world.calm = False
        self.the_shopper_checks_out(who, consents=True)

    @precondition(lambda self: any(person.quotes for person in self.world.people))
    @rule(who=who, which=st.integers(0, 9))
    def an_earlier_quote_is_paid(self, who: int, which: int) -> None:
        """Pay on a page that was left open. Its quote may be outdated, or bought before."""
        quotes = list(self.world.people[who].quotes.values())
        if quotes:
            shown = quotes[-1 - which % len(quotes)]
            self.pay(who, shown, f"order-{next(self.numbers)}", named=True)

    def pay(self, who: int, shown: Shown, order_id: str, *, named: bool) -> None:
        actor, world = self.actors[who], self.world
        if not named and shown.quote_id in world.bought:
            return  # such a shop has charged nothing: reserve returned the earlier quote
        body = {"handle": actor.browser.handle, "orderId": order_id}
        body |= {"quoteId": shown.quote_id} if named else {}
        payment = world.pay(order_id, who, shown)
        answer = self.guarded(lambda: server_post(self.shop, "/orders", body))
        if answer is None:  # the shop retries, which must change nothing
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

    @precondition(lambda self: self.world.payments)
    @rule(which=st.integers(0, 9), all_of_them=st.booleans())
    def what_ended_badly_is_redriven(self, which: int, all_of_them: bool) -> None:
        order_id = list(self.world.payments)[which % len(self.world.payments)]
        parts = self.shop.parts
        # A redrive of a named order also buys items that another order had bought.
        one = None if all_of_them or self.world.payments[order_id].twice else order_id
        self.guarded(lambda: redrive(parts.store, parts.outbox, one))

    @precondition(lambda self: self.world.payments)
    @rule(which=st.integers(0, 9))
    def the_money_is_given_back(self, which: int) -> None:
        order_id = list(self.world.payments)[which % len(self.world.payments)]
        with TRAP.put_away(), self.shop.parts.store.write() as connection:
            if order_book.set_refunded(connection, order_id, self.shop.clock()):
                self.refunded.add(order_id)

    # two things at once, during which the process does not end

    @rule()
    def two_workers_deliver_at_once(self) -> None:
        with TRAP.put_away():
            at_once([self.shop.deliver, self.shop.deliver])

    @rule(who=who)
    def two_tabs_reserve_at_once(self, who: int) -> None:
        actor, person = self.actors[who], self.world.people[who]
        if not actor.has_session:
            return
        tabs = (actor.browser, actor.other_tab())
        with TRAP.put_away():
            for answer in at_once([partial(tab.post, "/cart/reserve") for tab in tabs]):
                person.see(ok(answer))

    @rule(who=who, meanwhile=st.sampled_from(["released", "paid again"]))
    def what_is_paid_is_meanwhile(self, who: int, meanwhile: str) -> None:
        """Release in another tab, or confirm a second time, at the same time as the payment."""
        actor = self.actors[who]
        if not actor.has_session:
            return
        with TRAP.put_away():
            shown = self.reserve(who, consents=False)
            assert shown is not None
            if shown.quote_id in self.world.bought:
                return
            order_id = f"order-{next(self.numbers)}"
            body = {"handle": actor.browser.handle, "orderId": order_id}
            body |= {"quoteId": shown.quote_id}
            pay = partial(server_post, self.shop, "/orders", body)
            release = partial(actor.other_tab().post, "/cart/release")
            payment = self.world.pay(order_id, who, shown)
            for answer in at_once([pay, release if meanwhile == "released" else pay]):
                assert answer.status_code in (200, 201), answer.text
            self.is_recorded(order_id, payment, None)

    # invariants

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
        found = self.findings()
        untold = self.untold()
        assert [one for one in found if one.name not in OF_TIME | {UNTOLD}] == []
        assert self.named(found) <= untold

    def findings(self) -> list[Finding]:
        return list(examine_database(self.shop.parts.store, self.shop.clock()))

    def untold(self) -> set[str]:
        """Return the orders of which the doctor may find that Rokt was not told."""
        return self.world.untold(self.shop.calls("confirm"))

    @staticmethod
    def named(findings: list[Finding]) -> set[str]:
        """Return the orders of which the doctor finds that Rokt was not told."""
        texts = [one.text for one in findings if one.name == UNTOLD]
        return {text.partition("'")[2].partition("'")[0] for text in texts}

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
        """End all faults, let time pass, and check the result of every payment."""
        self.emulator.put("faults", {})
        for _ in range(MOST_WAITS):
            self.work()
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
                if item["cartItemId"] in payment.twice:
                    assert item["status"] == "refund_needed"
            if self.world.calm and not payment.twice:
                assert order["status"] in ("confirmed", "cancelled"), order
        found = self.findings()
        assert {one.name for one in found} <= {"refund_needed", "lease_without_owner", UNTOLD}, (
            found
        )
        assert self.named(found) == self.untold()
        told = [one for one in found if one.name == "refund_needed"]
        assert self.refunded <= refunds
        assert len(told) == len(refunds - self.refunded)
        self.what_is_settled_goes(refunds - self.refunded)

    def what_is_settled_goes(self, left: set[str]) -> None:
        """Purge long after. Only the orders that still need a refund are left."""
        self.shop.move_clocks(LONG_AFTER)
        parts = self.shop.parts
        self.shop.purge()
        for order_id in self.world.payments:
            answer = server_get(self.shop, f"/orders/{order_id}")
            assert answer.status_code == (200 if order_id in left else 404), answer.text
        findings = examine_database(parts.store, self.shop.clock())
        assert [one.name for one in findings] == ["refund_needed"] * len(left)
        assert self.shop.deliver() == 0

    def waiting(self) -> list[str]:
        with self.shop.parts.store.read() as connection:
            counts = count_by_state(connection)
        return [name for name, number in counts.items() if name == "queued" and number]

    def fulfilled(self, order_id: str) -> dict[str, Any]:
        return {
            row["cartItemId"]: row
            for row in self.emulator.state()["reservations"].values()
            if row["orderId"] == order_id and row["fulfilled"]
        }

    @staticmethod
    def arrived(order: Any, item: Any, row: Any) -> None:
        """Check one paid item against Rokt's reservation of it."""
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


@pytest.mark.timeout(900)  # it goes a long way
def test_a_shop_driven_at_random_agrees_with_the_model(
    emulator: Client,
    tmp_path: Path,
    new_database: NewDatabase,
) -> None:
    machine = type(
        "TheShop",
        (Machine,),
        {
            "emulator": emulator,
            "folder": tmp_path,
            "new_database": staticmethod(new_database),
        },
    )
    with watched(TRAP.reach):
        run_state_machine_as_test(
            machine,
            settings=settings(PROFILE, deadline=None, suppress_health_check=list(HealthCheck)),
        )
