"""The connections of waitress, stricter about two requests that could harm other shoppers.

Waitress reads a request before any app does. It answers what is not HTTP by itself.
"""

from __future__ import annotations

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses a request that states the length of its body in two ways.

    A proxy in front may go by the other length. Then it would take the rest of the body for another
    shopper's request (RFC 9112, section 6.1).
    """

    def parse_header(self, header_plus: bytes) -> None:
        """Read the request line and the headers; raises ``ParsingError`` for two lengths."""
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # Python reads no number of so many digits
            raise ParsingError("Content-Length is invalid") from error
        # Waitress removes the header that it goes by, and in HTTP/1.0 goes by neither.
        is_chunked_too = self.chunked and "CONTENT_LENGTH" in self.headers
        if is_chunked_too or "TRANSFER_ENCODING" in self.headers:
            raise ParsingError("Content-Length and Transfer-Encoding")


class Channel(HTTPChannel):  # type: ignore[misc]
    """Limits the time for a whole request, so that a client cannot hold a connection by trickling.

    Waitress closes a connection that is idle for too long. Here, half a request counts as idle
    from its first byte on.
    """

    parser_class = Parser
    last_activity: float
    _half_since: float | None = None

    def received(self, data: bytes) -> bool:
        """Take bytes of a request; returns what waitress returns."""
        taken: bool = super().received(data)
        if self.request is None:
            self._half_since = None
        elif self._half_since is None:
            self._half_since = self.last_activity
        else:
            self.last_activity = self._half_since
        return taken
