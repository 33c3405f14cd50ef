"""Named points at which a test ends the process, as a crash of the machine would.

A point does nothing unless the environment variable ``BFF_FAULT_POINT`` names it. The tests
kill a server and a delivery worker at every one of ``POINTS``, start again, and look whether
anything that was paid for got lost.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    # A name that ends in -ing is within a transaction: all is written, nothing is committed.
    # reserve: asked rows and lease written / answer here, not written / quote written
    "reserve.starting",
    "reserve.started",
    "reserve.answered",
    "reserve.settling",
    "reserve.settled",
    # confirm: order, items, owed call and new cart written
    "confirm.recording",
    "confirm.recorded",
    # confirm of what is gone: held back / reserved anew, not written / old confirm replaced
    "renew.held_back",
    "renew.answered",
    "renew.replacing",
    "renew.replaced",
    # release and cancel: owed, not sent
    "release.owing",
    "release.owed",
    "cancel.owing",
    "cancel.owed",
    # the sweep's releases, and what is redriven: owed, not sent
    "sweep.owing",
    "sweep.owed",
    "redrive.owing",
    "redrive.owed",
    # every owed call: claimed by delivery / answer here, not written / written, not told
    "delivery.claimed",
    "delivery.answered",
    "delivery.settling",
    "delivery.settled",
)


_armed = os.environ.get("BFF_FAULT_POINT")


def reach(point: str) -> None:
    """End the process on the spot when this point is armed."""
    if point == _armed:
        os.kill(os.getpid(), signal.SIGKILL)
