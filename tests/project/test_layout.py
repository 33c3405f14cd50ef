"""The layout that the design fixes: what is where, who imports whom, what the README lists."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from bff.config.settings import PREFIX, Settings
from tests import TOP
from tests.support.processes import SCRIPTS, clean

PACKAGE = TOP / "bff"
VISIBLE = {"pyproject.toml", "README.md", "bff", "static", "templates", "tests", "LICENSE"}
# What tools leave behind and .gitignore names.
LEFT_BEHIND = {"build", "dist", "instance", "node_modules", "__pycache__"}
MODULES = {"__init__", "cli", "errors", "money"}
PACKAGES = {
    "config", "cart", "rokt", "store", "outbox", "checkout", "ops", "web", "extension", "server",
    "demo", "emulator",
}  # fmt: skip
SOURCES = sorted(PACKAGE.rglob("*.py"))
README = (TOP / "README.md").read_text()
CONTRACTS = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]
ROW = re.compile(rf"^\| `({PREFIX}[A-Z_]+)` \| *(?:`(.*?)`)? *\| (.+?) \|$", re.MULTILINE)


def test_the_top_holds_what_the_design_allows_and_nothing_else() -> None:
    visible = {path.name for path in TOP.iterdir() if not path.name.startswith(".")}
    assert visible - LEFT_BEHIND == VISIBLE


def test_the_package_holds_what_the_design_allows_and_nothing_else() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == MODULES
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == PACKAGES


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is_about(path: Path) -> None:
    about = ast.get_docstring(ast.parse(path.read_text()))
    assert about
    assert len(about) > 20
    assert about.splitlines()[0].endswith((".", ":"))


def test_the_tree_of_errors_is_drawn_where_they_are_defined() -> None:
    tree = ast.parse((PACKAGE / "errors.py").read_text())
    drawn = ast.get_docstring(tree) or ""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            assert node.name in drawn


def test_imports_run_one_way() -> None:
    linter = str(SCRIPTS / "lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"], cwd=TOP, env=clean(None), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contract_has_the_order_of_the_design() -> None:
    (layers,) = (one["layers"] for one in CONTRACTS["contracts"] if one["type"] == "layers")
    level = {name: n for n, line in enumerate(layers) for name in line.split(" | ")}
    for lower, higher in [
        ("money", "cart"), ("config", "store"), ("cart", "store"), ("cart", "rokt"),
        ("store", "outbox"), ("rokt", "outbox"), ("outbox", "checkout"), ("outbox", "ops"),
        ("checkout", "web"), ("web", "extension"), ("extension", "server"), ("extension", "demo"),
        ("server", "cli"),
    ]:  # fmt: skip
        assert level[higher] < level[lower], f"{higher} must stand above {lower}"


def spelled(default: object) -> str:
    """Spell a default as the README does."""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:g}" if default != int(default) else str(int(default))
    return "" if default == () else str(default)


def test_the_readme_lists_every_setting_with_its_default_and_no_other() -> None:
    rows = {name: (default, about) for name, default, about in ROW.findall(README)}
    settings = {PREFIX + field.name.upper(): field for field in fields(Settings)}
    assert list(rows) == list(settings)
    for name, field in settings.items():
        assert rows[name] == (spelled(field.default), field.metadata["about"]), name


def test_every_setting_that_the_readme_names_exists() -> None:
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    known.add(f"{PREFIX}SECRET_KEY")  # Flask's own, of the standalone server
    named = set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", README))
    assert named <= known
