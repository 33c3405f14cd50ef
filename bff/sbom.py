"""The bill of materials of what is installed: CycloneDX 1.6, from the packages' own metadata.

Lists rokt-bff and all that it needs, with the extras that are there, as this environment has
them: what an auditor or a scanner is given. Source of the form: cyclonedx.org, specification 1.6.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any
from uuid import uuid4

from packaging.requirements import InvalidRequirement, Requirement

NAME = "rokt-bff"


def bill() -> dict[str, Any]:
    """Return the document. Raises ``PackageNotFoundError`` where rokt-bff is not installed."""
    root = distribution(NAME)
    found: dict[str, Distribution] = {}
    edges: dict[str, list[str]] = {}
    waiting = [root]
    while waiting:
        package = waiting.pop()
        needed = [one for one in map(_installed, _requirements(package)) if one is not None]
        edges[_reference(package)] = sorted({_reference(one) for one in needed})
        for one in needed:
            if _key(one) not in found and _key(one) != _key(root):
                found[_key(one)] = one
                waiting.append(one)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid4()}",
        "version": 1,
        "metadata": {"component": _component(root, "application")},
        "components": [_component(found[key], "library") for key in sorted(found)],
        "dependencies": [
            {"ref": reference, "dependsOn": needs} for reference, needs in sorted(edges.items())
        ],
    }


def _requirements(package: Distribution) -> list[Requirement]:
    """Return what a package needs here; of extras all, since only what is installed is listed."""
    extras = ["", *(package.metadata.get_all("Provides-Extra") or [])]
    needed = []
    for text in package.requires or []:
        try:
            one = Requirement(text)
        except InvalidRequirement:
            continue
        # The extras of other packages are theirs: only our own say what this project runs with.
        names = extras if _key(package) == _normal(NAME) else [""]
        if one.marker is None or any(one.marker.evaluate({"extra": name}) for name in names):
            needed.append(one)
    return needed


def _installed(requirement: Requirement) -> Distribution | None:
    try:
        return distribution(requirement.name)
    except PackageNotFoundError:
        return None


def _component(package: Distribution, kind: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": kind,
        "bom-ref": _reference(package),
        "name": package.metadata["Name"],
        "version": package.version,
        "purl": _reference(package),
    }
    licences = package.metadata.get_all("License-Expression") or []
    return told | ({"licenses": [{"expression": licences[0]}]} if licences else {})


def _reference(package: Distribution) -> str:
    return f"pkg:pypi/{_key(package)}@{package.version}"


def _key(package: Distribution) -> str:
    return _normal(package.metadata["Name"])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
