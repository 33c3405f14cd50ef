"""No ``repr`` shows a secret or what is a shopper's: it ends up in logs and error trackers."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

import bff
from bff.cart.order import OrderRow, OrderStatus, Purchase
from bff.cart.quote import Quote
from bff.cart.reservation import ReserveOptions
from bff.config.settings import Settings
from bff.outbox.delivery import Answered
from bff.outbox.queue import OwedCall
from bff.rokt.calls import any_call, confirm_call, reserve_call
from bff.rokt.client import Attempt
from bff.rokt.outcomes import read_response
from bff.rokt.placements import PlacementsRequest
from bff.rokt.transport import Response
from bff.web.guard import Access

MARK = "somebody@mark.example"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ATTRIBUTES = {"email": MARK, f"{MARK}-name": "x"}

# What a field of such a name holds is nobody's business, whatever class it is in.
PRIVATE = {
    "accept_language",
    "answer",
    "api_key",
    "attributes",
    "body",
    "cookie",
    "database_url",
    "extra",
    "handle",
    "headers",
    "named",
    "rate_limit_storage",
    "server_key",
    "server_key_previous",
    "token",
    "url",
}


def values() -> Iterator[Any]:
    """Make one of each value that carries what must not be shown."""
    call = any_call(
        cart_id="c",
        page_identifier="p",
        url=f"https://shop.example/?email={MARK}",
        attributes=ATTRIBUTES,
        rokt_session_id="s",
        accept_language=MARK,
    )
    options = ReserveOptions(attributes=ATTRIBUTES, accept_language=MARK)
    reserve = reserve_call(cart_id="c", lines=[], rokt_session_id="s", options=options)
    order = OrderRow(
        id="o",
        session_id="s",
        cart_id="c",
        quote_id=None,
        rokt_session_id="r",
        status=OrderStatus.CONFIRMED,
        created_at=NOW,
        attributes=ATTRIBUTES,
        extra={"card": MARK},
        accept_language=MARK,
    )
    confirm = confirm_call(order, [])
    yield from (call, reserve, confirm)
    for status in (200, 400, 422):
        error = {"code": "X", "message": MARK, "value": [MARK]}
        body = b'{"attributes":{"email":"%s"},"errors":[%s]}' % (
            MARK.encode(),
            str(error).replace("'", '"').encode(),
        )
        outcome = read_response(status, body, now=NOW)
        assert MARK in str(getattr(outcome, "body", "")), "it is there, and not shown"
        yield outcome
        yield Attempt(call, outcome, NOW, 1.0, 1, "session")
        owed = OwedCall(1, confirm, "session", "order", (), 1, False, NOW, MARK)
        yield Answered(owed, outcome)
        yield Response(status, body, MARK, None)
    wish = ReserveOptions(attributes=ATTRIBUTES, accept_language=MARK)
    yield wish
    yield Quote(
        quote_id="q",
        cart_id="c",
        items=(),
        rejected=(),
        price_changes=(),
        totals={},
        expires_at=None,
        cart_version=1,
        reservation_ids=(),
        options=wish,
    )
    yield Access(handle=MARK)
    yield PlacementsRequest("p", f"https://shop.example/?{MARK}", ATTRIBUTES, MARK)
    yield Purchase("o", "q", ATTRIBUTES, {"card": MARK}, MARK)
    yield order
    yield Settings(
        api_key=MARK,
        tag_id="t",
        server_key=MARK,
        server_key_previous=MARK,
        database_url=f"postgresql://user:{MARK}@host/name",
        rate_limit_storage=f"redis://:{MARK}@host",
    )


@pytest.mark.parametrize("value", list(values()), ids=lambda value: type(value).__name__)
def test_a_value_shows_nothing_of_a_shopper_and_no_secret(value: Any) -> None:
    for text in (repr(value), str(value), f"{value}", repr([value]), repr({"x": value})):
        assert MARK not in text


# The description of the API holds schemas; the rest is for a developer's machine.
NO_SHOPPERS = ("bff.web.openapi", "bff.store.migrations", "bff.emulator", "bff.demo")


def dataclasses_of_ours() -> Iterator[type]:
    for found in pkgutil.walk_packages(bff.__path__, "bff."):
        if found.name.startswith(NO_SHOPPERS):
            continue
        module = importlib.import_module(found.name)
        for one in vars(module).values():
            if isinstance(one, type) and one.__module__ == module.__name__:
                kind: type = one
                if dataclasses.is_dataclass(one):
                    yield kind


def test_no_class_has_such_a_field_in_its_repr() -> None:
    """Also of the classes that are yet to be written."""
    fields = [
        (one, field)
        for one in dataclasses_of_ours()
        for field in dataclasses.fields(one)
        if field.name in PRIVATE
    ]
    shown = [f"{one.__qualname__}.{field.name}" for one, field in fields if field.repr]
    assert shown == []
    assert len(fields) > 25, "the search finds them"
