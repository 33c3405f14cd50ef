"""The fault campaign's short form: every fault, at every call, and the invariants hold after it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import requests

from bff.doctor import Finding
from tests.campaign import cases, points
from tests.campaign.cases import (
    ENDPOINTS,
    FAULTS,
    FORMS,
    LEFT_OUT,
    LEFT_OUT_AT,
    MOMENTS,
    Case,
    is_left_out,
)
from tests.campaign.collected import Judged, by_row, judged
from tests.campaign.facts import Charged, ConfirmRow, Facts, Step
from tests.campaign.gate import Gate
from tests.campaign.kills import TOP
from tests.campaign.runner import Campaign, Row, table
from tests.campaign.verdict import INVARIANTS, Violation, judge
from tests.emulator_client import PARKING, Client
from tests.processes import clean

# Cases wait more than they compute.
LANES = 4
ROWS = by_row(cases.short())


@pytest.fixture(scope="module")
def outcome(request: pytest.FixtureRequest) -> Iterator[Judged]:
    with Campaign(LANES) as campaign:
        yield judged(campaign, request, ROWS)


@pytest.mark.parametrize("row", ROWS, ids=" and ".join)
def test_the_invariants_hold_after_every_fault(outcome: Judged, row: Row) -> None:
    assert outcome(row) == {}


def test_the_grid_is_whole() -> None:
    asked = {"refused", "reset", "slow", "hang", "truncated", "malformed", "wrong types", "HTML",
             "429", "429 Retry-After", "500", "503", "422", "401"}  # fmt: skip
    assert set(FAULTS) == asked
    played = {(case.endpoint, case.fault, case.moment) for case in cases.short()}
    for endpoint in ENDPOINTS:
        for fault in FAULTS:
            for moment in MOMENTS:
                there = (endpoint, fault, moment) in played
                assert there != is_left_out(endpoint, fault, moment)
    assert all((*LEFT_OUT.values(), *LEFT_OUT_AT.values()))
    for fault, moment in LEFT_OUT:
        assert moment not in FAULTS[fault]


def test_the_long_form_has_every_combination() -> None:
    everything = cases.long()
    assert set(cases.short()) < set(everything)
    assert {case.repeat for case in everything if case.endpoint == "confirm"} == {"ok", "error"}
    assert {f"rejected ({form})" for form in FORMS} < {case.fault for case in everything}
    assert {case.endpoint for case in everything if case.database == "postgresql"} == set(ENDPOINTS)
    assert any(case.then for case in everything)
    assert {kill.repeat for kill in points.long()} == {"ok", "error"}


def test_every_case_has_a_name_of_its_own() -> None:
    for chosen in (cases.short(), cases.long(), points.short(), points.long()):
        names = [one.name for one in chosen]
        assert len(set(names)) == len(names)


# One order as it should be: two parking spots and a poster, the poster cancelled again.
ITEM, OTHER = "v1:1:parking", "v1:2:poster"
BODY = b'{"orderId":"A","items":[{"cartItemId":"v1:1:parking","itemReservationId":"r1"}]}'
SOLD: dict[str, Any] = {
    "cartItemId": ITEM, "orderId": "A", "quantity": 2, "totalPrice": 25.0, "held": True,
    "state": "confirmed", "fulfilled": 1, "cancelled": 0,
}  # fmt: skip
CALL: dict[str, Any] = {
    "n": 1, "endpoint": "confirm", "status": 200, "effect": True, "fault": None,
    "headers": {"content-length": str(len(BODY)), "rokt-session-id": "s"},
    "body": {"orderId": "A", "items": [{"cartItemId": ITEM, "itemReservationId": "r1"}]},
}  # fmt: skip
CANCEL: dict[str, Any] = {
    "n": 2, "endpoint": "cancel", "status": 200, "effect": True, "fault": None,
    "headers": {}, "body": {"itemReservationId": "r1"},
}  # fmt: skip
PAID = Charged(ITEM, 2, Decimal("12.50"), Decimal("25.00"))
ROW = ConfirmRow(1, "A", "done", BODY, {"rokt-session-id": "s"})
GOOD = Facts(
    seen={ITEM: Decimal("12.50")},
    locked=[(PAID, [Decimal("25.0")])],
    paid={"A": [PAID]},
    orders={"A": {"status": "confirmed", "items": [{"cartItemId": ITEM, "status": "confirmed"}]}},
    state={"reservations": {"r1": SOLD}},
    journal=[CALL],
    confirms=[ROW],
    steps=[Step("pay", 0.1, 1.0, 200, "application/json")],
)


def reservation(**changed: Any) -> Facts:
    return replace(GOOD, state={"reservations": {"r1": SOLD | changed}})


def order(status: str, **more: Any) -> Facts:
    item = {"cartItemId": ITEM, "status": status}
    needed = "refund_needed" if status == "refund_needed" else "confirmed"
    findings = [Finding("refund_needed", "order 'A'")] if needed == "refund_needed" else []
    return replace(
        GOOD,
        orders={"A": {"status": needed, "items": [item], **more}},
        findings=findings,
        may_refund=True,
    )


def step(seconds: float, status: int, media_type: str, code: str | None) -> Facts:
    return replace(GOOD, steps=[Step("pay", seconds, 1.0, status, media_type, code)])


MORE = {"r1": SOLD, "r2": SOLD}
CHANGED_BODY = BODY.replace(b"r1", b"r2")
CHANGED = CALL | {
    "n": 2,
    "body": {"orderId": "A", "items": [{"cartItemId": ITEM, "itemReservationId": "r2"}]},
}
BROKEN: list[tuple[str, Facts, str]] = [
    ("the_fault_was_met", replace(GOOD, met=False), "nothing went wrong"),
    ("the_doctor_is_content", replace(GOOD, findings=[Finding("overdue", "x")]), "overdue"),
    (
        "the_doctor_is_content",
        replace(order("refund_needed"), findings=[]),
        "nobody is told",
    ),
    ("nothing_is_owed", replace(GOOD, owed=["confirm 1"]), "still owed"),
    ("nothing_is_fulfilled_twice", reservation(fulfilled=2), "2 times"),
    (
        "nothing_is_fulfilled_twice",
        replace(GOOD, state={"reservations": MORE}),
        "2 times",
    ),
    ("nothing_is_fulfilled_unpaid", reservation(orderId="B"), "did not pay"),
    ("nothing_is_fulfilled_unpaid", reservation(cartItemId=OTHER), "did not pay"),
    ("nothing_is_fulfilled_unpaid", reservation(quantity=3), "2 were paid for"),
    ("nothing_is_bought_unreserved", reservation(held=False), "by quantity"),
    ("what_was_paid_is_confirmed_or_refunded", replace(GOOD, orders={}), "unknown"),
    ("what_was_paid_is_confirmed_or_refunded", reservation(fulfilled=0), "0 times"),
    ("what_was_paid_is_confirmed_or_refunded", order("confirming"), "confirming"),
    ("what_was_paid_is_confirmed_or_refunded", order("refund_needed"), "nobody says"),
    (
        "nothing_is_refunded_needlessly",
        replace(order("refund_needed", lastError="no answer"), may_refund=False),
        "no answer",
    ),
    ("nothing_costs_more_than_seen_or_locked", replace(GOOD, locked=[(PAID, [])]), "nothing"),
    (
        "nothing_costs_more_than_seen_or_locked",
        replace(GOOD, locked=[(PAID, [Decimal("24.99")])]),
        "Rokt locked 24.99",
    ),
    (
        "nothing_costs_more_than_seen_or_locked",
        replace(GOOD, seen={ITEM: Decimal("12.49")}),
        "seen at 12.49",
    ),
    (
        "nothing_costs_more_than_seen_or_locked",
        replace(GOOD, paid={"A": [replace(PAID, total=Decimal("24.00"))]}),
        "no total",
    ),
    ("nothing_costs_more_than_seen_or_locked", reservation(totalPrice=25.01), "25.01"),
    ("cancel_follows_confirm_once", reservation(cancelled=2), "2 times"),
    (
        "cancel_follows_confirm_once",
        replace(GOOD, journal=[CANCEL | {"n": 0}, CALL]),
        "before it was confirmed",
    ),
    (
        "cancel_follows_confirm_once",
        replace(GOOD, journal=[CALL | {"effect": False}, CANCEL]),
        "before it was confirmed",
    ),
    ("cancel_follows_confirm_once", order("cancelled"), "told to be cancelled"),
    ("cancel_follows_confirm_once", reservation(cancelled=1), "nobody is told"),
    (
        "cancel_follows_confirm_once",
        replace(GOOD, to_cancel=[("A", ITEM)]),
        "was to be cancelled",
    ),
    ("nothing_stays_reserved", replace(GOOD, live=frozenset({OTHER})), "still reserved"),
    ("nothing_stays_reserved", reservation(state="reserved"), "in the end"),
    (
        "a_repeated_confirm_is_the_same",
        replace(GOOD, confirms=[replace(ROW, body=BODY + b" ")]),
        "no confirm of the outbox",
    ),
    (
        "a_repeated_confirm_is_the_same",
        replace(GOOD, confirms=[replace(ROW, headers={"rokt-session-id": "t"})]),
        "no confirm of the outbox",
    ),
    (
        "a_repeated_confirm_is_the_same",
        replace(
            GOOD,
            journal=[CALL | {"status": None}, CHANGED],
            confirms=[ROW, replace(ROW, id=2, body=CHANGED_BODY)],
        ),
        "may have acted",
    ),
    ("the_shop_is_answered", step(9.0, 200, "application/json", None), "9.0 s"),
    ("the_shop_is_answered", step(0.1, 500, "application/problem+json", "broken"), "500"),
    ("the_shop_is_answered", step(0.1, 503, "text/html", None), "503"),
]


def test_a_good_order_has_no_violation() -> None:
    assert judge(GOOD) == []
    cancelled = replace(order("cancelled"), journal=[CALL, CANCEL])
    gone = {"reservations": {"r1": SOLD | {"state": "cancelled", "cancelled": 1}}}
    assert judge(replace(cancelled, state=gone)) == []
    assert judge(order("refund_needed", lastError="an earlier call may have taken effect")) == []
    assert judge(replace(GOOD, live=frozenset({OTHER}), may_lapse=frozenset({OTHER}))) == []
    assert judge(step(0.1, 503, "application/problem+json", "store_unavailable")) == []
    turned_away = CALL | {"status": 429, "effect": False}
    renewed = replace(ROW, id=2, body=CHANGED_BODY)
    two = replace(GOOD, journal=[turned_away, CHANGED], confirms=[ROW, renewed])
    assert judge(replace(two, state={"reservations": {"r2": SOLD}})) == []


@pytest.mark.parametrize(
    ("invariant", "facts", "said"), BROKEN, ids=[f"{n}-{b[0]}" for n, b in enumerate(BROKEN)]
)
def test_the_verdict_finds(invariant: str, facts: Facts, said: str) -> None:
    found = [one.text for one in judge(facts) if one.invariant == invariant]
    assert any(said in text for text in found), judge(facts)


def test_every_invariant_has_been_seen_broken() -> None:
    assert {one[0] for one in BROKEN} == {invariant.__name__ for invariant in INVARIANTS}


def test_the_table_counts_cases_and_violations_by_row() -> None:
    one, other = Case("confirm", "500", "before"), Case("confirm", "500", "after")
    third = points.Kill("server", "confirm", "confirm.recorded")
    text, violations = table([(one, []), (other, [Violation("x", "y")] * 2), (third, [])])
    assert violations == 2
    assert re.search(r"^confirm +500 +2 +2$", text, re.MULTILINE)
    assert re.search(r"^kill -9 server +confirm\.recorded +1 +0$", text, re.MULTILINE)
    assert re.search(r"^in all +3 +2$", text, re.MULTILINE)


def test_one_command_prints_the_table() -> None:
    command = [sys.executable, "-m", "tests.campaign", "--match", "any, 500, before, once"]
    done = subprocess.run(
        command, cwd=TOP, env=clean({"PYTHONPATH": str(TOP)}), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^any +500 +1 +0$", done.stdout, re.MULTILINE)


def test_the_gate_refuses_cuts_and_lets_through(emulator: Client) -> None:
    with Gate(emulator.url) as gate:
        through = Client(gate.url)
        assert through.reserve((PARKING, 1)).status_code == 200
        gate.cut(1)
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            through.reserve((PARKING, 1))
        assert [entry["effect"] for entry in emulator.journal()] == [True, True]
        assert through.reserve((PARKING, 1)).status_code == 200
        gate.shut()
        with pytest.raises(requests.ConnectionError):
            through.reserve((PARKING, 1))
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(gate.url.rsplit(":", 1)[1]))) != 0
        gate.open()
        assert through.reserve((PARKING, 1)).status_code == 200
        assert len(emulator.journal()) == 4
        through.http.close()
