"""Without a browser its tests are skipped by name, in CI they fail; failures are pictured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import TOP
from tests.support.browser import PICTURES
from tests.support.processes import clean

LONE = """
import pytest

@pytest.mark.browser
def test_a_lone_page(page):
    page.set_content("<h1>Hello</h1>")
    assert page.title() == "never"
"""


def run(folder: Path, **environ: str) -> str:
    """Run a browser test that fails, in a process of its own, and return what was printed."""
    (folder / "test_lone.py").write_text(LONE)
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "tests.support.browser"]
    command += ["-p", "no:cacheprovider", "--rootdir", str(folder), "-o", "addopts=", "-o"]
    command += ["markers=browser: needs one", "test_lone.py"]
    # No other plugin has a part in this, and some take long to load.
    known = {"PYTHONPATH": str(TOP), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | environ
    done = subprocess.run(
        command, cwd=folder, env=clean(known), capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def without_a_browser(folder: Path) -> dict[str, str]:
    return {"PATH": str(folder), "PLAYWRIGHT_BROWSERS_PATH": str(folder)}


def test_without_a_browser_its_tests_are_skipped_and_named(tmp_path: Path) -> None:
    told = run(tmp_path, CI="false", **without_a_browser(tmp_path))
    assert "this machine has no Chromium" in told
    assert "1 skipped" in told


def test_in_ci_a_missing_browser_is_a_failure(tmp_path: Path) -> None:
    told = run(tmp_path, CI="true", **without_a_browser(tmp_path))
    assert "no Chromium found: install one" in told
    assert "1 error" in told


@pytest.mark.browser
@pytest.mark.usefixtures("browser")
def test_a_failure_leaves_a_picture_of_each_page(tmp_path: Path) -> None:
    picture = PICTURES / "test_a_lone_page.png"
    picture.unlink(missing_ok=True)
    try:
        assert "1 failed" in run(tmp_path)
        assert picture.read_bytes().startswith(b"\x89PNG")
    finally:
        picture.unlink(missing_ok=True)
