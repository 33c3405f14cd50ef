"""The partner's side of the BFF's HTTP interface, on ``urllib`` alone.

With the shopper's handle it asks what may be charged; with the server key it says what was
paid. Both are plain JSON over HTTP: any language can do the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

# Longer than the BFF itself takes for its slowest answer: 6 s to reserve, 8 s to confirm.
_PATIENCE = 12.0
_MOST_BYTES = 1024 * 1024

Json = Mapping[str, Any]


class Unreachable(Exception):
    """The BFF gave no whole answer, or said that the same may work later."""


class Refused(Exception):
    """The BFF said no for good: ``status`` and ``code`` of its problem document."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code


class Bff:
    """One BFF at ``address`` (with its prefix), for a backend that has its ``server_key``.

    ``origin`` is that of the backend's own pages: a shopper's handle is good with it only.
    """

    def __init__(self, address: str, server_key: str, origin: str) -> None:
        self._address = address
        self._key = server_key
        self._origin = origin
        # It is on this machine; whatever proxy the environment names is for elsewhere.
        self._opener = build_opener(ProxyHandler({}))

    def reserve(self, handle: str) -> Json:
        """Return the quote of what may be charged now. Costs no call to Rokt while nothing changed.

        The page showed the same quote, but what comes out of a browser is no reason to charge.
        Raises ``Unreachable``, ``Refused``.
        """
        return self._call("POST", "/cart/reserve", handle, {}, {"Origin": self._origin})

    def record(self, handle: str, order_id: str, quote_id: str) -> Json:
        """Say that the order is paid, and have its extras confirmed. Safe to repeat.

        Raises ``Unreachable``, ``Refused``.
        """
        body = {"handle": handle, "orderId": order_id, "quoteId": quote_id}
        return self._call("POST", "/orders", self._key, body)

    def order(self, order_id: str) -> Json:
        """Return where an order's extras stand. Raises ``Unreachable``, ``Refused``."""
        return self._call("GET", f"/orders/{quote(order_id)}", self._key)

    def cancel(self, order_id: str, cart_item_id: str) -> Json:
        """Ask for one extra to be canceled. Raises ``Unreachable``, ``Refused``."""
        body = {"cartItemId": cart_item_id}
        return self._call("POST", f"/orders/{quote(order_id)}/cancel", self._key, body)

    def _call(
        self,
        method: str,
        path: str,
        token: str,
        body: Json | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Json:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = Request(  # noqa: S310, the address is the operator's own setting
            self._address + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers=headers | dict(more or {}),
        )
        try:
            with self._opener.open(request, timeout=_PATIENCE) as answer:
                told = json.loads(answer.read(_MOST_BYTES))
        except HTTPError as error:
            with error:
                raise _no(error.code, error.read(_MOST_BYTES)) from None
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise Unreachable(str(error)) from None
        if not isinstance(told, dict):
            raise Unreachable("the answer is no JSON object")
        return told


def _no(status: int, body: bytes) -> Exception:
    """Tell what may be tried again from what was refused."""
    if status >= 500 or status in {408, 429}:
        return Unreachable(str(status))
    try:
        code = json.loads(body).get("code", "")
    except (ValueError, AttributeError):
        code = ""
    return Refused(status, str(code))
