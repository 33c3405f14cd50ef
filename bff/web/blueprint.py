"""The blueprint: the decorator that describes and serves an endpoint, the guard, errors, headers.

Every request passes the guard before its view runs. Errors under our own prefix, and no others,
become problem documents, so the shop's own error pages stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, NoReturn

from flask import Blueprint, Response, current_app, g, jsonify, request
from marshmallow import Schema
from werkzeug.exceptions import HTTPException, default_exceptions

from bff.errors import BffError
from bff.web.catch_all import add_catch_all, methods_here
from bff.web.guard import Caller, admit, caller_of, opened_to
from bff.web.json_body import read_json
from bff.web.problems import http_problem_response, problem_response
from bff.web.rate_limits import Limit
from bff.web.runtime import runtime
from bff.web.schemas.fields import Body, load
from bff.web.shopper import request_handle

JSON = "application/json"

View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as its view's decorator describes it.

    Attributes:
        method: The HTTP method.
        rule: The path below the blueprint's prefix, as Flask writes it.
        caller: Who may call.
        body: The schema of the request's body, None without a body.
        response: The schema of the response, None for free JSON or a file.
        statuses: The statuses of success, the usual one first.
        failures: The statuses of failure that are the view's own.
        limit: The rate limit that a request counts for.
        media: The media type of the response.
        endpoint: The name for ``url_for``, None for the view's.
    """

    method: str
    rule: str
    caller: Caller
    body: type[Body] | None = field(default=None, repr=False)
    response: type[Schema] | None = None
    statuses: tuple[int, ...] = (200,)
    failures: tuple[int, ...] = ()
    limit: Limit | None = None
    media: str = JSON
    endpoint: str | None = None


class OperationBlueprint(Blueprint):
    """A blueprint whose views are described by operations.

    Attributes:
        operations: Each operation with its view. The view's name is the operation's id, and the
            view's docstring its summary and description.
    """

    def __init__(self, name: str, import_name: str) -> None:
        super().__init__(name, import_name)
        self.operations: list[tuple[Operation, View]] = []

    def operation(
        self, method: str, rule: str, caller: Caller, **options: Any
    ) -> Callable[[View], View]:
        """Serve a view as an operation, which has these arguments.

        The request is counted for its limit. Then its body is validated, and given to the view as
        ``body``. The view's result is written by the response's schema. A view returns the status
        too where it is not the usual one.
        """
        operation = Operation(method, rule, caller, **options)
        reader = operation.body() if operation.body else None
        writer = operation.response() if operation.response else None

        def register(view: View) -> View:
            @opened_to(operation.caller)
            @wraps(view)
            def respond(**values: Any) -> Response:
                here = runtime()
                if operation.limit is not None:
                    here.limits.count(operation.limit, request, request_handle())
                if reader is not None:
                    data = read_json(request, here.settings.max_body_bytes)
                    values["body"] = load(reader, data)
                result = view(**values)
                if isinstance(result, Response):
                    return result
                usual = operation.statuses[0]
                shape, status = result if isinstance(result, tuple) else (result, usual)
                response = jsonify(writer.dump(shape) if writer else shape)
                response.status_code = status
                return response

            self.operations.append((operation, view))
            self.add_url_rule(
                operation.rule,
                operation.endpoint,
                respond,
                methods=[operation.method],
                merge_slashes=False,  # a redirect would go to the Host that the caller named
            )
            return respond

        return register


blueprint = OperationBlueprint("rokt_bff", __name__)
blueprint.record(add_catch_all)


@blueprint.before_request
def guard() -> None:
    """Refuse a request whose caller the view is not open to."""
    rule = request.url_rule
    if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
        return  # Flask and flask-cors respond, and no view runs
    view = current_app.view_functions.get(request.endpoint or "")
    g.rokt_bff_access = admit(caller_of(view), request, runtime())


@blueprint.after_request
def add_headers(response: Response) -> Response:
    """Keep caches from storing anything but scripts; list a path's methods for OPTIONS."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if request.method == "OPTIONS" and response.status_code == 200:
        # Flask takes the catch-all's methods for those of every path.
        response.headers["Allow"] = ", ".join([*methods_here(), "OPTIONS"])
    return response


blueprint.register_error_handler(BffError, problem_response)
# Flask prefers a shop's handler of one code (its 404 page) to a blueprint's handler of all codes,
# so the blueprint has one for each code.
_errors: list[Any] = [HTTPException, *default_exceptions]
for _error in _errors:
    blueprint.register_error_handler(_error, http_problem_response)


@blueprint.errorhandler(Exception)
def raise_again(error: Exception) -> NoReturn:
    """Hand an error of our code to Flask, which logs it, notifies error trackers and responds 500.

    Without this a shop's own handler of every exception would respond with a page.
    """
    raise error
