"""Runs one case of the grid: a purchase from the first page to the cancel, with one fault.

The shopper's requests are any, add, reserve, pay and cancel, in some cases with a release after the
first reserve. The fault is set just before the call that it is for. Then delivery works, with the
clocks moved on, until no call is owed. A lasting fault is lifted meanwhile. Orders that Rokt
refused for a mistake of the shop, such as a wrong key, are redriven. Last, another order must
succeed.
"""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal
from typing import Any

from flask import Flask

from bff import upsell_call_made
from bff.ops.redrive import redrive
from bff.outbox.senders import SenderPool
from bff.rokt.calls import Kind
from tests.campaign import facts
from tests.campaign.cases import (
    ENDPOINTS,
    OVERTAKEN,
    ROKT,
    ROKT_AT_PAY,
    Case,
)
from tests.campaign.facts import Facts
from tests.campaign.gate import Gate
from tests.campaign.lane import (
    LAPSE,
    LEASE,
    NO_TIME,
    SHORT,
    SHORT_DEADLINE,
    Lane,
    move_to,
    next_due,
)
from tests.campaign.till import Till
from tests.support.shop import Shop

# More attempts than any case needs. A case that needs more would not end.
MOST_ROUNDS = 60
# The round of delivery in which a lasting fault is lifted, after some attempts met it.
LIFT_IN_ROUND = 2
FIRST, SECOND = "order-1", "order-2"
# The calls of the endpoints, by their names in signals.
CALLS = dict(zip(ENDPOINTS, map(str, Kind), strict=True))
# Faults of the gate that last until it is opened.
NO_CONNECTION = ("shut", "hole")
# Refusals that do not concern the items. Afterwards the refused confirm is redriven.
REDRIVEN = ("401", "422")


def run(case: Case, lane: Lane) -> Facts:
    """Play one case to its end and return what is known."""
    with ExitStack() as stack:
        gate = stack.enter_context(lane.gate()) if case.gate else None
        more: dict[str, Any] = dict(SHORT[case.endpoint]) if case.waits else {}
        if gate is not None:
            more["api_url"] = gate.url
        if case.lasts in ("forever", "redriven"):
            more["confirm_deadline"] = SHORT_DEADLINE if case.lasts == "forever" else NO_TIME
        folder = lane.case_folder()
        shop = stack.enter_context(
            lane.shop(folder, database=case.database, repeat=case.repeat, **more)
        )
        journey = _Journey(case, shop, gate)
        stack.enter_context(upsell_call_made.connected_to(journey.overtake, sender=shop.app))
        return journey.run()


