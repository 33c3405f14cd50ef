"""What all tests share: an emulator of Rokt, databases, and shops wired to them.

A test that uses a shop or a database runs on each kind of database (``--database`` names one,
for a quick run); ``@pytest.mark.sqlite`` keeps one that is about SQLite's files to SQLite, and
``@pytest.mark.postgresql`` one about locked rows to PostgreSQL. Where PostgreSQL cannot be started
its tests are skipped, and the summary says so; with CI=true that is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import KINDS, CannotStart, Databases, NewDatabase
from tests.support.emulator_client import Client, running
from tests.support.shop import Shop, Shopper

pytest_plugins = ["tests.support.browser"]

HERE = Path(__file__).parent
# Half a minute and more, whatever the order of their names.
LONG = frozenset({
    "browser/bridge/test_bridge",
    "browser/bridge/test_bridge_storm",
    "integration/server/test_commands",
    "integration/checkout/test_confirm_later",
    "browser/demo/test_thanks_page",
    "browser/demo/test_accessibility",
    "browser/demo/test_journey",
    "browser/demo/test_partner_pages",
    "demo/test_shop",
    "integration/ops/test_doctor",
    "integration/outbox/test_senders",
    "security/test_nothing_leaks",
    "integration/store/test_outages",
    "integration/rokt/test_bulkhead",
    "integration/outbox/test_renewal",
    "integration/checkout/test_reserve_failures",
    "integration/store/test_schema",
    "campaign/test_shop_model",
})  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=(*KINDS, "both"),
        default="both",
        help="which databases the tests run on (default: both)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sqlite: is about SQLite's files, and runs on SQLite alone")
    config.addinivalue_line(
        "markers", "postgresql: is about PostgreSQL's locks, and runs there alone"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" not in metafunc.fixturenames:
        return
    asked = metafunc.config.getoption("--database")
    kinds = KINDS if asked == "both" else (asked,)
    for kind in KINDS:
        if metafunc.definition.get_closest_marker(kind):
            kinds = (kind,)
    metafunc.parametrize("database_kind", kinds, indirect=True, scope="session")


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
    """Make a shop with these settings (without their prefix): ``make_shop(max_lines=2)``."""
    shops: list[Shop] = []

    def make(**settings: Any) -> Shop:
        folder = tmp_path / f"shop-{len(shops)}"
        folder.mkdir()
        config = {f"ROKT_BFF_{k.upper()}": v for k, v in settings.items()}
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
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """End an outage with its test: a full disk must not meet pytest's own writing of the result."""
    try:
        return (yield)
    finally:
        outage: Any = pyfuncitem.funcargs.get("outage")
        if outage is not None:
            outage.end()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files that take long begin, so that none is left alone with one at the end.

    And give the long run of the model its time.
    """
    items.sort(key=lambda item: str(item.path.relative_to(HERE).with_suffix("")) not in LONG)
    for item in items:
        if item.path.name == "test_shop_model.py":
            item.add_marker(pytest.mark.timeout(900))
