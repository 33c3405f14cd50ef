"""Runs cases side by side, each in a lane of its own, and lays out the table of results."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.campaign import journey, kills
from tests.campaign.breakages import is_noticed
from tests.campaign.cases import Case, Database
from tests.campaign.lane import Lane
from tests.campaign.operations import Operation
from tests.campaign.points import Kill, Operations, Verb
from tests.campaign.verdict import Violation, judge, the_fault_was_met
from tests.support.databases import Databases

Row = tuple[str, str]
# A case in which its fault did not occur proves nothing, and is played again. On a very busy
# machine an earlier call may exceed its limit, and then the call with the fault is not made.
TRIES = 3


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise whose line of code is broken in a copy. Its test must fail there."""

    promise: int
    database: Database = "sqlite"

    @property
    def row(self) -> Row:
        """The row of the table that it is counted in."""
        return "code broken", f"promise {self.promise}"

    @property
    def name(self) -> str:
        """The case in words."""
        return f"code broken, promise {self.promise}"


Played = Case | Kill | Broken


class Campaign:
    """A number of lanes. A context manager. Cases wait for a free lane."""

    def __init__(self, lanes: int) -> None:
        self._stack = ExitStack()
        self._databases = databases = Databases()
        self._starting = threading.Lock()
        self._stack.callback(databases.stop)
        self._free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        for _ in range(lanes):
            self._free.put(self._stack.enter_context(Lane(databases)))
        self._pool = self._stack.enter_context(ThreadPoolExecutor(max_workers=lanes))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._stack.close()

    def submit(self, case: Played) -> Future[list[Violation]]:
        """Run a case as soon as a lane is free."""
        return self._pool.submit(self._run, case)

    def dry_runs(self, verbs: Sequence[Verb]) -> Operations:
        """Let processes do these verbs unharmed, and return the commits and calls of each."""
        return dict(zip(verbs, self._pool.map(self._dry_run, verbs), strict=True))

    def _dry_run(self, verb: Verb) -> Sequence[Operation]:
        lane = self._free.get()
        try:
            return kills.dry_run(verb, lane)
        finally:
            self._free.put(lane)

    def _run(self, case: Played) -> list[Violation]:
        lane = self._free.get()
        try:
            if case.database == "postgresql":
                with self._starting:
                    self._databases.postgresql  # noqa: B018 - starts it, once for all lanes
            if isinstance(case, Broken):
                noticed, _ = is_noticed(case.promise, lane.case_folder())
                return [] if noticed else [Violation("the_test_fails", "no test noticed")]
            for _ in range(TRIES):
                found = judge(
                    kills.run(case, lane) if isinstance(case, Kill) else journey.run(case, lane)
                )
                if [one.invariant for one in found] != [the_fault_was_met.__name__]:
                    break
            return found
        finally:
            self._free.put(lane)


def table(results: Iterable[tuple[Played, Sequence[Violation]]]) -> tuple[str, int]:
    """Lay out the cases and violations of each row. Returns the text and the sum of violations."""
    rows: dict[Row, list[int]] = {}
    for case, violations in results:
        count = rows.setdefault(case.row, [0, 0])
        count[0] += 1
        count[1] += len(violations)
    cases, violations_in_all = (sum(count[n] for count in rows.values()) for n in (0, 1))
    lines = [_line("where", "what", "cases", "violations")]
    lines += [_line(where, what, *count) for (where, what), count in rows.items()]
    lines += [_line("in all", "", cases, violations_in_all)]
    return "\n".join(lines), violations_in_all


def run_all(
    campaign: Campaign, cases: Iterable[Played], echo: Callable[[str], object]
) -> list[tuple[Played, list[Violation]]]:
    """Run all of these, and print each violation and the progress.

    The last cases take longest and run first, so that all lanes are busy until the end.
    """
    results: list[tuple[Played, list[Violation]]] = []
    futures = [(case, campaign.submit(case)) for case in reversed([*cases])]
    for n, (case, future) in enumerate(futures, 1):
        try:
            violations = future.result()
        except Exception as error:
            violations = [Violation("the_case_ended", f"{type(error).__name__}: {error}")]
        for violation in violations:
            echo(f"{case.name}: {violation}")
        if n % 50 == 0:
            echo(f"{n} of {len(futures)} cases")
        results.append((case, violations))
    return results[::-1]


def _line(where: str, what: str, cases: object, violations: object) -> str:
    return f"{where:<18}  {what:<24}{cases:>6}  {violations:>10}"
