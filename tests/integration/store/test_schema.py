"""The schema's versions: migrations say what the tables say, and a start on others stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text, update
from sqlalchemy.exc import ProgrammingError

from bff.cart.order import OrderError
from bff.errors import SchemaMismatch, StoreUnavailable
from bff.store import schema
from bff.store.database import Store
from bff.store.orders import find_order
from bff.store.schema import VERSION_TABLE, head
from bff.store.tables import metadata, orders, sessions
from tests.support.databases import NewDatabase
from tests.support.emulator_client import Client
from tests.support.interference import at_once
from tests.support.migrations import NEXT, History, run
from tests.support.processes import ROKT_BFF, ran, refused, settings_for, started
from tests.support.waiting import until

MakeStore = Callable[..., Store]


@pytest.fixture
def make_store(new_database: NewDatabase) -> Iterator[MakeStore]:
    stores: list[Store] = []

    def make(*, empty: bool = False, url: str | None = None) -> Store:
        stores.append(Store(url or new_database(empty=empty)))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def url_of(store: Store) -> str:
    return store.engine.url.render_as_string(hide_password=False)


def version(store: Store) -> str:
    with store.read() as connection:
        found: str = connection.execute(
            text(f"SELECT version_num FROM {VERSION_TABLE}")
        ).scalar_one()
    return found


def tables(store: Store) -> set[str]:
    with store.read() as connection:
        return set(inspect(connection).get_table_names())


# What each of these is done to, and what it must then be told: a word of the cause, and the cure.
OTHERS = {
    "older": ([f"UPDATE {VERSION_TABLE} SET version_num = '0000'"], "version 0000", "init-db"),
    "newer": ([f"UPDATE {VERSION_TABLE} SET version_num = '0099'"], "0099", "Upgrade"),
    "somebody else's": (["CREATE TABLE theirs (id INTEGER)"], "another program", "of its own"),
}


@pytest.fixture(params=OTHERS)
def other(
    request: pytest.FixtureRequest, make_store: MakeStore, older: None
) -> tuple[Store, str, str]:
    """A database of another version, the word that tells it, and the word of the cure."""
    statements, cause, cure = OTHERS[request.param]
    store = make_store(empty=request.param == "somebody else's")
    run(store, *statements)
    return store, cause, cure


BROKEN = '''
"""A version that does half of its work."""
import sqlalchemy as sa
from alembic import op
revision = "0098"
down_revision = "{head}"
branch_labels = None
depends_on = None

def upgrade():
    op.create_table("half", sa.Column("id", sa.Integer))
    op.drop_table("quotes")
    op.execute("this is no statement")
'''


def test_the_migrations_make_the_tables_as_they_are_declared(make_store: MakeStore) -> None:
    with make_store().read() as connection:
        options = {
            "compare_type": True,
            "include_name": not_alembics,
            "version_table": VERSION_TABLE,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def not_alembics(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name == VERSION_TABLE)


@pytest.fixture
def first(make_store: MakeStore, history: History, tmp_path: Path) -> Store:
    """A database as the first version of the package made it."""
    later = [path for path in history.versions.glob("0*.py") if path.stem > "0002"]
    aside = [path.rename(tmp_path / path.name) for path in later]
    schema._scripts.cache_clear()
    store = make_store(empty=True)
    assert store.migrate()
    assert version(store) == "0001"
    for path in aside:
        path.rename(history.versions / path.name)
    schema._scripts.cache_clear()
    return store


def test_a_database_of_the_first_version_gets_what_came_after(first: Store) -> None:
    store = first
    assert store.migrate()
    assert version(store) == head() != "0001"
    with store.read() as connection:
        names = {one["name"] for one in inspect(connection).get_indexes("sessions")}
    assert "sessions_leased" in names


def test_an_order_of_the_first_version_gets_the_code_of_its_error(first: Store) -> None:
    texts = {
        "twice": "the quote was confirmed before, for another order",
        "line": "an item of the quote was confirmed before, for another order",
        "cancel": "cancel: Rokt refused (422)",
        "refused": "Rokt refused (422)",
        "left": "cancel: Rokt named no reservation that could be cancelled",
        "other": "it failed here, on KeyError",
        "none": None,
    }
    with first.write() as connection:
        for order_id, error in texts.items():
            connection.execute(
                text(
                    "INSERT INTO orders (id, session_id, cart_id, rokt_session_id, status, "
                    "created_at, extra, last_error) VALUES (:id, 's', 'c', 'r', 'confirmed', 0, "
                    '\'{"attributes": {}, "extra": {}}\', :error)'
                ),
                {"id": order_id, "error": error},
            )
    assert first.migrate()
    with first.read() as connection:
        found = {order_id: find_order(connection, order_id) for order_id in texts}
    assert {one: order.error_code for one, order in found.items() if order} == {
        "twice": OrderError.QUOTE_BOUGHT,
        "line": OrderError.ITEM_BOUGHT,
        "cancel": OrderError.CANCEL_FAILED,
        "refused": OrderError.CONFIRM_REFUSED,
        "left": OrderError.NOT_CANCELLABLE,
        "other": None,
        "none": None,
    }
    assert found["other"] is not None
    assert found["other"].last_error == texts["other"]


@pytest.mark.postgresql
def test_a_server_that_runs_meanwhile_and_a_migration_end_each_other_not(first: Store) -> None:
    """Without ``_WRITERS_KEPT_OUT`` one of the two ends as a deadlock."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")

    def migration_waits() -> bool:
        with first.read() as connection:
            return bool(connection.execute(waiting).scalar_one())

    with ThreadPoolExecutor() as beside:
        with first.write() as connection:
            connection.execute(select(sessions).with_for_update())
            connection.execute(update(orders).values(status="pending"))
            migrated = beside.submit(first.migrate)
            until(migration_waits)
            connection.execute(update(sessions).values(version=1))
        assert migrated.result()
    assert version(first) == head()


