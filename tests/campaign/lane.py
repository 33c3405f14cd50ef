"""A lane runs cases one after another, with one emulator and a new shop for each case."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import select

from bff.emulator import EmulatorServer
from bff.store.tables import outbox
from tests.campaign.cases import ROKT, ROKT_AT_PAY
from tests.campaign.gate import Gate
from tests.support.databases import Databases
from tests.support.emulator_client import Client
from tests.support.shop import Clock, Shop

# Calls without a fault are far below these limits, also on a busy machine.
LIMITS = {
    "connect_timeout": 10.0,
    "placements_timeout": 10.0,
    "reserve_timeout": 10.0,
    "confirm_timeout": 10.0,
}
# The limits of the calls that hang: a campaign has hundreds of them. A release has the limit of
# its request, or the worker's.
_CONNECT = {"connect_timeout": 0.8}
_PLACEMENTS = _CONNECT | {"placements_timeout": 1.0}
_RESERVE = _CONNECT | {"reserve_timeout": 1.5}
_CONFIRM = _CONNECT | {"confirm_timeout": 1.5}
_RELEASE = _RESERVE | _CONFIRM
SHORT: Mapping[str, Mapping[str, float]] = {
    "any": _PLACEMENTS,
    "reserve": _RESERVE,
    "confirm": _CONFIRM,
    "release": _RELEASE,
    "cancel": _CONFIRM,
    ROKT: _PLACEMENTS | _RELEASE,
    ROKT_AT_PAY: _RELEASE,
}
# Allowed beyond a limit, for a very busy machine. A shop that waits for a hanging Rokt exceeds it:
# the longest limit of a request and this slack are shorter than ``cases.HANG`` together.
SLACK = 25.0
# Longer than the lease of a process that was killed.
LEASE = 31.0
# Calls with a lasting fault are given up after it. The real 72 hours would be hundreds of calls.
SHORT_DEADLINE = 20.0
# Given up at the first attempt. Then only the row shows whether that may have taken effect.
NO_TIME = 0.001
# Longer than a reservation lasts.
LAPSE = 700.0


class Lane:
    """An emulator, a folder and databases. A context manager, for one thread at a time."""

    def __init__(self, databases: Databases) -> None:
        self._stack = ExitStack()
        self._databases = databases
        self.folder = Path(tempfile.mkdtemp(prefix="campaign-"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        server = self._stack.enter_context(EmulatorServer())
        self.emulator = Client(server.url)
        self._stack.callback(self.emulator.http.close)
        self._numbers = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def case_folder(self) -> Path:
        """Make a folder for the next case."""
        self._numbers += 1
        folder = self.folder / str(self._numbers)
        folder.mkdir()
        return folder

    def gate(self) -> AbstractContextManager[Gate]:
        """Put a gate before the emulator."""
        return Gate(self.emulator.url)

    @contextmanager
    def shop(
        self,
        folder: Path,
        *,
        database: str = "sqlite",
        repeat: str = "ok",
        clock: Clock | None = None,
        **settings: Any,
    ) -> Iterator[Shop]:
        """Open a shop, and reset the emulator to its state at the start."""
        self.emulator.reset()
        self.emulator.put("settings", {"repeatConfirm": repeat, "repeatCancel": repeat})
        with self._databases.maker(database, folder) as new:
            given = LIMITS | {"database_url": new()} | settings
            config = {f"ROKT_BFF_{k.upper()}": v for k, v in given.items()}
            shop = Shop(self.emulator, folder, config, clock)
            try:
                yield shop
            finally:
                shop.close()
                shutil.rmtree(folder, ignore_errors=True)


def next_due(shop: Shop) -> datetime | None:
    """Return when the next owed call may be attempted, or None when no call is owed."""
    query = select(outbox.c.next_attempt_at, outbox.c.lease_until).where(outbox.c.state == "queued")
    with shop.parts.store.read() as connection:
        times = [
            max(row.next_attempt_at, row.lease_until or row.next_attempt_at)
            for row in connection.execute(query)
        ]
    return min(times, default=None)


def move_to(shop: Shop, when: datetime) -> None:
    """Move the shop's and Rokt's clocks on to this time."""
    ahead = (when - shop.clock()).total_seconds()
    if ahead > 0:
        shop.move_clocks(ahead + 0.01)


class FileClock(Clock):
    """A clock that several processes share. A file has the seconds that it is ahead."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._seconds())

    def move(self, seconds: float) -> None:
        """Move the clock on. The file is replaced, so that no process reads half of it."""
        new = self._path.with_suffix(".new")
        new.write_text(str(self._seconds() + seconds))
        new.replace(self._path)

    def _seconds(self) -> float:
        return float(self._path.read_text()) if self._path.exists() else 0.0
