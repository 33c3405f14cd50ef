"""The fault campaign's short form: after every fault at every call, the invariants hold.

The cases take minutes, and run by ``-m campaign`` or by the campaign's own command. The tests of
the grid, the verdict, the table and the gate run with all others.
"""

from __future__ import annotations

import logging
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import requests

from bff.ops.invariants import Finding
from tests import TOP
from tests.campaign import cases, points, runner
from tests.campaign.__main__ import main
from tests.campaign.cases import (
    DATABASES,
    ENDPOINTS,
    FAULTS,
    FAULTS_AT,
    FORMS,
    HANG,
    LEFT_OUT,
    MOMENTS,
    Case,
)
from tests.campaign.collected import Judged, asked, by_row, judged
from tests.campaign.facts import Charged, ConfirmRow, Facts, Step
from tests.campaign.gate import Gate
from tests.campaign.runner import Campaign, Row, table
from tests.campaign.verdict import INVARIANTS, Violation, judge
from tests.support.emulator_client import HEADERS, PARKING, PATHS, Client
from tests.support.processes import clean

# Cases wait more than they compute.
LANES = 4
ROWS = by_row(cases.short())


@pytest.fixture(scope="module")
def outcome(request: pytest.FixtureRequest) -> Iterator[Judged]:
    with Campaign(LANES) as campaign:
        rows = {row: ROWS[row] for row in asked(request, "row")}
        yield judged(campaign, request, rows)


@pytest.mark.campaign
@pytest.mark.parametrize("row", ROWS, ids=" and ".join)
def test_the_invariants_hold_after_every_fault(outcome: Judged, row: Row) -> None:
    assert outcome(row) == {}


def test_the_grid_is_whole() -> None:
    asked = {"refused", "black hole", "reset", "slow", "hang", "truncated", "malformed",
             "wrong types", "HTML", "429", "429 Retry-After", "500", "503", "422",
             "401"}  # fmt: skip
    assert set(FAULTS) == asked
    played = {(case.endpoint, case.fault, case.moment) for case in cases.short()}
    for endpoint in ENDPOINTS:
        for fault in FAULTS:
            for moment in MOMENTS:
                there = (endpoint, fault, moment) in played
                assert there != ((fault, moment) in LEFT_OUT)
    assert all(LEFT_OUT.values())
    assert played > set(FAULTS_AT)


def test_the_grid_is_played_on_both_databases() -> None:
    for endpoint in ENDPOINTS:
        for fault, moments in FAULTS.items():
            for moment in moments:
                cell = [
                    case.database
                    for case in cases.short()
                    if (case.endpoint, case.fault, case.moment) == (endpoint, fault, moment)
                ]
                assert set(cell) == set(DATABASES), (endpoint, fault, moment)


def test_the_long_form_has_every_combination() -> None:
    everything = cases.long()
    assert set(cases.short()) < set(everything)
    assert {case.repeat for case in everything if case.endpoint == "confirm"} == {"ok", "error"}
    assert {f"rejected ({form})" for form in FORMS} < {case.fault for case in everything}
    assert any(case.then for case in everything)


def test_every_case_has_a_name_of_its_own() -> None:
    for chosen in (cases.short(), cases.long()):
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


def leaving(**more: Any) -> Facts:
    """Facts of an order whose cancel was given up, with the doctor's finding of it."""
    told = replace(
        order("cancelling", lastError="cancel: given up"),
        journal=[CALL, CANCEL],
        findings=[Finding("cancel_given_up", "order 'A'")],
    )
    return replace(told, **more)


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
    ("the_doctor_is_content", leaving(findings=[]), "of which nobody knows"),
    ("the_doctor_is_content", leaving(may_refund=False), "cancel_given_up"),
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
        replace(order("cancelling"), to_cancel=[("A", ITEM)]),
        "was to be cancelled",
    ),
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
    ("the_shop_is_answered", step(HANG, 200, "application/json", None), "60.0 s"),
    ("the_shop_is_answered", step(0.1, 500, "application/problem+json", "broken"), "500"),
    ("the_shop_is_answered", step(0.1, 503, "text/html", None), "503"),
]


