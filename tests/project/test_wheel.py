"""The wheel: built, installed somewhere else, and served from there without the checkout."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from bff.web.scripts import SCRIPTS
from tests import TOP
from tests.support.emulator_client import Client
from tests.support.processes import Started, clean, settings_for, started
from tests.support.waiting import PATIENCE

RUN = (
    "import sys, bff; from bff.cli import main\n"
    "print('bff is', bff.__file__, flush=True); main(sys.argv[1:])"
)


def run(*command: str, folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env=clean(None), capture_output=True, text=True,
        timeout=4 * PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as a packager does, with what is installed here already."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), folder=TOP)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it into a directory of its own."""
    folder = tmp_path_factory.mktemp("installed")
    run(
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
        "--disable-pip-version-check", "--target", str(folder), str(wheel), folder=folder,
    )  # fmt: skip
    return folder


def test_the_wheel_holds_the_package_with_its_files_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        entry_points = archive.read(next(n for n in names if n.endswith("entry_points.txt")))
    package = {name for name in names if name.startswith("bff/")}
    (rest,) = {name.split("/")[0] for name in names - package}
    assert rest.endswith(".dist-info")
    assert "bff/py.typed" in package
    for kind in ("static", "templates"):
        there = {str(p.relative_to(TOP)) for p in (TOP / kind).rglob("*") if p.is_file()}
        assert {f"bff/{name}" for name in there} == {n for n in package if f"bff/{kind}/" in n}
    sources = {str(p.relative_to(TOP)) for p in (TOP / "bff").rglob("*.py")}
    assert sources == {name for name in package if name.endswith(".py")}
    assert not [name for name in package if name.endswith((".db", ".pyc"))]
    assert b"rokt-bff = bff.cli:main" in entry_points
    assert b"rokt = bff.cli:rokt" in entry_points


@contextmanager
def from_wheel(installed: Path, folder: Path, *arguments: str, **environ: str) -> Iterator[Started]:
    """Run a command of the installed wheel, in a folder that is no checkout."""
    sent = environ | {"PYTHONPATH": str(installed)}
    command = (sys.executable, "-c", RUN, *arguments)
    with started(*command, folder=folder, environ=sent) as process:
        assert Path(process.wait_for(r"bff is (\S+)")).is_relative_to(installed)
        yield process
        assert process.stop() == 0, process.printed


def test_serve_from_the_wheel_hands_out_the_bridge(
    installed: Path, emulator: Client, tmp_path: Path
) -> None:
    settings = settings_for(emulator.url)
    with from_wheel(installed, tmp_path, "serve", "--port", "0", **settings) as server:
        url = server.wait_for(r"at (http://\S+)")
        for name in SCRIPTS:
            script = requests.get(f"{url}/static/{name}", timeout=60)
            assert script.content == (TOP / "static" / "bridge" / name).read_bytes()


def test_the_demo_from_the_wheel_shows_the_shops_pages(installed: Path, tmp_path: Path) -> None:
    ports = ("--port", "0", "--emulator-port", "0", "--partner-port", "0")
    with from_wheel(installed, tmp_path, "demo", *ports) as demo:
        shop = demo.wait_for(r"(?i)demo shop\S*\s+(http://\S+)")
        page = requests.get(shop, timeout=60)
        assert page.status_code == 200
        linked = re.findall(r'(?:href|src)="(/static/[^"?]+)', page.text)
        assert linked
        files = {"/rokt/static/bridge.js": TOP / "static" / "bridge" / "bridge.js"}
        files |= {path: TOP / path.removeprefix("/") for path in linked}
        for path, file in files.items():
            answer = requests.get(shop + path, timeout=60)
            assert answer.content == file.read_bytes()
        partner = demo.wait_for(r"(?i)partner's shop\S*\s+(http://\S+)")
        checkout = requests.get(f"{partner}/checkout?seat=1", timeout=60)
        assert checkout.status_code == 200
        for path in re.findall(r'(?:href|src)="(/static/[^"?]+)', checkout.text):
            answer = requests.get(partner + path, timeout=60)
            name = path.removeprefix("/static/")
            assert answer.content == (TOP / "static" / "demo" / "partner" / name).read_bytes()
