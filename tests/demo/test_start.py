"""What the demo takes from the environment, and that what it says at the start is so."""

from __future__ import annotations

import signal
from pathlib import Path
from time import sleep

import pytest
import requests

from bff.demo.run import DemoServer, settings_from
from tests.support.processes import ROKT_BFF, Started, started
from tests.support.waiting import PATIENCE

PORTS = ("--port", "0", "--emulator-port", "0", "--partner-port", "0")
REAL = {
    "ROKT_BFF_ACCOUNT_ID": "2754655826098840951",
    "ROKT_BFF_API_KEY": "key",
    "ROKT_BFF_TAG_ID": "tag",
    "ROKT_BFF_API_URL": "http://127.0.0.1:9",  # nobody is there
}


def said(process: Started) -> str:
    """Wait until all of its start is printed."""
    process.wait_for(r"(Ctrl-C stops .*\n)")
    text = process.printed
    assert process.stop() == 0, text
    return text


def test_flask_s_key_is_taken_as_serve_takes_it(tmp_path: Path) -> None:
    config = settings_from(REAL | {"ROKT_BFF_SECRET_KEY": "a secret of the tests"})
    server = DemoServer(tmp_path, port=0, config=config)
    assert server.app.secret_key == "a secret of the tests"
    server.start().stop()


def test_without_an_account_nothing_of_the_environment_reaches_the_emulator() -> None:
    told: list[str] = []
    environ = {"ROKT_BFF_API_KEY": "real", "ROKT_BFF_API_URL": "https://api.rokt.com", "HOME": "/"}
    assert settings_from(environ, told.append) == {}
    [line] = told
    assert line.startswith("ROKT_BFF_API_KEY, ROKT_BFF_API_URL: not used.")
    assert "ROKT_BFF_ACCOUNT_ID" in line
    assert "real" not in line.split(":")[0]


@pytest.mark.parametrize("environ", [{}, {"ROKT_BFF_SECRET_KEY": "a secret of the tests"}])
def test_on_the_emulator_nobody_is_charged_and_nothing_is_kept(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with started(ROKT_BFF, "demo", *PORTS, folder=tmp_path, environ=environ) as demo:
        assert "Nobody is charged, nothing is kept." in said(demo)


def test_on_rokt_itself_it_says_that_what_is_confirmed_is_bought_and_what_is_lost(
    tmp_path: Path,
) -> None:
    with started(ROKT_BFF, "demo", *PORTS, folder=tmp_path, environ=REAL) as demo:
        text = said(demo)
    assert "Rokt is real. Confirmed extras are bought" in text
    assert "http://127.0.0.1:9" in text
    assert "deletes their database" in text
    assert "Nobody is charged" not in text
    assert "nothing is kept" not in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_presses_ctrl_c_again_and_again_still_ends_it_well(
    tmp_path: Path, number: signal.Signals
) -> None:
    with started(ROKT_BFF, "demo", *PORTS, folder=tmp_path) as demo:
        demo.wait_for("(Ctrl-C)")
        for _ in range(3):
            demo.process.send_signal(number)
            sleep(0.01)  # else it is one signal; and stopping takes ten times as long
        assert demo.process.wait(timeout=PATIENCE) == 0, demo.printed
        demo.wait_for("(Stopped)")
        assert "Traceback" not in demo.printed
        assert "Aborted" not in demo.printed


def test_with_an_account_the_partner_s_page_loads_rokts_own_sdk_too(tmp_path: Path) -> None:
    server = DemoServer(tmp_path, port=0, config=REAL, partner=("127.0.0.2", 0)).start()
    assert server.partner is not None
    try:
        page = requests.get(f"{server.partner.url}/checkout?seat=1", timeout=60)
    finally:
        server.stop()
    assert 'src="https://apps.rokt.com/wsdk/integrations/launcher.js"' in page.text
    assert 'data-account-id="2754655826098840951"' in page.text
    rokt = "https://apps.rokt.com"
    policy = page.headers["Content-Security-Policy"]
    assert f"script-src 'self' {server.url} {rokt};" in policy
    assert f"connect-src 'self' {server.url} {rokt} http://127.0.0.1:9;" in policy
    assert f"frame-src {rokt}" in policy
    assert "trusted-types" not in policy


def test_with_a_database_of_one_s_own_nothing_is_lost(tmp_path: Path) -> None:
    environ = REAL | {"ROKT_BFF_DATABASE_URL": f"sqlite:///{tmp_path / 'mine.db'}"}
    with started(ROKT_BFF, "demo", *PORTS, folder=tmp_path, environ=environ) as demo:
        text = said(demo)
    assert "stay in ROKT_BFF_DATABASE_URL" in text
    assert "deletes" not in text
    assert (tmp_path / "mine.db").is_file()
