"""Passwords in addresses, also in wrong ones, are in nothing that a command says or logs."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bff.cli import main
from tests.support.emulator_client import Client
from tests.support.processes import settings_for

MARK = "pass1word2mark"
# Nobody listens on the port 9.
WRONG = {
    "nobody is there": {"database_url": f"postgresql://bff:{MARK}@127.0.0.1:9/bff"},
    "in the query": {"database_url": f"postgresql://bff@127.0.0.1:9/bff?password={MARK}"},
    "an @ in it": {"database_url": f"postgresql://bff:pa@{MARK}@127.0.0.1:9/bff"},
    "a / in it": {"database_url": f"postgresql://bff:pa/{MARK}@127.0.0.1:9/bff"},
    "a : in it": {"database_url": f"postgresql://bff:pa:{MARK}@127.0.0.1:9/bff"},
    "a # in it": {"database_url": f"postgresql://bff:pa#{MARK}@127.0.0.1:9/bff"},
    "no number of a port": {"database_url": f"postgresql://bff:@127.0.0.1:{MARK}/bff"},
    "another driver": {"database_url": f"mysql://bff:{MARK}@127.0.0.1:9/bff"},
    "no such driver": {"database_url": f"postgresql+none://bff:{MARK}@127.0.0.1:9/bff"},
    "Redis is away": {"rate_limit_storage": f"redis://:{MARK}@127.0.0.1:9/0"},
    "Redis with an @": {"rate_limit_storage": f"redis://:pa@{MARK}@127.0.0.1:9/0"},
    "Redis with a /": {"rate_limit_storage": f"redis://:pa/{MARK}@127.0.0.1:9/0"},
    "Redis with a number": {"rate_limit_storage": f"redis://:1/{MARK}@127.0.0.1:9/0"},
    "Redis misspelt": {"rate_limit_storage": f"reddis://:{MARK}@127.0.0.1:9/0"},
    "Rokt's address": {"api_url": f"https://somebody:{MARK}@api.rokt.com"},
    "a public address": {"public_url": f"https://somebody:{MARK}@upsell.example"},
    "an origin": {"origins": f"https://somebody:{MARK}@shop.example"},
    "a proxy": {"trusted_proxy": f"somebody:{MARK}@127.0.0.1"},
    "a key as a number": {"max_lines": MARK},
    "a key with a space": {"api_key": f"{MARK} {MARK}"},
    "a short key": {"server_key": MARK},
}
COMMANDS = (
    ["doctor"], ["init-db"], ["deliver", "--once"], ["purge"], ["redrive", "--all"],
    ["serve", "--port", "0", "--host", "256.0.0.1"],  # which ends at once
)  # fmt: skip


@pytest.fixture(autouse=True)
def all_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let every logger tell all."""
    with caplog.at_level(logging.DEBUG):
        before = {name: logging.getLogger(name).level for name in logging.root.manager.loggerDict}
        for name in before:
            logging.getLogger(name).setLevel(logging.DEBUG)
        yield
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("wrong", WRONG)
def test_no_command_repeats_a_password(
    wrong: str,
    emulator: Client,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in settings_for(emulator.url, **WRONG[wrong]).items():
        monkeypatch.setenv(name, value)
    for command in COMMANDS:
        ran = CliRunner().invoke(main, command)
        said = ran.output + caplog.text
        if ran.exc_info is not None:
            said += "".join(traceback.format_exception(*ran.exc_info))
        assert MARK.casefold() not in said.casefold()
        assert isinstance(ran.exception, SystemExit | None), said
