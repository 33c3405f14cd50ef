"""Reading answers of the HTTP API in tests."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

PROBLEM = "application/problem+json"


def problem_of(answer: TestResponse, status: int) -> dict[str, Any]:
    """Insist on a problem document of this status and return it."""
    assert (answer.status_code, answer.mimetype) == (status, PROBLEM), answer.text
    problem = answer.json
    assert isinstance(problem, dict)
    assert set(problem) - {"errors"} == {"type", "title", "status", "code", "detail"}
    assert problem["status"] == status
    return problem


def refused(answer: TestResponse, status: int, *fields: str) -> None:
    """Insist on a problem document that names these fields, each with messages."""
    errors = problem_of(answer, status)["errors"]
    assert set(errors) == set(fields)
    for messages in errors.values():
        assert messages
        assert all(isinstance(message, str) and message for message in messages)
