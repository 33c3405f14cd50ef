"""What the demo may use: the public names, and what ``pip install rokt-bff[demo]`` brings."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import TOP

PACKAGE = TOP / "bff"
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
PARTS = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
# What the contract is about, and the start of everything, which hands the public names on.
APART = {"__init__", "demo", "emulator"}
# Which extra brings what a file may import beside the dependencies of all: a file that runs with
# the extra only, and one that imports of it only within a function.
EXTRA_OF = {"demo": "demo", "server/channel.py": "server"}
EXTRA_WITHIN = {"server/serve.py": "server", "web/rate_limits.py": "redis"}


def test_the_contract_names_every_package_there_is() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    [contract] = [c for c in contracts if "bff.demo" in c.get("source_modules", ())]
    assert set(contract["forbidden_modules"]) == {f"bff.{part}" for part in PARTS - APART}


OWNERS = packages_distributions()


@cache
def brought_by(extra: str | None) -> set[str]:
    """Name every distribution that an installation with this extra has, as pip would find them."""
    declared = [*PROJECT["project"]["dependencies"], *(EXTRAS[extra] if extra else ())]
    found: set[str] = set()
    waiting = [Requirement(text) for text in declared]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name == "rokt-bff":
            waiting += [Requirement(text) for extra in wanted.extras for text in EXTRAS[extra]]
            continue
        if name in found:
            continue
        found.add(name)
        for text in requires(name) or ():
            of_it = Requirement(text)
            asked = wanted.extras or {""}
            if not of_it.marker or any(of_it.marker.evaluate({"extra": one}) for one in asked):
                waiting.append(of_it)
    return found


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """Name every package that a file imports, and whether within a function."""
    tree = ast.parse(path.read_text())
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))
    later = {one for function in functions for one in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node in later) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.split(".")[0], node in later


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_whatever_is_imported_is_installed_with_it(path: Path) -> None:
    place = path.relative_to(PACKAGE)
    for name, is_later in set(imported(path)):
        if name in sys.stdlib_module_names or name == "bff":
            continue
        extra = EXTRA_OF.get(place.parts[0]) or EXTRA_OF.get(str(place))
        extra = extra or (EXTRA_WITHIN.get(str(place)) if is_later else None)
        owners = {canonicalize_name(one) for one in OWNERS[name]}
        assert owners & brought_by(extra), f"{name} is of {owners}, which nothing here brings"
