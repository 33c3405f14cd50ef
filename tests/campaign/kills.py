"""``kill -9`` of a server, a delivery worker, a command: at every named point, within every call.

Each case: a shop's shopper comes up to a verb; a real process (``rokt-bff serve``, ``deliver`` or
``redrive``) does it and is killed on the way; it is started again, without its fault point, and
the shop goes on as a shop would, with the clock moved on until nothing is owed. Then the
invariants are judged.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import select

from bff.store.tables import outbox
from tests.campaign import facts
from tests.campaign.cases import HANG, PARKING, REFUSED
from tests.campaign.facts import Facts, Step
from tests.campaign.journey import FIRST
from tests.campaign.lane import LEASE, LIMITS, FileClock, Lane, move_to, next_due
from tests.campaign.points import CALLS, GIVEN_BACK, REDRIVE, SWEEP, UNKNOWN, Kill
from tests.campaign.process import Forked
from tests.campaign.till import Till
from tests.support.processes import clean, settings_for
from tests.support.shop import SERVER, Shop, bearer
from tests.support.waiting import PATIENCE

# Longer than it takes to ask whether a call has come, short enough not to be waited for.
LOOK_AGAIN = 0.02
# Sent away before anything happened: what is owed then is the worker's.
LATER = {"kind": "status", "status": 429}
# The restarted server finds the lease of the dead one taken, and gives up on it in this time. On a
# busy machine an honest reserve must not take so long: its answer would be lost.
RESTARTED = LIMITS | {"reserve_timeout": 3.0}
# The process that is killed in a call must still wait for its answer then.
PATIENT = dict.fromkeys(LIMITS, 15.0)


def run(kill: Kill, lane: Lane) -> Facts:
    """Play one case to its end and return what is known."""
    folder = lane.case_folder()
    clock = FileClock(folder / "clock")
    with lane.shop(folder, database=kill.database, repeat=kill.repeat, clock=clock) as shop:
        return _Play(kill, shop, folder / "clock").run()


class _Play:
    def __init__(self, kill: Kill, shop: Shop, clock_file: Path) -> None:
        self.kill = kill
        self.shop = shop
        self.clock_file = clock_file
        self.till = Till(shop, shop.shopper())
        self.quote: Any = None

    def run(self) -> Facts:
        kill = self.kill
        self.begin()
        met = self.kill_server() if kill.who == "server" else self.kill_process()
        self.shop.emulator.put("faults", {})
        if kill.who != "server":
            self.shop.move_clocks(LEASE)
            if kill.verb == REDRIVE:
                with self.process("redrive", FIRST) as again:
                    assert again.wait() == 0, again.printed
            with self.process("deliver"):
                if kill.verb == SWEEP:
                    self.wait_until(lambda: PARKING not in self.held(), "nothing is swept")
                self.settle()
        else:
            with self.server() as (_, url):
                self.do(url)
                self.shop.move_clocks(LEASE)
                self.go_on(url)
                self.settle()
        live = facts.live_at_rokt(self.shop.emulator)
        may_lapse = facts.known_to_us(self.shop)
        if kill.verb == GIVEN_BACK or kill.verb.startswith("reserve"):
            may_lapse |= live  # whose answer died with the process
        return self.till.facts(live=live, may_lapse=may_lapse, met=met)

    def begin(self) -> None:
        """Bring the shopper up to the verb; for a worker, leave the call owed."""
        verb, till, rokt = self.kill.verb, self.till, self.shop.emulator
        till.add_all()
        if verb == "reserve":
            return
        if verb == "confirm of a part":
            dearer = {"kind": "price", "catalogItemId": PARKING, "unitPrice": 14}
            rokt.faults("reserve", dearer)
        self.quote = till.reserve()
        if verb == "reserve of a changed line":
            till.add(PARKING, 1)
        if verb == SWEEP:
            till.add(PARKING, 1)
            self.shop.move_clocks(self.shop.parts.settings.release_grace + 1)
            return
        if verb == REDRIVE:
            rokt.faults("confirm", REFUSED)
            till.pay(FIRST, self.quote)
            return
        if verb == GIVEN_BACK:
            till.release()
        if verb == "cancel":
            till.pay(FIRST, self.quote)
        if self.kill.who == "server":
            return
        if verb.startswith("confirm"):
            lost = {"kind": "drop", "when": "after"}
            unknown = verb == UNKNOWN
            # Reserving anew comes first where something was given back.
            first = "reserve" if verb == GIVEN_BACK else "confirm"
            rokt.faults(first, lost if unknown else LATER)
            till.pay(FIRST, self.quote)
            if unknown:
                till.cancel(FIRST)
        if verb == "release":
            rokt.faults("release", LATER)
            till.release()
        if verb == "cancel":
            rokt.faults("cancel", LATER)
            till.cancel(FIRST)
        due = next_due(self.shop)
        assert due is not None
        move_to(self.shop, due)

    def do(self, url: str) -> None:
        """Do the verb at a server, as the page or the shop's backend does."""
        verb, till = self.kill.verb, self.till
        if verb.startswith("reserve"):
            quote = self.request(url, "/cart/reserve", LIMITS["reserve_timeout"])
            self.note(quote)
        elif verb.startswith("confirm"):
            till.paid[FIRST] = facts.charged_of(self.quote)
            self.pay(url)
        elif verb == "release":
            self.request(url, "/cart/release", LIMITS["reserve_timeout"])
        else:
            self.request(url, f"/orders/{FIRST}/cancel", 2 * LIMITS["confirm_timeout"], {})
            if till.steps[-1].status == 200:
                till.to_cancel += [(FIRST, one.cart_item_id) for one in till.paid[FIRST]]

    def go_on(self, url: str) -> None:
        """Go on to a paid order, where the verb was not one of an order."""
        if FIRST in self.till.paid:
            return
        quote = self.request(url, "/cart/reserve", LIMITS["reserve_timeout"])
        self.note(quote)
        self.till.paid[FIRST] = facts.charged_of(self.quote)
        self.pay(url)

    def note(self, quote: Any) -> None:
        self.quote = quote
        for item in facts.charged_of(quote):
            held = facts.totals_held(self.shop.emulator, item.cart_item_id)
            self.till.locked.append((item, held))

    def pay(self, url: str) -> None:
        limit = LIMITS["confirm_timeout"] + LIMITS["connect_timeout"]
        body = {"handle": self.till.shopper.handle, "orderId": FIRST}
        self.request(url, "/orders", limit, body | {"quoteId": self.quote["quoteId"]})

    def request(self, url: str, path: str, limit: float, body: Any = None) -> Any:
        """POST as a page does, or, with a body, as the shop's backend does; notes how it went."""
        page = bearer(self.till.shopper.handle)
        start = time.monotonic()
        answer = requests.post(
            url + path,
            json={} if body is None else body,
            headers=page if body is None else SERVER,
            timeout=PATIENCE,
        )
        told = answer.json()
        media_type = answer.headers["Content-Type"]
        spent = time.monotonic() - start
        code = told.get("code") if isinstance(told, dict) else None
        self.till.steps.append(Step(path, spent, limit, answer.status_code, media_type, code))
        return told

    def kill_server(self) -> bool:
        """Let a server be killed while it does the verb; tells whether it was."""
        with self.server(armed=True) as (server, url):
            before = self.hang()

            def ask() -> None:
                with suppress(requests.RequestException):
                    self.do(url)

            asking = threading.Thread(target=ask)
            asking.start()
            ended = self.ends(server, before)
            asking.join(timeout=PATIENCE)
        return ended

    def kill_process(self) -> bool:
        """Let a worker be killed while it works, or a command; tells whether it was."""
        before = self.hang()
        command = ("redrive", FIRST) if self.kill.who == "command" else ("deliver",)
        with self.process(*command, armed=True) as process:
            return self.ends(process, before)

    def hang(self) -> int:
        """Let the call hang during which the process is killed; tells how many came before it."""
        if not self.kill.hangs:
            return 0
        call = CALLS[self.kill.verb]
        before = len(self.shop.calls(call))
        fault = {"kind": "hang", "seconds": HANG, "when": self.kill.hangs}
        self.shop.emulator.faults(call, fault)
        return before

    def ends(self, process: Forked, before: int) -> bool:
        """Wait until a process is killed at its point, or kill it in the call that hangs."""
        end = time.monotonic() + PATIENCE
        while self.kill.hangs and time.monotonic() < end:
            calls = self.shop.calls(CALLS[self.kill.verb])[before:]
            if calls and not calls[0]["open"]:
                process.kill()
                break
            threading.Event().wait(LOOK_AGAIN)
        return process.wait() == -signal.SIGKILL

    @contextmanager
    def server(self, *, armed: bool = False) -> Iterator[tuple[Forked, str]]:
        with self.process("serve", "--port", "0", armed=armed) as server:
            yield server, server.wait_for(r"rokt-bff at (http://\S+)")

    @contextmanager
    def process(self, *command: str, armed: bool = False) -> Iterator[Forked]:
        limits = PATIENT if armed and self.kill.hangs else RESTARTED
        environ = settings_for(
            self.shop.emulator.url,
            database_url=self.shop.app.config["ROKT_BFF_DATABASE_URL"],
            **{name: str(value) for name, value in limits.items()},
        )
        environ |= {"CAMPAIGN_CLOCK": str(self.clock_file)}
        if armed and not self.kill.hangs:
            environ["BFF_FAULT_POINT"] = self.kill.point
        output = self.clock_file.with_name("armed.txt" if armed else f"{command[0]}.txt")
        process = Forked(command, clean(environ), output)
        try:
            yield process
        finally:
            process.close()

    def settle(self) -> None:
        """Move the clock on until the running process has nothing to deliver any more.

        A row under a lease is in work: what the killed left behind is not, for the clock is
        beyond that.
        """
        query = select(outbox.c.next_attempt_at, outbox.c.lease_token).where(
            outbox.c.state == "queued"
        )

        def is_settled() -> bool:
            with self.shop.parts.store.read() as connection:
                rows = connection.execute(query).all()
            free = [row.next_attempt_at for row in rows if row.lease_token is None]
            if free:
                move_to(self.shop, min(free))
            return not rows

        self.wait_until(is_settled, "what is owed is not delivered")

    def held(self) -> set[str]:
        """Return the catalogue ids of what Rokt holds, and nobody has bought."""
        made = self.shop.emulator.state()["reservations"].values()
        return {one["catalogItemId"] for one in made if one["state"] == "reserved"}

    @staticmethod
    def wait_until(what: Callable[[], bool], else_: str) -> None:
        end = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < end, else_
            threading.Event().wait(LOOK_AGAIN)
