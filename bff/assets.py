"""Where the files are that browsers fetch and templates that pages are made of.

They stand at the top of a checkout (``static/``, ``templates/``), and inside the package
(``bff/static``, ``bff/templates``) once a wheel was built of it. One function knows both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent


def directory(name: Literal["static", "templates"]) -> Path:
    """The absolute directory ``name``, in a wheel or in a checkout.

    Raises ``FileNotFoundError`` when the package was installed without it.
    """
    for candidate in (_PACKAGE / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(
        f"rokt-bff was installed without its {name!r} directory: build it with "
        "`python -m build` (hatchling puts the directory into the wheel) and install that"
    )
