"""A shop on a database of another version says so and stops; on none at all it starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import FlaskGroup
from sqlalchemy import text

from bff import Upsells
from bff.errors import SchemaMismatch
from bff.store.database import Store
from bff.store.schema import VERSION_TABLE, head
from bff.web.runtime import runtime
from tests.support.databases import NewDatabase, closing
from tests.support.migrations import NEXT, History, run
from tests.support.shop import BRIDGE

CONFIG = {
    "SECRET_KEY": "a secret of the tests",
    "ROKT_BFF_API_URL": "http://127.0.0.1:9",
    "ROKT_BFF_API_KEY": "key",
    "ROKT_BFF_TAG_ID": "tag",
}


_started: list[Flask] = []


@pytest.fixture(autouse=True)
def closes() -> Iterator[None]:
    yield
    while _started:
        runtime(_started.pop()).store.close()


def start(url: str, **how: bool) -> Flask:
    app = Flask("shop")
    app.config.update(CONFIG, ROKT_BFF_DATABASE_URL=url)
    Upsells(app, **how)  # type: ignore[arg-type]
    _started.append(app)
    return app


def rokt(url: str, *arguments: str) -> Result:
    """Run `flask rokt …` in a shop that makes its app as shops do."""
    group = FlaskGroup(create_app=lambda: start(url), add_default_commands=False)
    return CliRunner().invoke(group, ["rokt", *arguments])


def of_version(url: str, version: str) -> None:
    with closing(Store(url)) as store:
        run(store, f"UPDATE {VERSION_TABLE} SET version_num = '{version}'")


@pytest.fixture
def url(new_database: NewDatabase) -> str:
    return new_database()


@pytest.mark.parametrize(
    ("version", "cure"), [("0000", "init-db"), ("0099", "Upgrade")], ids=["older", "newer"]
)
def test_a_shop_on_another_version_says_so_and_stops(
    url: str,
    version: str,
    cure: str,
    older: None,
) -> None:
    of_version(url, version)
    with pytest.raises(SchemaMismatch, match=version) as caught:
        start(url)
    assert cure in str(caught.value)


def test_a_shop_on_somebody_elses_database_says_so_and_stops(new_database: NewDatabase) -> None:
    url = new_database(empty=True)
    with closing(Store(url)) as store:
        run(store, "CREATE TABLE theirs (id INTEGER)")
    with pytest.raises(SchemaMismatch, match="another program"):
        start(url)


def test_the_cure_can_be_taken_where_the_shop_does_not_start(
    url: str,
    history: History,
) -> None:
    before = head()
    history.add("0098_next.py", NEXT)
    with pytest.raises(SchemaMismatch, match=before):
        start(url)
    done = rokt(url, "init-db")
    assert done.exit_code == 0, done.output
    assert "now" in done.output
    start(url)


@pytest.mark.parametrize(
    "command", ["doctor", "purge", "redrive --all", "refunded A-1", "deliver --once"]
)
def test_a_command_says_so_and_does_nothing(url: str, command: str) -> None:
    of_version(url, "0099")
    done = rokt(url, *command.split())
    assert done.exit_code == 1
    assert "0099" in done.output
    assert "Traceback" not in done.output
    assert isinstance(done.exception, SystemExit)


def test_a_shop_on_an_empty_database_starts_and_names_the_cure_then_and_at_its_first_call(
    new_database: NewDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    url = new_database(empty=True)
    client = start(url).test_client()
    (warned,) = caplog.messages
    assert "init-db" in warned
    answer = client.post("/rokt/session", json={}, headers=BRIDGE)
    problem: Any = answer.json
    assert (answer.status_code, problem["code"]) == (503, "schema_mismatch")
    assert "init-db" in problem["detail"]
    assert rokt(url, "init-db").exit_code == 0
    assert client.post("/rokt/session", json={}, headers=BRIDGE).status_code < 300
    caplog.clear()
    start(url)
    assert caplog.messages == []


def test_a_shop_that_is_to_make_its_tables_has_them_at_once(
    new_database: NewDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    url = new_database(empty=True)
    for _ in range(2):
        client = start(url, create_tables=True).test_client()
        assert client.post("/rokt/session", json={}, headers=BRIDGE).status_code < 300
    assert "init-db" not in caplog.text
    of_version(url, "0099")
    with pytest.raises(SchemaMismatch, match="0099"):
        start(url, create_tables=True)


def test_a_column_that_is_not_there_names_the_cure(url: str) -> None:
    with closing(Store(url)) as store:
        run(store, "ALTER TABLE sessions DROP COLUMN lease_token")
        with pytest.raises(SchemaMismatch, match="init-db"), store.read() as connection:
            connection.execute(text("SELECT lease_token FROM sessions"))


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all.db", "postgresql://nobody@127.0.0.1:9/none"]
)
def test_a_shop_whose_database_is_not_reached_starts(
    url: str,
) -> None:
    answer = start(url).test_client().post("/rokt/session", json={}, headers=BRIDGE)
    assert answer.status_code == 503


def test_to_start_makes_no_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    start(f"sqlite:///{tmp_path / 'new.db'}")
    assert "init-db" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_shop_leaves_no_connection_to_the_processes_that_it_forks(url: str) -> None:
    app = start(url)
    assert runtime(app).store.engine.pool.checkedin() == 0  # type: ignore[attr-defined]
