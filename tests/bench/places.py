"""What the benchmarks run on: an emulator as a process, and databases that are really durable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from tests.support.databases import Databases
from tests.support.emulator_client import Client
from tests.support.processes import ROKT_BFF, Started, started

# The tests' server forgets a crash of the machine for speed; what is measured here must not.
DURABLE = ("fsync", "synchronous_commit", "full_page_writes", "autovacuum")


@contextmanager
def emulator(folder: Path) -> Iterator[tuple[Client, Started]]:
    """Run the emulator as a process of its own, with plenty of one thing to sell."""
    with started(ROKT_BFF, "emulator", "--port", "0", folder=folder) as process:
        client = Client(process.wait_for(r"emulator at (\S+)"))
        start_over(client)
        yield client, process


def start_over(client: Client) -> None:
    """Let an emulator have sold nothing yet, of plenty of one thing that it holds for a day."""
    client.reset()
    client.put("settings", {"reservationSeconds": 86400})
    client.put("catalog", {"items": [{"catalogItemId": "parking.standard", "stock": 10**8}]})


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """Make a database with our tables and give its URL."""
    databases = Databases()
    try:
        if kind == "postgresql":
            _make_durable(databases.postgresql.url("postgres"))
        with databases.maker(kind, folder) as new:
            yield new()
    finally:
        databases.stop()


def _make_durable(url: str) -> None:
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for name in DURABLE:
            connection.execute(text(f"ALTER SYSTEM SET {name} = on"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


def table(title: str, rows: Sequence[Sequence[object]]) -> None:
    """Print a small table; its first row has the names."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in texts) for n in range(len(texts[0]))]
    print(f"\n{title}")
    for row in texts:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  " + "  ".join(cells), flush=True)
