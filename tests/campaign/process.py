"""``rokt-bff`` as a process that can be killed, with a clock that the campaign can move.

A campaign starts some two hundred of them. So a server of ``multiprocessing`` imports the package
once, and each process is a fork of that, which then has an environment of its own and runs
``rokt-bff serve``, ``deliver`` or ``redrive`` as the installed command does. ``CAMPAIGN_CLOCK`` in
the environment names the clock's file, ``BFF_FAULT_POINT`` where the process is to end itself.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from unittest.mock import patch

from bff import Upsells, cli, faultpoints
from bff.server import serve as serving
from tests.campaign.lane import FileClock
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

    def wait(self) -> int | None:
        """Wait until it ends; returns its exit code, minus a signal's number, None in vain."""
        self._process.join(PATIENCE)
        return self._process.exitcode

    def close(self) -> None:
        self.kill()
        self.wait()
        self._process.close()


def _main(command: Sequence[str], environ: Mapping[str, str], output: str) -> None:
    """Run a command in a process that was just forked."""
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ.clear()
    os.environ.update(environ)
    importlib.reload(faultpoints)  # which reads the environment once
    clock = FileClock(Path(environ["CAMPAIGN_CLOCK"]))
    with (
        patch.object(serving, "Upsells", partial(Upsells, clock=clock)),
        patch.object(cli, "system_time", clock),
        patch.object(sys, "argv", ["rokt-bff", *command]),
    ):
        cli.main()
