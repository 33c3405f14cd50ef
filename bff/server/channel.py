"""What waitress does by itself, before an app is asked: its own answers, and half a request.

It answers what is no HTTP, or too large to be read: here as problem documents, with our headers.
What may be read in two ways counts as no HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask

from bff.errors import BffError
from bff.web.schemas.responses import problem

# Not waitress's own words, which may repeat what was sent.
_DETAILS = {
    400: "This is no request that the server understands.",
    413: "The body is too large.",
    431: "The headers are too large.",
    501: "The server does not take bodies that are encoded so.",
}


class Refusal(Protocol):
    """What waitress says of a request that it refuses: status and HTTP's name for it."""

    code: int
    reason: str


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Reads a request's head, and refuses one that says in two ways how long its body is.

    A proxy in front that goes by the other of the two would take the rest of the body for
    another shopper's request (RFC 9112, section 6.1).
    """

    def parse_header(self, header_plus: bytes) -> None:
        """Raises ``ParsingError`` too for a length of more digits than Python reads."""
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("Content-Length is invalid") from error
        # What waitress goes by it has taken out, and in HTTP/1.0 goes by none.
        is_chunked_too = self.chunked and "CONTENT_LENGTH" in self.headers
        if is_chunked_too or "TRANSFER_ENCODING" in self.headers:
            raise ParsingError("Content-Length and Transfer-Encoding")


def channel_of(headers: Mapping[str, str]) -> type[Any]:
    """Return the class of waitress's connections whose own errors carry these headers."""

    class Task(ErrorTask):  # type: ignore[misc]
        """One such answer."""

        def execute(self) -> None:
            status, more, body = told(self.request.error, headers)
            self.status = status
            self.response_headers.extend(more)
            self.set_close_on_finish()
            self.content_length = len(body)
            self.write(body)

    class Channel(HTTPChannel):  # type: ignore[misc]
        """One connection. Half a request counts from its first byte on: no trickle holds it."""

        error_task_class = Task
        parser_class = Parser
        last_activity: float
        _half_since: float | None = None

        def received(self, data: bytes) -> bool:
            taken: bool = super().received(data)
            if self.request is None:
                self._half_since = None
            elif self._half_since is None:
                self._half_since = self.last_activity
            else:
                self.last_activity = self._half_since
            return taken

    return Channel


def told(error: Refusal, headers: Mapping[str, str]) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return status line, headers and body for an error of waitress's."""
    detail = _DETAILS.get(error.code, "The server has failed.")
    told = BffError.of_http(error.code, error.reason, detail)
    kind = [("Content-Type", "application/problem+json")]
    body = json.dumps(problem(told)).encode()
    return f"{error.code} {error.reason}", [*kind, *headers.items()], body
