"""Each d.ts against its module, by the TypeScript compiler where there is one on the PATH.

With CI=true a missing compiler is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bff.web.scripts import MODULES
from tests import TOP

HERE = Path(__file__).parent
STATIC = TOP / "static" / "bridge"
TSC = shutil.which("tsc")

# The source is written without annotations, as it is shipped as it stands: its parameters, `this`
# and what is caught are free, and null is part of every type. What uses the declarations is held
# to them.
OPTIONS = [
    *("--noEmit", "--strict", "--allowJs", "--checkJs"),
    *("--noImplicitAny", "false", "--noImplicitThis", "false", "--strictNullChecks", "false"),
    *("--useUnknownInCatchVariables", "false"),
    *("--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler"),
    *("--lib", "es2023,dom,dom.iterable"),
]


@pytest.mark.skipif(
    TSC is None and os.environ.get("CI") != "true",
    reason="the bridge's types need TypeScript's tsc on the PATH",
)
def test_declarations_are_those_of_the_source(tmp_path: Path) -> None:
    assert TSC is not None, "CI has no tsc, so the bridge's types are unchecked"
    for module in MODULES:
        shutil.copy(STATIC / f"{module}.js", tmp_path / f"source-{module}.js")
        shutil.copy(STATIC / f"{module}.d.ts", tmp_path)
    shutil.copy(HERE / "types.ts", tmp_path)
    done = subprocess.run(
        [TSC, *OPTIONS, "types.ts"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
