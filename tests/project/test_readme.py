"""The README's code does what the README says."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from bff.ops.redrive import redrive
from bff.web.runtime import runtime
from tests import TOP
from tests.browser.pages.site import serving
from tests.project.test_layout import MODULES, PACKAGES
from tests.support.emulator_client import Client
from tests.support.shop import BRIDGE

README = (TOP / "README.md").read_text()


def code_of(language: str) -> str:
    """Return the first block of this language."""
    found = re.search(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_it_opens_with_three_sentences_and_two_commands_of_one_line() -> None:
    opening = README.split("\n\n")[1]
    assert len(re.findall(r"[.!?](?=\s|$)", opening)) == 3
    before_wiring = README.split("## In a Flask shop")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", before_wiring, re.MULTILINE | re.DOTALL)
    demo, tests = (block.splitlines() for block in blocks)
    assert (len(demo), len(tests)) == (1, 1)
    assert demo[0].startswith("python3 -m venv ")
    assert demo[0].endswith("rokt-bff demo")
    assert tests[0].endswith("pytest")


CODE = README.split("## The code")[1]


def test_the_tree_has_every_package_and_every_folder_of_tests() -> None:
    code, tests = CODE.split("```")[1].split("\ntests/\n")
    packages = {f"{name}/" for name in PACKAGES}
    modules = {f"{name}.py" for name in MODULES - {"__init__"}}
    assert set(re.findall(r"^  (\S+) ", code, re.MULTILINE)) == packages | modules
    folders = {f"{path.parent.name}/" for path in (TOP / "tests").glob("*/__init__.py")}
    assert set(re.findall(r"\b([a-z]+/)", tests)) == folders | {"data/"}


def test_every_file_that_the_map_names_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)`", CODE)
    assert len(named) > 50
    assert [path for path in named if not (TOP / "bff" / path).is_file()] == []


# What the file of an answer has in it: a rule that moves takes the README along.
RULES = [
    ("dearer price", "cart/quote.py", "is_dearer"),
    ("dearer price", "outbox/renewal.py", "unit_price <="),
    ("renewed", "cart/renewal.py", "margin"),
    ("renewed", "config/settings.py", "renew_margin"),
    ("422", "rokt/reserve.py", "Refused"),
    ("headers", "rokt/headers.py", "rokt-tag-id"),
    ("headers", "rokt/calls.py", "rokt-session-id"),
    ("cancel", "web/guard.py", "Caller.SERVER"),
    ("cancel", "web/endpoints.py", "Caller.SERVER"),
    ("removal", "cart/updates.py", "removed_id"),
    ("backoff", "outbox/backoff.py", "def backoff"),
    ("redacted", "rokt/redaction.py", "def "),
    ("tables", "store/tables.py", "Table("),
    ("session", "store/sessions.py", "def session_expiry"),
    ("session", "ops/purge.py", "sessions"),
    ("script_tag", "extension/upsells.py", "def script_tag"),
    ("script_tag", "web/scripts.py", "integrity="),
    ("doctor", "ops/doctor.py", "broken_invariants"),
    ("doctor", "ops/invariants.py", "INVARIANTS"),
]


def test_the_map_answers_twelve_questions_by_the_files_that_hold_the_rules() -> None:
    _, table = CODE.split("| question | file |\n| --- | --- |\n")
    answers = [row.strip("| ").split(" | ") for row in table.splitlines()]
    assert len(answers) == 12
    named = {
        (question, file) for question, files in answers for file in re.findall(r"`(\S+)`", files)
    }
    assert len(named) == len(RULES)
    for word, file, held in RULES:
        assert [question for question, one in named if one == file and word in question], file
        assert held in (TOP / "bff" / file).read_text(), file


def test_every_path_that_the_readme_names_exists() -> None:
    tests = re.findall(r"`((?:[\w]+/)+test_\w+)`", README)
    assert len(tests) > 20
    assert [test for test in tests if not (TOP / "tests" / f"{test}.py").is_file()] == []
    assert re.findall(r"`test_\w+", README) == []  # without its folder nobody finds it
    paths = re.findall(r"(?<![\w/])((?:bff|tests|static/bridge)/[\w/.-]*\w)", README)
    assert [path for path in paths if not (TOP / path).exists()] == []


@pytest.fixture
def charged() -> list[Decimal]:
    return []


@pytest.fixture
def refunded() -> list[Any]:
    return []


@pytest.fixture
def app(
    emulator: Client,
    tmp_path: Path,
    charged: list[Decimal],
    refunded: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Flask:
    """The shop of the README, with a till of the test's."""
    settings = {
        "SECRET_KEY": "a secret of the tests",
        "ROKT_BFF_API_KEY": "emulator-key",
        "ROKT_BFF_TAG_ID": "emulator-tag",
        "ROKT_BFF_API_URL": emulator.url,
        "ROKT_BFF_DATABASE_URL": f"sqlite:///{tmp_path / 'rokt-bff.db'}",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"FLASK_{name}", value)

    def charge(total: Decimal) -> SimpleNamespace:
        charged.append(total)
        return SimpleNamespace(id=1000 + len(charged))

    shop: dict[str, Any] = {"__name__": "shop"}
    exec(compile(code_of("python"), "README.md", "exec"), shop)
    shop["charge"] = charge
    shop["refund"] = lambda order_id, amount: refunded.append((order_id, amount))
    app: Flask = shop["create_app"]()
    shop["upsells"].init_db(app)
    return app


