"""``flask rokt …`` in a shop, and the same commands of ``rokt-bff`` on its own settings."""

from __future__ import annotations

import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from bff.cli import main
from bff.store.tables import sessions
from tests.support.commands import rokt
from tests.support.databases import drop_tables
from tests.support.emulator_client import Client
from tests.support.processes import ROKT_BFF, SCRIPTS, ran, settings_for, started
from tests.support.shop import Shop, Shopper, ok, server_get


def sell(shop: Shop, order_id: str = "A-1", fault: dict[str, Any] | None = None) -> Shopper:
    shopper = shop.shopper()
    shopper.add()
    shopper.reserve()
    if fault is not None:
        shop.emulator.faults("confirm", fault)
    shopper.pay(order_id)
    return shopper


def status_of(shop: Shop, order_id: str = "A-1") -> str:
    status: str = ok(server_get(shop, f"/orders/{order_id}"))["status"]
    return status


def count_sessions(shop: Shop) -> int:
    with shop.parts.store.read() as connection:
        return connection.execute(select(func.count()).select_from(sessions)).scalar_one()


def test_init_db_creates_the_tables_once(shop: Shop) -> None:
    again = rokt(shop, "init-db")
    assert again.exit_code == 0, again.output
    drop_tables(shop.parts.store)
    assert shop.app.test_client().get("/rokt/health").status_code == 503
    created = rokt(shop, "init-db")
    assert created.exit_code == 0, created.output
    assert created.output
    assert shop.app.test_client().get("/rokt/health").status_code == 200


def test_deliver_once_works_off_what_is_due(shop: Shop) -> None:
    sell(shop, fault={"kind": "status", "status": 503})
    assert status_of(shop) == "confirming"
    shop.move_clocks(60)
    delivered = rokt(shop, "deliver", "--once")
    assert delivered.exit_code == 0, delivered.output
    assert "1" in delivered.output
    assert status_of(shop) == "confirmed"
    assert "0" in rokt(shop, "deliver", "--once").output


def test_purge_deletes_sessions_that_ended_long_ago_and_keeps_orders(shop: Shop) -> None:
    shop.clock.move(-40 * 24 * 3600)
    shop.shopper().add()
    reserving = shop.shopper()
    reserving.add()
    reserving.reserve()
    sell(shop)
    shop.clock.move(40 * 24 * 3600)
    living = shop.shopper()
    cart = living.add()
    purged = rokt(shop, "purge")
    assert purged.exit_code == 0, purged.output
    assert "2" in purged.output
    assert count_sessions(shop) == 2
    assert living.cart() == cart
    assert status_of(shop) == "confirmed"


def test_redrive_owes_a_refused_confirm_again(shop: Shop) -> None:
    sell(shop, "A-1", {"kind": "status", "status": 422})
    sell(shop, "A-2", {"kind": "status", "status": 422})
    sell(shop, "A-3")
    assert [status_of(shop, one) for one in ("A-1", "A-2")] == ["refund_needed"] * 2
    first = shop.calls("confirm")[0]
    assert rokt(shop, "redrive", "A-1").exit_code == 0
    assert status_of(shop, "A-1") == "confirming"
    rokt(shop, "deliver", "--once")
    assert [status_of(shop, f"A-{n}") for n in (1, 2, 3)] == [
        "confirmed",
        "refund_needed",
        "confirmed",
    ]
    assert shop.calls("confirm")[-1]["body"] == first["body"]
    assert rokt(shop, "redrive", "--all").exit_code == 0
    rokt(shop, "deliver", "--once")
    assert status_of(shop, "A-2") == "confirmed"
    assert len(shop.calls("confirm")) == 5


def test_redrive_says_that_there_is_no_such_order(shop: Shop) -> None:
    told = rokt(shop, "redrive", "nosuch")
    assert told.exit_code == 1
    assert "There is no such order" in told.output


@pytest.mark.parametrize("arguments", [[], ["A-1", "--all"]])
def test_redrive_asks_which_order(shop: Shop, arguments: list[str]) -> None:
    refused = rokt(shop, "redrive", *arguments)
    assert refused.exit_code == 2
    assert "--all" in refused.output


def test_the_doctor_says_that_the_tables_are_missing(shop: Shop) -> None:
    drop_tables(shop.parts.store)
    found = rokt(shop, "doctor")
    assert found.exit_code == 1
    assert "init-db" in found.output  # the cure


SHOP = """
from flask import Flask
from bff import Upsells

app = Flask(__name__)
app.config.from_prefixed_env()
Upsells(app)
"""


def test_the_flask_command_has_it_in_a_shop_that_did_nothing_for_it(
    emulator: Client, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    environ = {f"FLASK_{name}": value for name, value in settings_for(emulator.url).items()}
    environ["FLASK_SECRET_KEY"] = environ.pop("FLASK_ROKT_BFF_SECRET_KEY")
    flask = (str(SCRIPTS / "flask"), "--app", "shop", "rokt")
    created = ran(*flask, "init-db", folder=tmp_path, environ=environ)
    assert created.returncode == 0, created.stderr
    assert (tmp_path / "instance" / "rokt-bff.db").is_file()
    with started(*flask, "deliver", folder=tmp_path, environ=environ) as worker:
        worker.wait_for("(Delivering)")
        assert worker.stop(signal.SIGINT) == 0, worker.printed


def test_the_commands_work_on_the_standalone_servers_settings(
    emulator: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = settings_for(emulator.url)
    early = ran(ROKT_BFF, "deliver", "--once", folder=tmp_path, environ=environ)
    assert early.returncode == 1
    assert "init-db" in early.stderr
    created = ran(ROKT_BFF, "init-db", folder=tmp_path, environ=environ)
    assert created.returncode == 0, created.stderr
    monkeypatch.chdir(tmp_path)
    for arguments in (["purge"], ["redrive", "--all"], ["deliver", "--once"], ["doctor"]):
        done = CliRunner().invoke(main, arguments, env=environ)
        assert done.exit_code == 0, f"{arguments}: {done.output}"
    connection = sqlite3.connect(tmp_path / "rokt-bff.db")
    assert ("sessions",) in connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    with started(ROKT_BFF, "deliver", folder=tmp_path, environ=environ) as worker:
        worker.wait_for("(Delivering)")
        assert worker.stop(signal.SIGTERM) == 0, worker.printed
