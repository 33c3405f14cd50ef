"""Responds where no endpoint matches: with a problem document, never with the shop's own page.

The catch-all has every path under our prefix, also one with two slashes or a line break, and every
method, also an unknown one. It is part of the blueprint, so the guard and the headers apply. No
path is corrected by a redirect, which would go to the Host that the caller named. A path that is
not under our prefix, such as ``/shop//rokt`` for ``/shop/rokt``, gets the shop's own 404.
"""

from __future__ import annotations

from flask import Response, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.exceptions import NotFound as NoRoute
from werkzeug.routing import PathConverter, Rule

from bff.web.guard import Caller, opened_to

_NAME = "nothing_here"


class AnyPath(PathConverter):
    """Any text. A ``path`` cannot begin with a slash or contain a line break.

    An order's id is the shop's, so it too may begin with a slash.
    """

    name = "rokt_bff_path"
    regex = r"(?s:.+?)"
    part_isolating = False  # it may contain slashes


def add_catch_all(state: BlueprintSetupState) -> None:
    """Add the catch-all and the converter to an app, before the blueprint's other rules."""
    app, endpoint = state.app, f"{state.blueprint.name}.{_NAME}"
    app.url_map.converters[AnyPath.name] = AnyPath
    app.view_functions[endpoint] = nothing_here
    for path in ("/", f"/<{AnyPath.name}:rest>"):
        # Without Flask's add_url_rule, which has no rule for every method.
        rule = f"{state.url_prefix or ''}{path}"
        app.url_map.add(Rule(rule, endpoint=endpoint, strict_slashes=False, merge_slashes=False))


@opened_to(Caller.PUBLIC)
def nothing_here(rest: str = "") -> Response:  # noqa: ARG001
    """Respond that there is nothing here, or nothing for this method."""
    allowed = methods_here()
    if request.method == "OPTIONS":
        return Response()
    if allowed:
        raise MethodNotAllowed(valid_methods=allowed)
    # Without the path, which may hold a handle.
    raise NoRoute("There is nothing here.")


def methods_here() -> list[str]:
    """Return the methods that the path of this request has, besides OPTIONS."""
    adapter = current_app.create_url_adapter(request)
    # No path of ours is both read and written; an order's id may end like another route.
    for methods in (["POST"], ["GET", "HEAD"]):
        try:
            endpoint, _ = adapter.match(method=methods[0]) if adapter else ("", {})
        except HTTPException:
            continue
        if endpoint != f"{request.blueprint}.{_NAME}":
            return methods
    return []