def test_the_comparison_would_find_a_column_that_no_migration_makes(make_store: MakeStore) -> None:
    store = make_store()
    run(store, "ALTER TABLE sessions DROP COLUMN lease_token")
    with store.read() as connection:
        context = MigrationContext.configure(connection)
        found = [
            change[0]
            for change in compare_metadata(context, metadata)
            if change[0] != "remove_table"
        ]
    assert found == ["add_column"]


def test_a_database_of_another_version_is_refused_and_left_alone(
    other: tuple[Store, str, str],
) -> None:
    store, cause, cure = other
    before = tables(store)
    for start in (store.check_schema, store.create_schema):
        with pytest.raises(SchemaMismatch) as caught:
            start()
        assert cause in str(caught.value)
        assert cure in str(caught.value)
    assert tables(store) == before


def test_an_empty_database_is_told_its_cure_and_gets_its_tables(make_store: MakeStore) -> None:
    store = make_store(empty=True)
    with pytest.raises(SchemaMismatch, match="init-db"):
        store.check_schema()
    assert store.create_schema() is True
    assert store.create_schema() is False
    store.check_schema()


def test_init_db_brings_an_older_database_to_this_version_with_what_is_in_it(
    make_store: MakeStore, history: History
) -> None:
    store = make_store()
    before = head()
    run(store, "INSERT INTO sessions (id, handle_hash, cart, version, rokt_session_id, created_at,"
               " expires_at) VALUES ('s', 'h', '{}', 1, 'r', 0, 0)")  # fmt: skip
    history.add("0098_next.py", NEXT)
    with pytest.raises(SchemaMismatch, match=f"version {before}. This rokt-bff needs 0098"):
        store.check_schema()
    assert store.migrate() is True
    assert store.migrate() is False
    store.check_schema()
    assert "new_things" in tables(store)
    with store.read() as connection:
        assert connection.execute(text("SELECT id FROM sessions")).scalar_one() == "s"


@pytest.mark.parametrize("what", ["newer", "somebody else's"])
def test_init_db_refuses_what_is_newer_or_somebody_elses(make_store: MakeStore, what: str) -> None:
    statements, cause, cure = OTHERS[what]
    store = make_store(empty=what == "somebody else's")
    run(store, *statements)
    before = tables(store)
    with pytest.raises(SchemaMismatch, match=cure) as caught:
        store.migrate()
    assert cause in str(caught.value)
    assert tables(store) == before


def test_a_migration_that_fails_leaves_nothing_behind(
    make_store: MakeStore, history: History
) -> None:
    store = make_store()
    before = tables(store), version(store)
    history.add("0098_broken.py", BROKEN)
    with pytest.raises((StoreUnavailable, ProgrammingError)):
        store.migrate()
    assert (tables(store), version(store)) == before


def test_two_that_start_at_once_make_the_tables_once(make_store: MakeStore) -> None:
    url = url_of(make_store(empty=True))
    for step in ("create_schema", "migrate"):
        others = [make_store(url=url) for _ in range(4)]
        done = at_once([getattr(store, step) for store in others])
        assert sum(done) == (1 if step == "create_schema" else 0)
    others[0].check_schema()


def test_processes_that_init_at_once_all_succeed(
    make_store: MakeStore, emulator: Client, tmp_path: Path
) -> None:
    url = url_of(make_store(empty=True))
    environ = settings_for(emulator.url, database_url=url)
    work = partial(ran, ROKT_BFF, "init-db", folder=tmp_path, environ=environ)
    done = at_once([work, work])
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    assert sorted("now" in one.stdout for one in done) == [False, True]


@pytest.mark.parametrize("what", ["newer", "somebody else's"])
def test_the_server_and_init_db_say_so_and_stop(
    make_store: MakeStore, emulator: Client, tmp_path: Path, what: str
) -> None:
    statements, cause, _ = OTHERS[what]
    store = make_store(empty=what == "somebody else's")
    run(store, *statements)
    environ = settings_for(emulator.url, database_url=url_of(store))
    for command in (["serve", "--port", "0"], ["init-db"], ["deliver", "--once"], ["doctor"]):
        assert cause in refused(*command, folder=tmp_path, environ=environ), command


def test_a_server_on_an_empty_database_makes_the_tables_and_tells_when_they_are_gone(
    make_store: MakeStore, emulator: Client, tmp_path: Path
) -> None:
    store = make_store(empty=True)
    environ = settings_for(emulator.url, database_url=url_of(store), deliver="false")
    with started(ROKT_BFF, "serve", "--port", "0", folder=tmp_path, environ=environ) as server:
        url = server.wait_for(r"rokt-bff at (http://\S+)")
        assert sessions.name in tables(store)
        assert emulator.http.get(f"{url}/health", timeout=60).status_code == 200
        run(store, f"UPDATE {VERSION_TABLE} SET version_num = '0099'")
        health = emulator.http.get(f"{url}/health", timeout=60)
        assert (health.status_code, health.json()["code"]) == (503, "schema_mismatch")
        assert server.stop() == 0, server.printed
