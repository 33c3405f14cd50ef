"""Each line of defence has a test that fails without it: ``pytest -m campaign`` tries."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests import TOP
from tests.campaign.breakages import fails_with
from tests.campaign.defences import DEFENCES
from tests.campaign.defences_of_calls import CALLS

ALL = {**DEFENCES, **CALLS}


@pytest.mark.parametrize("name", ALL)
def test_the_line_is_in_the_code_and_its_test_is_there(name: str) -> None:
    defence = ALL[name]
    assert defence.broken.is_there()
    path, _, function = defence.test.partition("::")
    tree = ast.parse((TOP / path).read_text())
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.campaign
@pytest.mark.parametrize("name", ALL)
def test_without_the_line_the_test_fails(name: str, tmp_path: Path) -> None:
    noticed, printed = fails_with(ALL[name].broken, [ALL[name].test], tmp_path)
    assert noticed, printed