class _Journey:
    def __init__(self, case: Case, shop: Shop, gate: Gate | None) -> None:
        self.case = case
        self.shop = shop
        self.gate = gate
        self.till = Till(shop, shop.shopper())
        self._overtakes: str | None = None

    def run(self) -> Facts:
        case, till = self.case, self.till
        self._at("any", ROKT)
        shown = till.any()
        if shown or case.endpoint != "any":
            till.add_all()
        self._at("reserve")
        quote = till.reserve()
        if case.accept:
            prices = {one["cartItemId"]: one["to"] for one in quote["priceChanges"]}
            till.seen |= {item: Decimal(price) for item, price in prices.items()}
            quote = till.reserve(prices)
        if case.endpoint == "release":
            self._at("release")
            till.release()
            self._work()
            quote = till.reserve()
        self._at("confirm", ROKT_AT_PAY)
        till.pay(FIRST, quote)
        self._at("cancel")
        # The confirm may still be unknown. The cancel must not overtake it.
        till.cancel(FIRST)
        self._work()
        met = self._met()
        self._lift()
        if case.lasts == "redriven" or (case.fault in REDRIVEN and case.lasts == "lifted"):
            self._redrive()
        live = facts.live_at_rokt(self.shop.emulator)
        may_lapse = facts.known_to_us(self.shop)
        if self._lost("reserve", "release"):
            may_lapse |= live  # a lost response, or a refused release
        early = facts.examine(self.shop)
        if case.lasts == "lifted":
            may_lapse |= self._buy_again()
        self._tidy_up()
        return till.facts(
            early=early,
            live=live,
            may_lapse=may_lapse,
            met=met,
            may_refund=case.lasts in ("forever", "redriven") or case.fault in REDRIVEN,
        )

    def _at(self, *endpoints: str) -> None:
        """Set the fault if it is for one of these endpoints."""
        case = self.case
        if case.endpoint not in endpoints:
            return
        if case.fault in OVERTAKEN:
            self._overtakes = CALLS[case.endpoint]
        if self.gate is not None:
            self._spoil(self.gate, case.times)
        if told := case.faults():
            whole = case.endpoint in (ROKT, ROKT_AT_PAY)
            over = ENDPOINTS if whole else (case.endpoint,)
            self.shop.emulator.put("faults", dict.fromkeys(over, told))

    def _spoil(self, gate: Gate, times: int | None) -> None:
        match self.case.gate:
            case "shut":
                gate.shut()
            case "hole":
                gate.swallow()
            case "stall":
                gate.stall(times, self.case.silence)
            case told:
                gate.cut(times, body=told == "cut body")

    def _lift(self) -> None:
        self.shop.emulator.put("faults", {})
        if self.gate is not None:
            self.gate.open()

    def _met(self) -> bool:
        """Tell whether the fault really occurred."""
        case = self.case
        if self.gate is not None and case.gate not in NO_CONNECTION:
            return self.gate.met
        if case.gate is not None:
            return self._lost(*CALLS.values())
        if case.fault in OVERTAKEN:
            return self._overtakes == ""
        return any(entry["fault"] for entry in self.shop.calls())

    def _lost(self, *calls: str, after: int = 0) -> bool:
        """Tell whether one of these calls failed, after so many calls of any kind."""
        heard = self.shop.heard.of("call")[after:]
        return any(told["call"] in calls and told["outcome"] != "done" for told in heard)

    def overtake(self, _app: Flask, **told: Any) -> None:
        """Before an outcome is written, let its lease end and another worker do the same."""
        if told["call"] != self._overtakes:
            return
        self._overtakes = ""
        self.shop.move_clocks(LEASE)
        if told["call"] == "reserve":
            self.till.reserve()
        self.shop.deliver()

    def _redrive(self) -> None:
        """Redrive the calls that were given up, long after, with the usual time limits."""
        if self.case.lasts == "redriven":
            self.shop.move_clocks(LAPSE)
        redrive(self.shop.parts.store, self.shop.parts.outbox, None)
        self._work()

    def _work(self) -> None:
        """Deliver, and move the clocks on, until no call is owed."""
        for n in range(MOST_ROUNDS):
            due = next_due(self.shop)
            if due is None:
                return
            lasts = self.case.lasts
            if lasts == "once" or (lasts == "lifted" and n == LIFT_IN_ROUND):
                # The emulator's faults for one call end by themselves, the gate's do not.
                self._lift_gate() if lasts == "once" else self._lift()
            move_to(self.shop, due)
            self._deliver()

    def _deliver(self) -> None:
        """Deliver the calls that are due: one by one, or as the worker of a server does."""
        if self.case.lasts == "once":
            self.shop.deliver()
            return
        with SenderPool(self.shop.parts.delivery) as draining:
            while draining.step():
                pass

    def _lift_gate(self) -> None:
        # Not before the fault occurred: on a busy machine only the worker may make the call.
        if self.gate is not None and self.case.gate in NO_CONNECTION and self._met():
            self.gate.open()

    def _buy_again(self) -> frozenset[str]:
        """Buy again, without any fault.

        Returns:
            The items that Rokt holds without the shop's knowledge. There are some only if the
            machine was so busy that the reserve exceeded its limit.
        """
        before = len(self.shop.heard.of("call"))
        self.till.add_all()
        self.till.pay(SECOND, self.till.reserve())
        self._work()
        is_lost = self._lost("reserve", after=before)
        return facts.live_at_rokt(self.shop.emulator) if is_lost else frozenset()

    def _tidy_up(self) -> None:
        """Sweep the reservations that were left behind, and let the others expire."""
        parts = self.shop.parts
        self.shop.move_clocks(parts.settings.release_grace + 1)
        self.shop.sweep()
        self._work()
