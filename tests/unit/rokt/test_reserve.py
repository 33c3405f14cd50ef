"""How often Rokt is asked to reserve, and what its outcomes make of the rows."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from bff.cart.held_cart import Line
from bff.cart.reservation import Reason, Reservation, ReserveOptions, State
from bff.rokt.bulkhead import Bulkhead
from bff.rokt.calls import Call
from bff.rokt.client import CartApi
from bff.rokt.outcomes import Cause, Done, NotSent, Outcome, Refused, Unknown
from bff.rokt.reserve import ReserveCalls, ReserveResult, as_passing, is_useless, unless_lapsed
from tests.support.samples import NOW, cart_item, reservation

BUSY = NotSent(Cause.BUSY, "x")
LOST = Unknown(Cause.BROKEN, "x")
SOLD_OUT = Refused(422, "x", ("SOLD_OUT",))


class Api:
    """Answers the calls with these outcomes in turn, and keeps the ids that each asked for."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.bulkhead = Bulkhead(1, 1)
        self.asked: list[list[str]] = []
        self.numbers: list[int] = []
        self._outcomes = iter(outcomes)

    def send(self, call: Call, *, limit: float, number: int, session_id: str) -> Outcome:
        assert limit > 0
        assert session_id
        self.asked.append([item["cartItemId"] for item in call.document()["items"]])
        self.numbers.append(number)
        return next(self._outcomes)


def row(cart_item_id: str) -> Reservation:
    held = reservation(Line(cart_item(cart_item_id), 1))
    return replace(held, id=cart_item_id, state=State.ASKED, item_reservation_id=None)


ROWS = (row("a"), row("b"))


def ask(api: Api, *, seconds: float = 60.0, retry: bool = True) -> ReserveResult:
    calls = ReserveCalls(cast("CartApi", api))
    return calls.ask(ROWS, ReserveOptions(), end=time.monotonic() + seconds, retry=retry)


def granted(*cart_item_ids: str, **more: Any) -> Done:
    plain = {"quantity": 1, "unitPrice": 12.5, "currency": "USD"} | more
    items = [
        {**plain, "cartItemId": one, "itemReservationId": f"id-of-{one}"} for one in cart_item_ids
    ]
    return Done(200, {"items": items})


@pytest.mark.parametrize("outcome", [granted("a", "b"), SOLD_OUT])
def test_an_answer_is_not_asked_for_again(outcome: Outcome) -> None:
    api = Api(outcome)
    assert ask(api) == ReserveResult(ROWS, outcome)
    assert api.asked == [["a", "b"]]


@pytest.mark.parametrize(
    ("first", "second", "outcome", "unsure"),
    [
        (BUSY, granted("a", "b"), granted("a", "b"), False),
        (LOST, SOLD_OUT, SOLD_OUT, True),
        (LOST, BUSY, LOST, False),  # that the second was not sent says nothing about the first
        (BUSY, LOST, LOST, False),
    ],
)
def test_while_time_is_left_there_is_a_second_attempt_and_no_third(
    first: Outcome, second: Outcome, outcome: Outcome, unsure: bool
) -> None:
    api = Api(first, second)
    assert ask(api) == ReserveResult(ROWS, outcome, unsure=unsure)
    assert api.numbers == [1, 2]


def test_there_is_none_where_rokt_asks_for_more_time_or_nobody_waits() -> None:
    late = NotSent(Cause.RATE_LIMITED, "x", 429, retry_after=61.0)
    for api, retry in ((Api(late), True), (Api(LOST), False)):
        ask(api, retry=retry)
        assert api.numbers == [1]


def test_without_a_slot_to_wait_there_is_none() -> None:
    api = Api(NotSent(Cause.RATE_LIMITED, "x", 429, retry_after=0.01))
    with api.bulkhead.waiting_slot():
        assert ask(api).outcome == NotSent(Cause.RATE_LIMITED, "x", 429, 0.01)


def test_what_a_refusal_names_is_left_out_of_one_more_call() -> None:
    refusal = Refused(
        422,
        "x",
        ("SOLD_OUT",),
        frozenset({"a"}),
        body={"errors": [{"code": "LIMIT", "value": "a"}]},
    )
    api = Api(refusal, granted("b"))
    result = ask(api)
    assert api.asked == [["a", "b"], ["b"]]
    rows, unanswered = result.apply(NOW)
    assert {one.id: (one.state, one.reason) for one in rows} == {
        "b": (State.RESERVED, None),
        "a": (State.REJECTED, Reason.REJECTED),
    }
    assert unanswered == {}


def test_a_refusal_that_names_none_or_all_is_final() -> None:
    for named in (frozenset[str](), frozenset({"a", "b"})):
        api = Api(replace(SOLD_OUT, named=named))
        rows, unanswered = ask(api).apply(NOW)
        assert [one.reason for one in rows] == [Reason.SOLD_OUT] * 2
        assert (api.numbers, unanswered) == ([1], {})


def test_without_rows_there_is_no_call() -> None:
    result = ReserveCalls(cast("CartApi", Api())).ask((), ReserveOptions(), end=0.0)
    assert result.apply(NOW) == ([], {})


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (BUSY, Reason.BUSY),
        (Unknown(Cause.BUSY, "x"), Reason.UNREACHABLE),
        (LOST, Reason.UNREACHABLE),
        (Refused(401, "x"), Reason.UNREACHABLE),  # about the shop's setup, not about the items
        (Refused(302, "x"), Reason.UNREACHABLE),
        (Done(200, []), Reason.UNREACHABLE),
    ],
)
def test_without_an_answer_an_item_has_a_passing_reason(outcome: Outcome, reason: Reason) -> None:
    assert ReserveResult(ROWS, outcome).apply(NOW) == ([], {"a": reason, "b": reason})


def test_a_part_is_reserved_with_the_reason() -> None:
    asked = replace(row("a"), item=cart_item("a", quantity=3))
    ((part,), _) = ReserveResult((asked,), granted("a", quantity=2)).apply(NOW)
    assert (part.state, part.quantity, part.reason) == (State.RESERVED, 2, Reason.PARTLY_RESERVED)
    assert (part.item_reservation_id, part.granted_at) == ("id-of-a", NOW)


def test_what_lapsed_on_its_way_is_not_charged() -> None:
    ends = {"expirationDateTimeUtc": NOW.isoformat()}
    ((held,), _) = ReserveResult((row("a"),), granted("a", **ends)).apply(NOW)
    assert unless_lapsed(held, NOW - timedelta(seconds=1)).state is State.RESERVED
    assert unless_lapsed(held, NOW + timedelta(seconds=1)).state is State.REJECTED


def test_a_denial_is_passing_where_rokt_may_hold_the_item_and_useless_where_it_does() -> None:
    denied = replace(row("a"), state=State.REJECTED, reason=Reason.SOLD_OUT)
    assert as_passing(denied).reason is Reason.UNREACHABLE
    assert not is_useless(denied)
    held = replace(denied, item_reservation_id="id-of-a")
    assert as_passing(held) == held
    assert is_useless(held)


def test_an_item_that_is_given_back_has_not_the_end_of_its_former_reservation() -> None:
    """A paid order's item is reserved again, in another currency: its release is worth trying."""
    before = replace(ROWS[0], expires_at=NOW - timedelta(minutes=10), granted_at=NOW)
    (after,), _ = ReserveResult((before,), granted("a", currency="EUR")).apply(NOW)
    assert is_useless(after)
    assert (after.granted_at, after.expires_at) == (None, None)
