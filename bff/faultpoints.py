"""Named points at which a test ends the process, as a crash of the machine would.

A point does nothing unless the environment variable ``BFF_FAULT_POINT`` names it. The tests
kill a server and a delivery worker at every one of ``POINTS``, start again, and look whether
anything that was paid for got lost.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    # reserve: asked rows and lease written / answer here, not written / quote written
    "reserve.started",
    "reserve.answered",
    "reserve.settled",
    # confirm: order and owed call written / new reservations written, old confirm replaced
    "confirm.recorded",
    "confirm.renewed",
    # release and cancel: owed, not sent
    "release.owed",
    "cancel.owed",
    # every owed call: claimed by delivery / answer here, not written / written, not told
    "delivery.claimed",
    "delivery.answered",
    "delivery.settled",
)

_armed = os.environ.get("BFF_FAULT_POINT")


def reach(point: str) -> None:
    """End the process on the spot when this point is armed."""
    if point == _armed:
        os.kill(os.getpid(), signal.SIGKILL)
