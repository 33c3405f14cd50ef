"""The bill of materials names what is installed, and the pins are of what is declared."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement

from tests import TOP
from tests.support.processes import ROKT_BFF, ran

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


def test_the_bill_names_what_is_needed_with_its_version(tmp_path: Path) -> None:
    done = ran(ROKT_BFF, "sbom", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    bill = json.loads(done.stdout)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "rokt-bff"
    versions = {key(one["name"]): one["version"] for one in bill["components"]}
    for one in declared():
        if key(one.name) in versions:
            assert versions[key(one.name)] == version(one.name)
    # Directly, and through another one.
    assert {"flask", "requests", "werkzeug", "urllib3"} <= set(versions)
    references = {one["bom-ref"] for one in bill["components"]}
    for edge in bill["dependencies"]:
        assert set(edge["dependsOn"]) <= references
    [root] = [e for e in bill["dependencies"] if e["ref"].startswith("pkg:pypi/rokt-bff@")]
    assert any(needed.startswith("pkg:pypi/flask@") for needed in root["dependsOn"])


def test_every_declared_package_is_pinned_within_its_range_with_hashes() -> None:
    pins = dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==(\S+) \\$", PINS, re.MULTILINE))
    for one in declared():
        assert one.specifier.contains(pins[key(one.name)]), one.name
    for block in re.split(r"^(?=[a-z0-9])", PINS, flags=re.MULTILINE):
        if "==" in block:
            assert "--hash=sha256:" in block
