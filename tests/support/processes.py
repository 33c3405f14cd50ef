"""Commands of the package as real processes: started, waited for, asked and stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path

from click.testing import CliRunner

from bff.cli import main
from tests import TOP
from tests.support.shop import AMPLE, ONE_ADDRESS
from tests.support.waiting import PATIENCE

# A console script stands beside the interpreter that it was installed for.
SCRIPTS = Path(sys.executable).parent
ROKT_BFF = str(SCRIPTS / "rokt-bff")


class Started:
    """A process, and what it has printed so far."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        self.process = subprocess.Popen(
            command,
            env=environ,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._changed = threading.Condition()
        self._text = ""
        self._ended = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self._text += line
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def printed(self) -> str:
        with self._changed:
            return self._text

    def wait_for(self, pattern: str) -> str:
        """Wait until it prints this; returns the pattern's first group."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or re.search(pattern, self._text), timeout=PATIENCE
            )
            found = re.search(pattern, self._text)
            assert found, f"{pattern!r} is not in what was printed:\n{self._text}"
            return found[1]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE)

    def pause(self) -> None:
        """Let it hang, until ``resume``."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=PATIENCE)
        self._reader.join(timeout=PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def started(
    *command: str, folder: Path, environ: Mapping[str, str] | None = None
) -> Iterator[Started]:
    """Run a command beside the test, in ``folder``, with nothing set but ``environ``."""
    process = Started(command, clean(environ), folder)
    try:
        yield process
    finally:
        process.close()


def ran(
    *command: str, folder: Path, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command,
        env=clean(environ),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def refused(*arguments: str, folder: Path, environ: Mapping[str, str] | None = None) -> str:
    """Run a ``rokt-bff`` command that must refuse to start, and return what it printed.

    It runs in this process, which is a second quicker than a process of its own.
    """
    unset = {name: None for name in os.environ if "ROKT_BFF" in name}
    with chdir(folder):
        done = CliRunner().invoke(main, arguments, env=unset | dict(environ or {}))
    assert isinstance(done.exception, SystemExit), done.output
    assert done.exit_code == 1, done.output
    return done.output


def clean(environ: Mapping[str, str] | None) -> dict[str, str]:
    """Return this process's environment without any setting of ours, and with these."""
    kept = {k: v for k, v in os.environ.items() if "ROKT_BFF" not in k and k != "PYTHONPATH"}
    if os.environ.get("PYTHONPATH") == str(
        TOP
    ):  # a copy of the package: see ``tests.campaign.breakages``
        kept["PYTHONPATH"] = str(TOP)
    return kept | dict(environ or {})


def settings_for(emulator_url: str, **more: str) -> dict[str, str]:
    """Return what ``rokt-bff serve`` needs to work with an emulator."""
    return {
        "ROKT_BFF_API_URL": emulator_url,
        "ROKT_BFF_API_KEY": "emulator-key",
        "ROKT_BFF_TAG_ID": "emulator-tag",
        "ROKT_BFF_SECRET_KEY": "a secret of the tests",
        "ROKT_BFF_SERVER_KEY": "server-key-of-thirty-two-letters",
        **{name: str(value) for name, value in (AMPLE | ONE_ADDRESS).items()},
    } | {f"ROKT_BFF_{name.upper()}": value for name, value in more.items()}
