"""How the scripts that pages load go out: under a name that stays, and under a release's own.

``/static/bridge.js`` is the present one, for pages that want upgrades by themselves.
``/static/<release>/bridge.js`` is one release's for ever, for pages that name an ``integrity``:
after an upgrade of the server the old address is a 404 that says so, never other bytes.
"""

from __future__ import annotations

from flask import Response, make_response, send_from_directory
from werkzeug.exceptions import NotFound

from bff.assets import Release, directory, read_release

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
    folder = directory("static")
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
