"""The bridge's files: where they are, and under which names and hashes browsers load them.

The files stand at the top of a checkout (``static/``, ``templates/``). A wheel has them inside the
package (``bff/static``, ``bff/templates``).

The bridge's modules import each other, so they are published as one *release*, whose name is a hash
of all their bytes. ``/rokt/static/<release>/bridge.js`` never changes and may be cached for ever.
``./bridge-notices.js`` beside it is of the same release.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256, sha384
from html import escape
from pathlib import Path
from typing import Literal

from flask import Response, make_response, send_from_directory
from werkzeug.exceptions import NotFound

_PACKAGE = Path(__file__).resolve().parent.parent

# Digits of a release's name. It only tells releases apart; ``integrity`` protects their bytes.
_NAME_DIGITS = 16

# The files that pages may load; the rest of static/ belongs to the demo.
MODULES = ("bridge", "bridge-guard", "bridge-notices", "bridge-purchase")
SCRIPTS = frozenset(f"{module}{kind}" for module in MODULES for kind in (".js", ".d.ts"))

# A script without a release is cached for an hour. Then a browser asks again, mostly for a 304.
SCRIPT_SECONDS = 3600

# A release's own addresses never change: a year is what caches treat as for ever.
RELEASE_SECONDS = 365 * 86400


def directory(name: Literal["static", "templates"]) -> Path:
    """Return the absolute path of a directory, in a wheel or in a checkout.

    Args:
        name: The directory's name.

    Raises:
        FileNotFoundError: The package was installed without the directory.
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
    """The scripts of one version.

    Attributes:
        scripts: The bytes of each script, by its file's name.
    """

    scripts: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """The release's name in its addresses, which changes with any byte of any script."""
        whole = sha256()
        for name, content in sorted(self.scripts.items()):
            whole.update(f"{name} {len(content)}\n".encode() + content)
        return whole.hexdigest()[:_NAME_DIGITS]

    def path(self, script: str) -> str:
        """Return a script's path, below the blueprint's prefix."""
        return f"/static/{self.name}/{script}"

    def integrity(self, script: str) -> str:
        """Return a script's hash for the attribute ``integrity``.

        A browser checks this one file, and not the files that it imports. So each imported module
        needs a tag of its own before it (``rel="modulepreload"``), which ``tag`` returns.
        Source: https://www.w3.org/TR/SRI/.
        """
        return f"sha384-{b64encode(sha384(self.scripts[script]).digest()).decode()}"

    def script_tag(
        self,
        script: str,
        base: str,
        *,
        preload: bool = False,
        data: Mapping[str, str] | None = None,
    ) -> str:
        """Return the HTML tag of a script.

        ``bridge.js`` gets a ``<script>``, which starts the page's bridge. The other modules get a
        ``<link>``, with which the browser only loads and checks the file.

        Args:
            script: The file's name.
            base: The BFF's address as the page sees it, such as ``/rokt``.
            preload: Return a ``<link>`` for ``bridge.js`` too, for a page whose own script imports
                it from the same address. The tag stands before that script.
            data: More ``data-`` attributes of a ``<script>``, by their names without ``data-``.

        Raises:
            KeyError: There is no such script.
        """
        address = escape(base + self.path(script))
        checked = f'crossorigin="anonymous" integrity="{self.integrity(script)}"'
        if preload or script != "bridge.js":
            return f'<link rel="modulepreload" href="{address}" {checked}>'
        attributes = " ".join(
            f'data-{escape(name)}="{escape(value)}"'
            for name, value in {"rokt-bff": base, **(data or {})}.items()
        )
        return f'<script type="module" async {attributes} src="{address}" {checked}></script>'


def release() -> Release:
    """Read this server's release from ``static/``; type declarations are not in it.

    It is read again each time, and a response has the bytes that were read. So an upgrade beneath a
    running server never serves new bytes under an old name.
    """
    folder = directory("static") / "bridge"
    return Release({x: (folder / x).read_bytes() for x in SCRIPTS if x.endswith(".js")})


def serve_current(filename: str) -> Response:
    """Return a script as it is now.

    Raises:
        NotFound: There is no such script.
    """
    if filename not in SCRIPTS:
        raise NotFound("There is no such file.")
    folder = directory("static") / "bridge"
    return _to_any_origin(
        send_from_directory(folder, filename, max_age=SCRIPT_SECONDS, conditional=True)
    )


def serve_release(name: str, filename: str) -> Response:
    """Return a script of a release.

    Raises:
        NotFound: There is no such script, or the release is not the present one.
    """
    present = release()
    if filename not in present.scripts:
        raise NotFound("There is no such file.")
    if name != present.name:
        raise NotFound(
            f"This server no longer has that release; it has {present.name}. "
            "`rokt-bff integrity` prints the tags for it."
        )
    response = make_response(present.scripts[filename])
    response.mimetype = "text/javascript"
    response.cache_control.public = True
    response.cache_control.max_age = RELEASE_SECONDS
    response.cache_control.immutable = True
    return _to_any_origin(response)


def _to_any_origin(script: Response) -> Response:
    """Let pages of every origin load a script: a module's import needs this header."""
    script.headers["Access-Control-Allow-Origin"] = "*"
    script.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return script
