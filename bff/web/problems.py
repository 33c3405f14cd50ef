"""Turns errors, ours and the framework's, into problem documents of RFC 9457.

The blueprint registers these handlers under its own prefix only, so that a shop's error pages stay
as they are. The standalone server registers them for every path.
"""

from __future__ import annotations

from flask import Response, make_response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from bff.errors import BffError, StoreUnavailable, Unauthorized
from bff.web.schemas.responses import problem


def problem_response(error: BffError) -> Response:
    """Return an error of ours as a problem document."""
    response = make_response(problem(error), error.status)
    response.mimetype = "application/problem+json"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, StoreUnavailable):
        response.headers["Retry-After"] = "1"
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def http_problem_response(error: HTTPException) -> Response:
    """Return an error of the framework as a problem document."""
    detail = error.description or error.name
    response = problem_response(BffError.of_http(error.code or 500, error.name, detail))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(error.valid_methods)
    return response
