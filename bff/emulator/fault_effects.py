"""Carries out a fault around one call: what is done before and after the effect, what is sent.

Faults about items have acted already, inside the call (`rejection.py`); those on the wire are only
ordered here and acted by the server (`wire.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bff.emulator import wire as on_wire
from bff.emulator.api import Answer
from bff.emulator.errors import ApiFault, Code, error_body
from bff.emulator.faults import ITEM_KINDS, Fault
from bff.emulator.wire import Act

PAGE = (
    "<!doctype html><html><head><title>Service unavailable</title></head>"
    "<body><h1>We will be back soon</h1></body></html>"
)
WRONG_TYPES = {"cartId": 7, "orderId": ["?"], "items": "none", "result": "yes"}
JSON, HTML = "application/json", "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Sent:
    """What goes out. `status` None: nothing does. `answer` is what the journal notes of it."""

    status: int | None
    raw: bytes
    answer: Any
    effect: bool
    media_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    act: Act | None = None


def carry_out(
    fault: Fault | None, work: Callable[[], Answer], pause: Callable[[float], None]
) -> Sent:
    """Do the work with a fault around it. `pause` waits so many seconds."""
    if fault is None or fault.kind in ITEM_KINDS:
        return _true(work())
    if fault.kind == "delay":
        if fault.when == "before":
            pause(fault.seconds)
        answer = work()
        if fault.when == "after":
            pause(fault.seconds)
        return _true(answer)
    effect = False
    if fault.when == "after":
        answer = work()
        effect = answer.effect
        if fault.kind in ("truncate", "drip", "endless"):
            return _true(answer, act=_act(fault))
    match fault.kind:
        case "status":
            return _status(fault, effect)
        case "malformed":
            return _text(fault, '{"cartId": "cut', effect, JSON)
        case "html":
            return _text(fault, PAGE, effect, HTML)
        case "wrong_types":
            return _text(fault, WRONG_TYPES, effect, JSON)
    return Sent(None, b"", None, effect, act=_act(fault))  # drop, reset, hang


def dump(value: Any) -> bytes:
    """Spell JSON as the emulator sends it; exact decimals become plain numbers."""
    return json.dumps(value, default=_number, separators=(",", ":")).encode()


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def _true(answer: Answer, act: Act | None = None) -> Sent:
    raw = b"" if answer.body is None else dump(answer.body)
    return Sent(answer.status, raw, answer.body, answer.effect, act=act)


def _status(fault: Fault, effect: bool) -> Sent:
    body: Any = fault.body
    if body is None and fault.html:
        body = PAGE
    if body is None and fault.status != 401:  # a 401 may have no body, so it has none
        said = ApiFault(Code.INJECTED, None, f"The emulator was told to answer {fault.status}.")
        body = error_body("An injected fault.", [said])
    if fault.status in (204, 304):  # these have no body, by HTTP's own rules
        body = None
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    raw = _raw(body)
    return Sent(fault.status, raw, body, effect, HTML if fault.html else JSON, headers)


def _text(fault: Fault, default: Any, effect: bool, media_type: str) -> Sent:
    body = default if fault.body is None else fault.body
    return Sent(200, _raw(body), body, effect, media_type)


def _raw(body: Any) -> bytes:
    """Text goes out as it is, whatever else as JSON."""
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else dump(body)


def _act(fault: Fault) -> Act:
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
