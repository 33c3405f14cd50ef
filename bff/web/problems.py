"""Turns errors, ours and the framework's, into answers: problem documents of RFC 9457.

Who registers them decides where: the blueprint under its own prefix only, so that a shop's error
pages stay as they are; the standalone server everywhere.
"""

from __future__ import annotations

from flask import Response, make_response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from bff.errors import BffError, StoreUnavailable, Unauthorized
from bff.web.schemas.responses import problem


def refused(error: BffError) -> Response:
    """Answer an error of ours as a problem document."""
    response = make_response(problem(error), error.status)
    response.mimetype = "application/problem+json"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, StoreUnavailable):
        response.headers["Retry-After"] = "1"
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def failed(error: HTTPException) -> Response:
    """Answer an error of the framework, or a fault of ours, the same way."""
    detail = error.description or error.name
    response = refused(BffError.of_http(error.code or 500, error.name, detail))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(error.valid_methods)
    return response