def test_a_good_order_has_no_violation() -> None:
    assert judge(GOOD) == []
    cancelled = replace(order("cancelled"), journal=[CALL, CANCEL])
    gone = {"reservations": {"r1": SOLD | {"state": "cancelled", "cancelled": 1}}}
    assert judge(replace(cancelled, state=gone)) == []
    assert judge(leaving()) == []
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
    third = points.Kill("server", "confirm", "after commit 1")
    text, violations = table([(one, []), (other, [Violation("x", "y")] * 2), (third, [])])
    assert violations == 2
    assert re.search(r"^confirm +500 +2 +2$", text, re.MULTILINE)
    assert re.search(r"^kill -9 server +after commit 1 +1 +0$", text, re.MULTILINE)
    assert re.search(r"^in all +3 +2$", text, re.MULTILINE)


def run_command(*given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.campaign", *given], cwd=TOP,
        env=clean({"PYTHONPATH": str(TOP)}), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def test_one_command_prints_the_table() -> None:
    done = run_command("--only", "grid", "--match", "any, 500, before, once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^any +500 +1 +0$", done.stdout, re.MULTILINE)


def test_a_violation_is_told_and_counted_and_is_the_command_s_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [Violation("an_invariant", "is broken")]
    monkeypatch.setattr(runner, "judge", lambda _: found)
    monkeypatch.setattr(
        sys, "argv", ["tests.campaign", "--only", "grid", "--match", "any, 500, before, once"]
    )
    try:
        assert main() == 1
    finally:
        logging.disable(logging.NOTSET)
    printed = capsys.readouterr().out
    assert "any, 500, before, once: an_invariant: is broken" in printed
    assert re.search(r"^in all +1 +1$", printed, re.MULTILINE)


def test_a_command_for_no_case_is_an_error() -> None:
    assert run_command("--only", "grid", "--match", "there is no such fault").returncode == 2


# The errors of a call whose response is cut.
CUT_SHORT = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.fixture
def gate(emulator: Client) -> Iterator[Gate]:
    with Gate(emulator.url) as gate:
        yield gate


@pytest.fixture
def through(gate: Gate) -> Iterator[Client]:
    """A client of the emulator that goes through the gate."""
    client = Client(gate.url)
    yield client
    client.http.close()


def test_the_gate_refuses_cuts_and_lets_through(
    gate: Gate, through: Client, emulator: Client
) -> None:
    assert through.reserve((PARKING, 1)).status_code == 200
    gate.cut(1)
    with pytest.raises(CUT_SHORT):
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


def test_the_gate_cuts_in_the_body_when_the_status_is_known(gate: Gate, through: Client) -> None:
    item = through.reserved()
    through.confirm({"cartItemId": PARKING, "itemReservationId": item["itemReservationId"]})
    gate.cut(1, body=True)
    assert through.cancel(item).ok  # which has no body
    through.faults("reserve", {"kind": "status", "status": 422, "times": 2})
    assert through.reserve((PARKING, 1)).status_code == 422
    gate.cut(1, body=True)
    body = {"cartId": "cart-1", "items": [{"cartItemId": PARKING, "quantity": 1}]}
    url = through.url + PATHS["reserve"]
    with through.http.post(url, json=body, headers=HEADERS, stream=True, timeout=5) as cut:
        assert cut.status_code == 422
        with pytest.raises(CUT_SHORT):
            cut.content  # noqa: B018 - reads it


def test_the_gate_is_silent_in_the_middle_of_a_head(gate: Gate, through: Client) -> None:
    item = through.reserved()
    through.confirm({"cartItemId": PARKING, "itemReservationId": item["itemReservationId"]})
    gate.stall(1, 0.2)
    start = time.monotonic()
    assert through.cancel(item).ok
    assert time.monotonic() - start >= 0.2
    gate.stall(1, 60)
    with pytest.raises(requests.Timeout):
        through.call("any", {"cartId": "cart-1", "pageIdentifier": "x"}, timeout=0.3)
    assert gate.met
    assert through.any().status_code == 200


def test_the_gate_is_a_black_hole_to_who_connects(gate: Gate, through: Client) -> None:
    assert through.any().status_code == 200
    gate.swallow()
    for _ in range(2):
        with pytest.raises(requests.ConnectTimeout):
            through.http.get(gate.url, timeout=0.3)
    gate.open()
    assert through.any().status_code == 200
