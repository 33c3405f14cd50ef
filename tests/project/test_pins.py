"""The pins are of the declared packages."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement

from tests import TOP

PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
PINS = (TOP / ".ci" / "pins.txt").read_text()
EXTRAS = ("server", "postgresql", "redis", "demo")


def key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> list[Requirement]:
    texts = [*PROJECT["dependencies"]]
    for extra in EXTRAS:
        texts += PROJECT["optional-dependencies"].get(extra, [])
    return [one for one in map(Requirement, texts) if key(one.name) != "rokt-bff"]


def test_every_declared_package_is_pinned_within_its_range_with_hashes() -> None:
    pins = dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==(\S+) \\$", PINS, re.MULTILINE))
    for one in declared():
        assert one.specifier.contains(pins[key(one.name)]), one.name
    for block in re.split(r"^(?=[a-z0-9])", PINS, flags=re.MULTILINE):
        if "==" in block:
            assert "--hash=sha256:" in block
