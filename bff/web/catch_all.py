"""What answers under our prefix where nothing is: a problem document, never the shop's own page.

Whatever is no route of ours ends here, within the blueprint: it passes the guard and gets the
blueprint's headers. So does a path with two slashes, or of two lines, and so does any method, also
TRACE and one that nobody has heard of. No path is mended by a redirect, which would go to whatever
Host the caller named. What would be ours only once it is mended, such as ``/shop//rokt`` under
``/shop/rokt``, is not under our prefix: the shop's own 404 answers.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.exceptions import NotFound as NoRoute
from werkzeug.routing import PathConverter, RequestRedirect

from bff.web.guard import Caller, opened_to

_NAME = "nothing_here"


class Anything(PathConverter):
    """Any path at all, where a ``path`` has no slash in front and ends where a line does."""

    name = "rokt_bff_anything"
    regex = r"(?s:.*)"
    part_isolating = False  # it goes past slashes
    weight = PathConverter.weight + 1  # whatever else fits comes first


class OrderId(PathConverter):
    """An order's id, which is the shop's: it may begin with a slash."""

    name = "rokt_bff_order"
    regex = r"(?s:.+?)"
    part_isolating = False  # it goes past slashes


class ClosedBlueprint(Blueprint):
    """A blueprint that answers for its whole prefix."""

    def __init__(self, name: str, import_name: str) -> None:
        super().__init__(name, import_name)
        self.record(_answer_for_the_rest)

    def add_url_rule(self, *args: Any, **options: Any) -> None:
        """Add a route that no path with two slashes is sent on to."""
        super().add_url_rule(*args, merge_slashes=False, **options)


def _answer_for_the_rest(state: BlueprintSetupState) -> None:
    app, endpoint = state.app, f"{state.blueprint.name}.{_NAME}"
    for converter in (Anything, OrderId):
        app.url_map.converters[converter.name] = converter
    app.view_functions[endpoint] = nothing_here
    for path in (state.url_prefix or "", f"{state.url_prefix}/<{Anything.name}:rest>"):
        # Not by way of Flask, which knows no route that takes every method.
        rule = app.url_rule_class(path, endpoint=endpoint, methods=None, merge_slashes=False)
        rule.provide_automatic_options = True  # type: ignore[attr-defined]
        app.url_map.add(rule)


@opened_to(Caller.PUBLIC)
def nothing_here(rest: str = "") -> Response:  # noqa: ARG001
    """Answer what is not there with a problem document, instead of the shop's error page."""
    allowed = methods_here()
    if allowed:
        raise MethodNotAllowed(valid_methods=allowed)
    # Without the path: somebody may have put a handle into it.
    raise NoRoute("There is nothing here.")


def methods_here() -> list[str]:
    """List the methods that the path of this request really has."""
    adapter = current_app.create_url_adapter(request)
    # No path of ours is both read and written; an order's id may end like another route.
    for methods in (["POST"], ["GET", "HEAD"]):
        try:
            endpoint, _ = adapter.match(method=methods[0]) if adapter else ("", {})
        except (HTTPException, RequestRedirect):
            continue
        if endpoint != f"{request.blueprint}.{_NAME}":
            return methods
    return []
