"""Applies a fault to one call: before or after its effect, and to its response.

Faults about items act inside the call (`rejection.py`). Faults on the wire are only chosen here,
and the server carries them out (`wire.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bff.emulator import wire as on_wire
from bff.emulator.api import ApiResponse
from bff.emulator.errors import ApiFault, Code, error_body
from bff.emulator.faults import ITEM_KINDS, Fault
from bff.emulator.wire import WireFault

PAGE = (
    "<!doctype html><html><head><title>Service unavailable</title></head>"
    "<body><h1>We will be back soon</h1></body></html>"
)
WRONG_TYPES = {"cartId": 7, "orderId": ["?"], "items": "none", "result": "yes"}
JSON, HTML = "application/json", "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class FinalResponse:
    """The response after the fault.

    Attributes:
        status: None if no response is sent.
        raw: The bytes of the body.
        body: The body for the journal.
        effect: Whether the call changed anything.
        media_type: The content type.
        headers: Further headers.
        wire_fault: What the server does with the connection.
    """

    status: int | None
    raw: bytes
    body: Any
    effect: bool
    media_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    wire_fault: WireFault | None = None


def apply_fault(
    fault: Fault | None, call: Callable[[], ApiResponse], pause: Callable[[float], None]
) -> FinalResponse:
    """Carry out a call with a fault. `pause` waits for a number of seconds."""
    if fault is None or fault.kind in ITEM_KINDS:
        return _real(call())
    if fault.kind == "delay":
        if fault.when == "before":
            pause(fault.seconds)
        response = call()
        if fault.when == "after":
            pause(fault.seconds)
        return _real(response)
    effect = False
    if fault.when == "after":
        response = call()
        effect = response.effect
        if fault.kind in ("truncate", "drip", "endless"):
            return _real(response, wire_fault=_wire_fault(fault))
    match fault.kind:
        case "status":
            return _status(fault, effect)
        case "malformed":
            return _text(fault, '{"cartId": "cut', effect, JSON)
        case "html":
            return _text(fault, PAGE, effect, HTML)
        case "wrong_types":
            return _text(fault, WRONG_TYPES, effect, JSON)
    return FinalResponse(
        None, b"", None, effect, wire_fault=_wire_fault(fault)
    )  # drop, reset, hang


def json_bytes(value: Any) -> bytes:
    """Return the bytes of JSON. A `Decimal` becomes a number."""
    return json.dumps(value, default=_number, separators=(",", ":")).encode()


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _real(response: ApiResponse, wire_fault: WireFault | None = None) -> FinalResponse:
    raw = b"" if response.body is None else json_bytes(response.body)
    return FinalResponse(
        response.status, raw, response.body, response.effect, wire_fault=wire_fault
    )


def _status(fault: Fault, effect: bool) -> FinalResponse:
    body: Any = fault.body
    if body is None and fault.html:
        body = PAGE
    if body is None and fault.status != 401:  # a 401 may have no body
        injected = ApiFault(Code.INJECTED, None, f"A fault was set with status {fault.status}.")
        body = error_body("An injected fault.", [injected])
    if fault.status in (204, 304):  # HTTP allows these no body
        body = None
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    raw = _raw(body)
    return FinalResponse(fault.status, raw, body, effect, HTML if fault.html else JSON, headers)


def _text(fault: Fault, default: Any, effect: bool, media_type: str) -> FinalResponse:
    body = default if fault.body is None else fault.body
    return FinalResponse(200, _raw(body), body, effect, media_type)


def _raw(body: Any) -> bytes:
    """Return the bytes of a text as it is, and of any other value as JSON."""
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else json_bytes(body)


def _wire_fault(fault: Fault) -> WireFault:
    match fault.kind:
        case "drop":
            return on_wire.drop
        case "reset":
            return on_wire.reset
        case "hang":
            return on_wire.hang(fault.seconds)
        case "truncate":
            return on_wire.truncate
        case "drip":
            return on_wire.drip(fault.seconds)
    return on_wire.endless
