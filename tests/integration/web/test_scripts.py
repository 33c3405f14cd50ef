"""The bridge under an address that never changes, and the tags that hold a page to its bytes."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha384
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page

from bff.web.scripts import SCRIPTS, release
from tests.support.demo_shop import Demo, running_demo
from tests.support.processes import ROKT_BFF, ran
from tests.support.shop import Shop

pytestmark = pytest.mark.sqlite  # where a shop is needed at all, any will do
BASE = "https://upsell.example/rokt"
LOADED = sorted(name for name in SCRIPTS if name.endswith(".js"))


@pytest.fixture
def client(shop: Shop) -> FlaskClient:
    return shop.app.test_client()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with running_demo(tmp_path) as running:
        yield running


# --- addresses ---


@pytest.mark.parametrize("script", LOADED)
def test_a_release_s_script_may_be_kept_for_ever_by_any_page(
    client: FlaskClient, script: str
) -> None:
    answer = client.get(f"/rokt{release().path(script)}")
    assert answer.status_code == 200
    with client.get(f"/rokt/static/{script}") as present:
        assert answer.data == present.data
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_of_an_earlier_release_there_is_nothing_and_the_cure_is_told(client: FlaskClient) -> None:
    answer = client.get("/rokt/static/0123456789abcdef/bridge.js")
    assert answer.status_code == 404
    assert "rokt-bff integrity" in answer.get_json()["detail"]
    assert release().name in answer.get_json()["detail"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["bridge.d.ts", "rokt-stand-in.js", "..%2fbridge.js"])
def test_a_release_has_scripts_of_the_bridge_only(client: FlaskClient, name: str) -> None:
    assert client.get(f"/rokt/static/{release().name}/{name}").status_code == 404


# --- tags ---


def test_the_command_prints_what_a_browser_will_compute(
    tmp_path: Path, client: FlaskClient
) -> None:
    done = ran(ROKT_BFF, "integrity", "--base", BASE + "/", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    values = dict(re.findall(r"^(\S+\.js)  (sha384-\S+)$", done.stdout, re.MULTILINE))
    tags = re.findall(r"^<.+>$", done.stdout, re.MULTILINE)
    assert sorted(values) == LOADED
    assert [tag.split()[0] for tag in tags] == ["<script", *["<link"] * len(LOADED)]
    assert tags[0].startswith('<script type="module" async data-rokt-bff="' + BASE)
    for tag in tags:
        found = re.search(rf'"{BASE}(/static/\w+/([^"/]+))".* integrity="([^"]+)"', tag)
        assert found, tag
        path, name, integrity = found.groups()
        served = client.get(f"/rokt{path}").data
        assert integrity == values[name]
        assert integrity == f"sha384-{b64encode(sha384(served).digest()).decode()}"
        assert 'crossorigin="anonymous"' in tag


def test_a_shop_s_template_gets_the_same_tag(shop: Shop) -> None:
    with shop.app.app_context():
        assert str(shop.upsells.script_tag()) == release().script_tag("bridge.js", "/rokt")


# --- in a browser ---


def visit(page: Page, demo: Demo, head: str) -> None:
    """Open a page of the demo's origin that has nothing but this in it."""
    document = f"<!doctype html><meta charset=utf-8><title>A page</title>{head}"
    page.route(
        f"{demo.url}/a-page",
        lambda route: route.fulfill(content_type="text/html", body=document),
    )
    page.goto(f"{demo.url}/a-page")


@pytest.mark.browser
def test_with_the_right_integrity_the_bridge_starts_and_finds_its_server(
    demo: Demo, page: Page
) -> None:
    with demo.server.app.app_context():
        tag = demo.server.parts.upsells.script_tag()
    with page.expect_response("**/rokt/cart") as answered:
        visit(page, demo, tag)
    assert answered.value.status == 200


@pytest.mark.browser
def test_with_a_wrong_integrity_the_bridge_does_not_run(demo: Demo, page: Page) -> None:
    with demo.server.app.app_context():
        tag = demo.server.parts.upsells.script_tag()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    wrong = tag.replace("sha384-", "sha384-AAAA")
    with page.expect_console_message(lambda message: "integrity" in message.text):
        visit(page, demo, wrong)
    page.wait_for_load_state("load")
    assert any(url.endswith("/bridge.js") for url in asked)
    assert not any(url.endswith("/rokt/cart") for url in asked)


@pytest.mark.browser
def test_imported_from_a_release_s_address_it_finds_its_server_by_itself(
    demo: Demo, page: Page
) -> None:
    visit(page, demo, "")
    with page.expect_response("**/rokt/cart") as answered:
        page.evaluate(
            "async (path) => { const { createBridge } = await import(path); createBridge(); }",
            f"/rokt{release().path('bridge.js')}",
        )
    assert answered.value.status == 200
    for script in LOADED:  # each with what it imports
        names = page.evaluate(
            "async (path) => Object.keys(await import(path))", f"/rokt{release().path(script)}"
        )
        assert names


@pytest.mark.browser
@pytest.mark.parametrize("is_right", [True, False])
def test_what_is_preloaded_is_held_to_its_integrity_when_it_is_imported(
    demo: Demo, page: Page, is_right: bool
) -> None:
    with demo.server.app.app_context():
        tag = demo.server.parts.upsells.script_tag(preload=True)
    visit(page, demo, tag if is_right else tag.replace("sha384-", "sha384-AAAA"))
    came = page.evaluate(
        "(path) => import(path).then(() => true, () => false)",
        f"/rokt{release().path('bridge.js')}",
    )
    assert came == is_right
