"""``rokt-bff`` as a process that can be killed, with a clock that the campaign can move.

A campaign starts some three hundred of them. So a server of ``multiprocessing`` imports the package
once. Each process is a fork of it with an environment of its own. It runs ``rokt-bff serve``,
``deliver`` or ``redrive`` as the installed command does.

Its environment names the clock's file (``CAMPAIGN_CLOCK``), the file to which the process writes
its commits and calls (``CAMPAIGN_OPERATIONS``), and the point at which it kills itself
(``CAMPAIGN_POINT``).
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from unittest.mock import patch

from bff import Upsells, cli
from bff.server import serve as serving
from tests.campaign.lane import FileClock
from tests.campaign.operations import Operation, Side, watched
from tests.support.waiting import PATIENCE

# What a process needs beside its first imports; "__main__" is imported by each, unless it is here.
PRELOADED = ["__main__", __name__, "waitress.server", "psycopg", "bff.store.schema"]
LOOK_AGAIN = 0.01

_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(PRELOADED)


class Forked:
    """A running command, and what it has printed so far."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], output: Path) -> None:
        self._output = output
        output.touch()
        self._process = _forking.Process(
            target=_main, args=[list(command), dict(environ), str(output)]
        )
        self._process.start()

    @property
    def printed(self) -> str:
        return self._output.read_text()

    def wait_for(self, pattern: str) -> str:
        """Wait until it prints this; returns the pattern's first group."""
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.printed)):
            ended = not self._process.is_alive() or time.monotonic() > end
            assert not ended, f"{pattern!r} is not in what was printed:\n{self.printed}"
            time.sleep(LOOK_AGAIN)
        return found[1]

    def kill(self) -> None:
        """``kill -9``."""
        self._process.kill()

    @property
    def runs(self) -> bool:
        return self._process.is_alive()

    def wait(self, seconds: float = PATIENCE) -> int | None:
        """Wait until it ends.

        Returns:
            Its exit code, minus the number of the signal that ended it; None while it runs.
        """
        self._process.join(seconds)
        return self._process.exitcode

    def close(self) -> None:
        self.kill()
        self.wait()
        self._process.close()


class OperationFile:
    """The operations of a process, a line for each of their sides."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, side: Side, operation: Operation) -> None:
        """Write a line that stays when the process is killed."""
        with self._path.open("a") as file:
            file.write(f"{operation.at(side)} {operation.call}\n")

    def points(self) -> list[str]:
        """Return the points that were reached, in this order."""
        return [" ".join(words[:3]) for words in self._lines()]

    def all(self) -> list[Operation]:
        """Return the operations that were begun, in this order."""
        return [
            Operation("call" if kind == "call" else "commit", int(number), *call)
            for side, kind, number, *call in self._lines()
            if side == "before"
        ]

    def _lines(self) -> list[list[str]]:
        if not self._path.exists():
            return []
        return [line.split() for line in self._path.read_text().splitlines()]


def _main(command: Sequence[str], environ: Mapping[str, str], output: str) -> None:
    """Run a command in a process that was just forked."""
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ.clear()
    os.environ.update(environ)
    clock = FileClock(Path(environ["CAMPAIGN_CLOCK"]))
    with (
        patch.object(serving, "Upsells", partial(Upsells, clock=clock)),
        patch.object(cli, "system_time", clock),
        patch.object(sys, "argv", ["rokt-bff", *command]),
        ExitStack() as stack,
    ):
        if "CAMPAIGN_OPERATIONS" in environ:
            told = OperationFile(Path(environ["CAMPAIGN_OPERATIONS"]))
            stack.enter_context(watched(partial(_reach, told, environ["CAMPAIGN_POINT"])))
        cli.main()


def _reach(file: OperationFile, point: str, side: Side, operation: Operation) -> None:
    """Write the operation down, and kill this process if this is the point."""
    file.add(side, operation)
    if operation.at(side) == point:
        os.kill(os.getpid(), signal.SIGKILL)
