"""``kill -9`` of a server, a worker or a command, before and after each commit and in each call.

In each case a shopper comes up to a verb. A real process (``rokt-bff serve``, ``deliver`` or
``redrive``) does the verb and is killed meanwhile. It is started again, and the shop goes on with
the clock moved on until no call is owed. Then the invariants are judged.

``dry_run`` lets the process do the same verb unharmed. It returns the commits and calls at which
the process can be killed.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
from sqlalchemy import select

from bff.store.tables import outbox
from tests.campaign import facts
from tests.campaign.cases import HANG, PARKING, REFUSED
from tests.campaign.facts import Facts
from tests.campaign.journey import FIRST
from tests.campaign.lane import LEASE, LIMITS, FileClock, Lane, move_to, next_due
from tests.campaign.operations import Operation
from tests.campaign.points import (
    CHANGED,
    GIVEN_BACK,
    PART,
    REDRIVE,
    SWEEP,
    UNKNOWN,
    Kill,
    Verb,
)
from tests.campaign.process import Forked, OperationFile
from tests.campaign.remote_till import RemoteTill
from tests.campaign.till import Till
from tests.support.processes import clean, settings_for
from tests.support.shop import Shop
from tests.support.waiting import PATIENCE

# Short enough to add no time to a case.
LOOK_AGAIN = 0.02
# Rokt refuses the call without any effect, and so the worker has to make it.
LATER = {"kind": "status", "status": 429}
# The restarted server waits so long for the lease of the killed one. On a busy machine a reserve
# without a fault must take less, or its response would be lost.
RESTARTED = LIMITS | {"reserve_timeout": 3.0}
# For a process that is killed in a call: it must still wait for the response then.
PATIENT = dict.fromkeys(LIMITS, 15.0)
# The time from the last effect of a process to its end, on a busy machine.
DYING = 5.0


def dry_run(verb: Verb, lane: Lane) -> list[Operation]:
    """Let a process do a verb unharmed, and return its commits and calls."""
    with _play(Kill(*verb, point=""), lane) as play:
        play.begin()
        play.do_the_verb()
        return play.operations.all()


def run(kill: Kill, lane: Lane) -> Facts:
    """Play one case to its end and return what is known."""
    with _play(kill, lane) as play:
        return play.run()


@contextmanager
def _play(kill: Kill, lane: Lane) -> Iterator[_Play]:
    folder = lane.case_folder()
    clock = FileClock(folder / "clock")
    with lane.shop(folder, database=kill.database, repeat=kill.repeat, clock=clock) as shop:
        yield _Play(kill, shop, folder)


class _Play:
    def __init__(self, kill: Kill, shop: Shop, folder: Path) -> None:
        self.kill = kill
        self.shop = shop
        self.folder = folder
        self.operations = OperationFile(folder / "operations.txt")
        self.till = Till(shop, shop.shopper())
        self.remote = RemoteTill(self.till)

    def run(self) -> Facts:
        kill = self.kill
        self.begin()
        met = self.do_the_verb()
        self.shop.emulator.put("faults", {})
        if kill.who != "server":
            self.shop.move_clocks(LEASE)
            if kill.verb == REDRIVE:
                with self.process("redrive", FIRST) as again:
                    assert again.wait() == 0, again.printed
            with self.process("deliver") as worker:
                self.settle(worker)
                assert worker.runs, worker.printed
        else:
            with self.server() as (server, url):
                self.remote.do(kill.verb, url)
                self.shop.move_clocks(LEASE)
                self.remote.go_on(url)
                self.settle(server)
        live = facts.live_at_rokt(self.shop.emulator)
        may_lapse = facts.known_to_us(self.shop)
        if kill.verb == GIVEN_BACK or kill.verb.startswith("reserve"):
            may_lapse |= live  # the response was lost with the process
        return self.till.facts(live=live, may_lapse=may_lapse, met=met)

    def begin(self) -> None:
        """Bring the shopper up to the verb. For a worker, leave the call owed."""
        verb, till, rokt = self.kill.verb, self.till, self.shop.emulator
        till.add_all()
        if verb == "reserve":
            return
        if verb == PART:
            dearer = {"kind": "price", "catalogItemId": PARKING, "unitPrice": 14}
            rokt.faults("reserve", dearer)
        quote = self.remote.quote = till.reserve()
        if verb == CHANGED:
            till.add(PARKING, 1)
        if verb == SWEEP:
            till.add(PARKING, 1)
            self.shop.move_clocks(self.shop.parts.settings.release_grace + 1)
            return
        if verb == REDRIVE:
            rokt.faults("confirm", REFUSED)
            till.pay(FIRST, quote)
            return
        if verb == GIVEN_BACK:
            till.release()
        if verb == "cancel":
            till.pay(FIRST, quote)
        if self.kill.who == "server":
            return
        if verb.startswith("confirm"):
            lost = {"kind": "drop", "when": "after"}
            unknown = verb == UNKNOWN
            # A confirm of released items begins with a reserve.
            first = "reserve" if verb == GIVEN_BACK else "confirm"
            rokt.faults(first, lost if unknown else LATER)
            till.pay(FIRST, quote)
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

    def do_the_verb(self) -> bool:
        """Let a process do the verb, and return whether it was killed at its point."""
        before = self.hang()
        if self.kill.who == "server":
            with self.server(armed=True) as (server, url):

                def ask() -> None:
                    with suppress(requests.RequestException):
                        self.remote.do(self.kill.verb, url)

                asking = threading.Thread(target=ask)
                asking.start()
                self.kill_in_call(server, before)
                asking.join(timeout=PATIENCE)
                return self.was_killed(server)
        command = ("redrive", FIRST) if self.kill.who == "command" else ("deliver",)
        with self.process(*command, armed=True) as process:
            self.kill_in_call(process, before)
            if self.kill.who == "worker":
                self.settle(process)
            else:
                process.wait()
            return self.was_killed(process)

    def was_killed(self, process: Forked) -> bool:
        """Tell whether a process was killed at its point, when it has nothing more to do."""
        if not self.kill.point:
            return False
        killed = process.wait(DYING) == -signal.SIGKILL
        return killed and (
            self.kill.hang is not None or self.operations.points()[-1] == self.kill.point
        )

    def hang(self) -> int:
        """Let the call hang in which the process is to be killed.

        Returns:
            How many calls to this endpoint come before it.
        """
        hang = self.kill.hang
        if hang is None:
            return 0
        before = len(self.shop.calls(hang.call)) + hang.earlier
        unharmed = {"kind": "delay", "seconds": 0}
        fault = {"kind": "hang", "seconds": HANG, "when": hang.side}
        self.shop.emulator.faults(hang.call, *[unharmed] * hang.earlier, fault)
        return before

    def kill_in_call(self, process: Forked, before: int) -> None:
        """Kill a process in the call that hangs, if one does."""
        hang, end = self.kill.hang, time.monotonic() + PATIENCE
        while hang is not None and time.monotonic() < end:
            calls = self.shop.calls(hang.call)[before:]
            if calls and not calls[0]["open"]:
                process.kill()
                return
            threading.Event().wait(LOOK_AGAIN)

    @contextmanager
    def server(self, *, armed: bool = False) -> Iterator[tuple[Forked, str]]:
        with self.process("serve", "--port", "0", armed=armed) as server:
            yield server, server.wait_for(r"rokt-bff at (http://\S+)")

    @contextmanager
    def process(self, *command: str, armed: bool = False) -> Iterator[Forked]:
        limits = PATIENT if armed and self.kill.hang else RESTARTED
        environ = settings_for(
            self.shop.emulator.url,
            database_url=self.shop.app.config["ROKT_BFF_DATABASE_URL"],
            **{name: str(value) for name, value in limits.items()},
        )
        environ |= {"CAMPAIGN_CLOCK": str(self.folder / "clock")}
        if armed:
            environ |= {"CAMPAIGN_OPERATIONS": str(self.folder / "operations.txt")}
            environ |= {"CAMPAIGN_POINT": self.kill.point}
        output = self.folder / ("armed.txt" if armed else f"{command[0]}.txt")
        process = Forked(command, clean(environ), output)
        try:
            yield process
        finally:
            process.close()

    def settle(self, process: Forked) -> None:
        """Move the clock on until a process has nothing to deliver any more, or has ended.

        A row under a lease is being sent. The leases of a process that was killed are over: the
        clock is beyond them.
        """
        query = select(outbox.c.next_attempt_at, outbox.c.lease_token).where(
            outbox.c.state == "queued"
        )

        def is_settled() -> bool:
            if not process.runs:
                return True
            if self.kill.verb == SWEEP and PARKING in self.held():
                return False
            with self.shop.parts.store.read() as connection:
                rows = connection.execute(query).all()
            free = [row.next_attempt_at for row in rows if row.lease_token is None]
            if free:
                move_to(self.shop, min(free))
            return not rows

        self.wait_until(is_settled, "calls that are owed are not delivered")

    def held(self) -> set[str]:
        """Return the catalog item ids that Rokt holds and that are not sold."""
        made = self.shop.emulator.state()["reservations"].values()
        return {one["catalogItemId"] for one in made if one["state"] == "reserved"}

    @staticmethod
    def wait_until(what: Callable[[], bool], else_: str) -> None:
        end = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < end, else_
            threading.Event().wait(LOOK_AGAIN)