def add(client: FlaskClient, emulator: Client, quantity: int = 1) -> None:
    offer = emulator.control("GET", "offers").json()["offers"][0]
    item = {**offer, "quantity": quantity, "totalPrice": offer["unitPrice"] * quantity}
    updated = client.post(
        "/rokt/cart/updates", json={"updatedItem": item, "oldItem": None}, headers=BRIDGE
    )
    assert updated.status_code == 200, updated.text


def test_the_flask_shop_of_the_readme_sells_parking(
    app: Flask, emulator: Client, charged: list[Decimal]
) -> None:
    client = app.test_client()
    add(client, emulator, 2)
    paid = client.post("/checkout/pay")
    assert paid.headers["Location"] == "/thanks/1001"
    assert charged == [Decimal("105.00")]
    assert client.get("/thanks/1001").text == "Standard parking: confirmed"


def test_the_flask_shop_of_the_readme_sells_tickets_while_rokt_is_down(
    app: Flask, emulator: Client, charged: list[Decimal]
) -> None:
    emulator.faults("reserve", {"kind": "status", "status": 503, "times": None})
    client = app.test_client()
    add(client, emulator)
    assert client.post("/checkout/pay").status_code == 302
    assert charged == [Decimal("80.00")]
    assert client.get("/thanks/1001").text == "No extras"
    assert client.get("/thanks/nobody").status_code == 404


def test_the_flask_shop_of_the_readme_sells_tickets_without_a_database(
    app: Flask, emulator: Client, charged: list[Decimal], tmp_path: Path
) -> None:
    client = app.test_client()
    add(client, emulator)
    for file in tmp_path.glob("rokt-bff.db*"):
        file.unlink()
    assert client.post("/checkout/pay").headers["Location"] == "/thanks/1001"
    assert charged == [Decimal("80.00")]


def test_the_flask_shop_of_the_readme_gives_back_what_rokt_refuses(
    app: Flask, emulator: Client, refunded: list[Any]
) -> None:
    client = app.test_client()
    add(client, emulator)
    emulator.faults("confirm", {"kind": "status", "status": 422})
    client.post("/checkout/pay")
    assert refunded == [("1001", Decimal("12.50"))]
    assert client.get("/thanks/1001").text == "Standard parking: refund_needed"
    here = runtime(app)
    assert redrive(here.store, here.outbox, "1001") == 0  # it has the money back


@pytest.mark.browser
def test_the_page_of_the_readme_sells_parking_in_a_browser(
    app: Flask, emulator: Client, charged: list[Decimal], tmp_path: Path, page: Page
) -> None:
    static = tmp_path / "static"
    static.mkdir()
    html = code_of("html").replace("http://127.0.0.1:8081", emulator.url)
    (static / "extras.html").write_text(html)
    (static / "checkout.js").write_text(code_of("js"))
    app.static_folder = str(static)
    with serving(app) as shop:
        page.goto(f"{shop}/extras")
        page.get_by_role("button", name=re.compile("Add")).first.click()
        page.get_by_role("button", name="Pay").click()
        expect(page.locator("body")).to_have_text("Standard parking: confirmed")
    assert charged == [Decimal("92.50")]


def test_the_stand_in_of_the_readme_is_served_by_the_emulator(emulator: Client) -> None:
    (path,) = re.findall(r'src="http://127.0.0.1:8081(/_emulator/sdk/[^"]+)"', README)
    script = emulator.http.get(emulator.url + path)
    assert script.headers["Access-Control-Allow-Origin"] == "*"
    for part in re.findall(r'from "\./([^"]+)"', script.text):
        assert emulator.http.get(f"{emulator.url}/_emulator/sdk/{part}").status_code == 200
    assert emulator.http.get(f"{emulator.url}/_emulator/sdk/demo/shop.css").status_code == 404


def test_the_page_of_the_readme_is_a_module_that_the_blueprint_serves(app: Flask) -> None:
    imported = re.search(r'from "(/rokt/[^"]+)"', code_of("js"))
    assert imported
    with app.test_client().get(imported[1]) as response:
        assert response.mimetype == "text/javascript"
        assert b"export" in response.data
