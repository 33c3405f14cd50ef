"""What all tests share: an emulator of Rokt, databases, and shops wired to them.

A test that uses a shop or a database runs on each kind of database. In the folders of
``ANY_DATABASE`` it runs on SQLite. In those of ``RULES`` a parametrized test runs on PostgreSQL
with its first case alone. Markers change that for a test: ``both_databases``, ``sqlite`` (it is
about SQLite's files), ``postgresql`` (about locked rows). ``--database`` names one kind for a quick
run, or ``both`` for everything. Where PostgreSQL cannot be started its tests are skipped, and the
summary says so; with CI=true that is a failure.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.databases import KINDS, CannotStart, Databases, NewDatabase
from tests.support.emulator_client import Client, running
from tests.support.shop import Shop, Shopper

pytest_plugins = ["tests.support.browser"]

# On a busy machine a generated value may take long to make, and to be tested.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

HERE = Path(__file__).parent
# What takes long begins first, so that no process is left alone with it at the end.
ORDER = (
    "browser",
    "campaign",
    "security",
    "integration/server",
    "integration/store",
    "integration/outbox",
    "integration/rokt",
    "integration/ops",
    "integration/checkout",
    "demo",
    "project",
    "integration",
    "emulator",
    "unit",
)
# What these folders test does not depend on the kind of database: one kind will do.
ANY_DATABASE = ("integration/web", "integration/extension", "integration/rokt", "security", "demo")

# Here a test's first case runs on both, its further cases on SQLite: they are about a rule.
RULES = ("integration/checkout", "integration/outbox", "integration/ops")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=(*KINDS, "both"),
        help="which databases the tests run on (default: both, where a folder is about databases)",
    )


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "sqlite: is about SQLite's files, and runs on SQLite alone",
        "postgresql: is about PostgreSQL's locks, and runs there alone",
        "both_databases: runs on both with all its cases, whatever its folder",
    ):
        config.addinivalue_line("markers", marker)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames:
        kinds = kinds_for(metafunc.definition, metafunc.config.getoption("--database"))
        metafunc.parametrize("database_kind", kinds, indirect=True, scope="session")


def kinds_for(test: pytest.Item, asked: str | None) -> tuple[str, ...]:
    """Return the kinds of database that a test runs on."""
    for kind in KINDS:
        if test.get_closest_marker(kind):
            return (kind,)
    if asked in KINDS:
        return (asked,)
    either = place_in(ANY_DATABASE, test) < len(ANY_DATABASE)
    if either and asked != "both" and not test.get_closest_marker("both_databases"):
        return ("sqlite",)
    return KINDS


def place_in(folders: Sequence[str], test: pytest.Item) -> int:
    """Return the index of the folder that has the test; their number for none."""
    found = test.path.relative_to(HERE)
    return next((n for n, one in enumerate(folders) if found.is_relative_to(one)), len(folders))


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest, databases: Databases) -> str:
    """The kind of database that this test runs on; skips it where that cannot be had."""
    kind: str = request.param
    ready(databases, kind)
    return kind


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    made = Databases()
    yield made
    made.stop()


@pytest.fixture
def new_database(databases: Databases, database_kind: str, tmp_path: Path) -> Iterator[NewDatabase]:
    """Make a database and give its URL: with our tables, or ``new_database(empty=True)``."""
    with databases.maker(database_kind, tmp_path) as new:
        yield new


def ready(databases: Databases, kind: str) -> None:
    """Skip the test where its kind of database cannot be had."""
    try:
        if kind == "postgresql":
            databases.postgresql  # noqa: B018 - starts it
    except CannotStart as error:
        if os.environ.get("CI") == "true":
            raise
        raise pytest.skip.Exception(str(error)) from None


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Client]:
    with running() as client:
        yield client


@pytest.fixture
def emulator(running_emulator: Client) -> Client:
    """An emulator as if it had just been started."""
    running_emulator.reset()
    return running_emulator


@pytest.fixture
def make_shop(
    emulator: Client, tmp_path: Path, new_database: NewDatabase
) -> Iterator[Callable[..., Shop]]:
    """Make a shop with these settings: ``make_shop(max_lines=2, SESSION_COOKIE_SECURE=True)``.

    A lower-case name stands for ``ROKT_BFF_…``, others are Flask's own.
    """
    shops: list[Shop] = []

    def make(**settings: Any) -> Shop:
        folder = tmp_path / f"shop-{len(shops)}"
        folder.mkdir()
        config = {k if k.isupper() else f"ROKT_BFF_{k.upper()}": v for k, v in settings.items()}
        shop = Shop(emulator, folder, {"ROKT_BFF_DATABASE_URL": new_database()} | config)
        shops.append(shop)
        return shop

    yield make
    for shop in shops:
        shop.close()


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop()


@pytest.fixture
def shopper(shop: Shop) -> Shopper:
    return shop.shopper()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Close what a file's shops left open: their connections to Rokt are in circles of objects.

    A server in this process cannot use a descriptor beyond the first 1,024.
    """
    yield
    if nextitem is None or nextitem.path != item.path:
        gc.collect()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """End an outage with its test: a full disk must not meet pytest's own writing of the result."""
    try:
        return (yield)
    finally:
        outage: Any = pyfuncitem.funcargs.get("outage")
        if outage is not None:
            outage.end()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: place_in(ORDER, item))
    if config.getoption("--database") is None:
        again = set(further_cases(items))
        items[:] = [item for item in items if item not in again]
        config.hook.pytest_deselected(items=list(again))


def further_cases(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    """Give the cases on PostgreSQL of rules of which a case runs there already."""
    seen = set()
    for item in items:
        if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
            continue
        both = item.get_closest_marker("both_databases") or place_in(RULES, item) == len(RULES)
        if item.callspec.params.get("database_kind") != "postgresql" or both:
            continue
        test = (item.path, item.originalname)
        if test in seen and not item.get_closest_marker("postgresql"):
            yield item
        seen.add(test)
