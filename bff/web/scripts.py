"""Where the files are that browsers fetch and templates that pages are made of; what pages load.

They stand at the top of a checkout (``static/``, ``templates/``), and inside the package
(``bff/static``, ``bff/templates``) once a wheel was built of it. One function knows both. (The
emulator looks for its stand-in by itself: it imports nothing of the rest.)

The bridge's modules import each other, so they are published as one *release*, under a name made
of all their bytes: ``/rokt/static/<release>/bridge.js`` never changes and may be kept for ever,
and ``./bridge-notices.js`` beside it is the one that belongs to it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256, sha384
from html import escape
from pathlib import Path
from typing import Literal

from flask import Response, make_response, send_from_directory
from werkzeug.exceptions import NotFound

_PACKAGE = Path(__file__).resolve().parent.parent


# Of the release's hash: it tells releases apart and guards nothing, which `integrity` does.
_NAME_DIGITS = 16


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


@dataclass(frozen=True, slots=True)
class Release:
    """The scripts of one version, by name, as bytes. Pure; see ``read_release``."""

    scripts: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """What its addresses carry: another as soon as any byte of any script is."""
        whole = sha256()
        for name, content in sorted(self.scripts.items()):
            whole.update(f"{name} {len(content)}\n".encode() + content)
        return whole.hexdigest()[:_NAME_DIGITS]

    def path(self, script: str) -> str:
        """Where the script is served, below the blueprint's prefix."""
        return f"/static/{self.name}/{script}"

    def integrity(self, script: str) -> str:
        """The script's hash as the attribute ``integrity`` wants it.

        A browser holds the one file to it, not what that file imports: each import of a
        module needs a tag of its own before it (``rel="modulepreload"``), as ``tag`` gives.
        Source: https://www.w3.org/TR/SRI/.
        """
        return f"sha384-{b64encode(sha384(self.scripts[script]).digest()).decode()}"

    def tag(
        self,
        script: str,
        base: str,
        *,
        preload: bool = False,
        data: Mapping[str, str] | None = None,
    ) -> str:
        """The whole HTML tag for ``script`` of the BFF at ``base`` (such as ``/rokt``).

        ``bridge.js`` starts the page's bridge, and is told its BFF and ``data``, as ``data-…``.
        With ``preload``, and for the other modules, the browser only fetches and checks it: that
        is for a page whose own script imports it from the same address, and comes before that
        script.
        """
        address = escape(base + self.path(script))
        checked = f'crossorigin="anonymous" integrity="{self.integrity(script)}"'
        if preload or script != "bridge.js":
            return f'<link rel="modulepreload" href="{address}" {checked}>'
        told = {"rokt-bff": base, **(data or {})}
        given = " ".join(f'data-{escape(name)}="{escape(value)}"' for name, value in told.items())
        return f'<script type="module" async {given} src="{address}" {checked}></script>'


def read_release(names: Iterable[str]) -> Release:
    """Read the release out of ``static/``; of ``names`` only scripts count, not their types.

    Read anew each time and served from what was read: an upgrade beneath a running server must
    not put new bytes under an old name.
    """
    folder = directory("static") / "bridge"
    return Release({name: (folder / name).read_bytes() for name in names if name.endswith(".js")})


# What pages may load from here; the rest of static/ is the demo's.
MODULES = ("bridge", "bridge-guard", "bridge-notices", "bridge-purchase")


SCRIPTS = frozenset(f"{module}{kind}" for module in MODULES for kind in (".js", ".d.ts"))


# A page's script may be an hour old; it asks anew after that, and gets a 304 mostly.
SCRIPT_SECONDS = 3600


# A release's own addresses never change: a year is what caches take for ever.
RELEASE_SECONDS = 365 * 86400


def release() -> Release:
    """The release that this server has now."""
    return read_release(SCRIPTS)


def current(filename: str) -> Response:
    """Answer with the present script. Raises ``NotFound``."""
    if filename not in SCRIPTS:
        raise NotFound("There is no such file.")
    folder = directory("static") / "bridge"
    return _to_any_origin(
        send_from_directory(folder, filename, max_age=SCRIPT_SECONDS, conditional=True)
    )


def of_release(name: str, filename: str) -> Response:
    """Answer with the script of the release ``name``. Raises ``NotFound`` for any other."""
    present = release()
    if filename not in present.scripts:
        raise NotFound("There is no such file.")
    if name != present.name:
        raise NotFound(
            f"The scripts of that release are not here any more; those of {present.name} are: "
            "`rokt-bff integrity` prints the tags for them."
        )
    response = make_response(present.scripts[filename])
    response.mimetype = "text/javascript"
    response.cache_control.public = True
    response.cache_control.max_age = RELEASE_SECONDS
    response.cache_control.immutable = True
    return _to_any_origin(response)


def _to_any_origin(script: Response) -> Response:
    """Let pages of any origin have it: importing a module needs that said."""
    script.headers["Access-Control-Allow-Origin"] = "*"
    script.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return script
