"""schemathesis drives every endpoint of a real server by its OpenAPI document, with all checks.

``FUZZ=100000`` in the environment asks for many more examples; see ``test_fuzz`` too.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.emulator_client import Client
from tests.support.processes import ROKT_BFF, SCRIPTS, clean, settings_for, started
from tests.support.shop import SERVER, SERVER_KEY

ORIGIN = "https://shop.example"
EXAMPLES = max(10, int(os.environ.get("FUZZ", "0")) // 500)

# A total must be unit price × quantity, and a setting bounds quantities: no schema can say that.
UNSAYABLE = """
[[operations]]
include-path = "{path}"
[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", "401", "404", "409", "422"]
"""
CONFIG = """
continue-on-failure = true
headers = {{ {headers} }}
[generation]
max-examples = {examples}
"""
# A page's handle is one of two ways in: without it the cookie's rules hold, which the tool
# cannot know to be another caller's.
NO_IGNORED_AUTH = "[checks]\nignored_auth.enabled = false\n"
# Every link leads on to a server's call, which a page may not make; the tool takes a run without
# any link that it can follow for an error.
NO_LINKS = "[phases.stateful]\nenabled = false\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, running_emulator: Client) -> Iterator[str]:
    environ = settings_for(
        running_emulator.url, origins=ORIGIN, default_currency="USD", updates_per_second="100000"
    )
    folder = tmp_path_factory.mktemp("served")
    with started(ROKT_BFF, "serve", "--port", "0", folder=folder, environ=environ) as server:
        yield server.wait_for(r"rokt-bff at (http://\S+)")
        assert server.stop() == 0
        assert "Traceback" not in server.printed, server.printed


def drive(served: str, folder: Path, config: str, paths: str) -> None:
    (folder / "st.toml").write_text(config)
    command = [str(SCRIPTS / "st"), "--config-file", "st.toml", "run", f"{served}/openapi.json"]
    command += ["--include-path-regex", paths, "--seed", "1", "--no-color"]
    done = subprocess.run(
        command, cwd=folder, env=clean(None), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def test_a_pages_endpoints_keep_to_what_is_described(served: str, tmp_path: Path) -> None:
    headers = {"Rokt-Bff": "1", "Origin": ORIGIN}
    begun = requests.post(f"{served}/session", json={}, headers=headers, timeout=60)
    headers["Authorization"] = f"Bearer {begun.json()['handle']}"
    listed = ", ".join(f'"{name}" = "{value}"' for name, value in headers.items())
    config = CONFIG.format(headers=listed, examples=EXAMPLES) + NO_IGNORED_AUTH + NO_LINKS
    config += UNSAYABLE.format(path="/cart/updates")
    drive(served, tmp_path, config, "^/(cart|placements|session|health|openapi|static)")


def test_a_servers_endpoints_keep_to_what_is_described(served: str, tmp_path: Path) -> None:
    assert SERVER["Authorization"] == f"Bearer {SERVER_KEY}"
    config = CONFIG.format(headers=f'"Authorization" = "Bearer {SERVER_KEY}"', examples=EXAMPLES)
    config += UNSAYABLE.format(path="/purchases") + UNSAYABLE.format(path="/products")
    drive(served, tmp_path, config, "^/(orders|products|purchases)")
