"""Every HTTP answer of Rokt's is one of four outcomes, and only two of them are tried again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.rokt.outcomes import (
    MAX_RETRY_AFTER,
    Done,
    NotSent,
    Outcome,
    Refused,
    Unknown,
    read_response,
    read_retry_after,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BODIES = (
    b"",
    b" \r\n",
    b"{}",
    b"[1]",
    b'"no"',
    b"null",
    b'{"items": [',
    b"<html>",
    b"\xff\xfe",
    b"{",
)
NO_JSON = (b'{"items": [', b"<html>", b"\xff\xfe", b"{")


def read(status: int, body: object = b"", retry_after: str | None = None) -> Outcome:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_response(status, sent, retry_after=retry_after, now=NOW)


def expected(status: int, body: bytes) -> type[Outcome]:
    """The table of the documentation, written out once more by ranges."""
    if status == 429:
        return NotSent
    if status in (408, *range(100, 200), *range(500, 600)):
        return Unknown
    if status in range(300, 500):
        return Refused
    return Unknown if body in NO_JSON else Done


def test_every_status_with_every_kind_of_body_has_its_outcome() -> None:
    wrong = [
        (status, body, outcome)
        for status in range(100, 600)
        for body in BODIES
        if type(outcome := read(status, body)) is not expected(status, body)
        or outcome.status != status
    ]
    assert wrong == []


def test_a_redirect_is_a_refusal_since_it_is_never_followed() -> None:
    assert isinstance(read(307), Refused)


def test_an_early_hint_says_nothing_of_what_rokt_did() -> None:
    assert isinstance(read(103), Unknown)


def test_an_empty_success_is_a_success_without_an_answer() -> None:
    assert read(200, b"\n") == Done(200, None)
    assert read(204) == Done(204, None)


def test_a_success_hands_on_its_answer() -> None:
    assert read(201, {"items": [1]}) == Done(201, {"items": [1]})


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"success": True}, Done),
        ({"success": None}, Done),
        ({"success": 0}, Done),
        ({"success": "false"}, Done),
        ({"success": False}, Refused),
        ({"success": False, "reason": "card declined"}, Refused),
        ({"success": False, "reason": "Provider TIMEOUT"}, Unknown),
        ({"success": False, "reason": "the call timed out"}, Unknown),
        ({"success": False, "errors": [{"message": "Service Unavailable"}]}, Unknown),
        ({"success": False, "reason": "throttled"}, Unknown),
        ({"success": False, "reason": "please try again"}, Unknown),
    ],
)
def test_a_200_that_says_it_failed_is_tried_again_only_where_that_reads_as_temporary(
    answer: dict[str, Any], outcome: type[Outcome]
) -> None:
    assert type(read(200, answer)) is outcome


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("-5", 0),
        ("86400", 86400),
        ("1e400", MAX_RETRY_AFTER),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30),
        ("Sun, 01 Mar 2026 13:00:30 +0100", 30),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Mon, 02 Mar 2026 12:00:00 GMT", 86400),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("2026-03-01T12:00:30Z", None),
        ("Sun, 32 Mar 2026 12:00:30 GMT", None),
        ("Sun, 99999999999999999999 Mar 2026 12:00:00 GMT", None),
        ("Sun, 01 Mar 2026 12:00:00 +99999999999999999999", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_never_without_end(
    header: str | None, seconds: float | None
) -> None:
    assert read_retry_after(header, NOW) == seconds


@given(st.text(max_size=60) | st.from_regex(r"\A[A-Z][a-z]{2}, [0-9+: A-Za-z]{0,60}\Z"))
@settings(max_examples=120, deadline=None)
def test_no_retry_after_header_raises(header: str) -> None:
    seconds = read_retry_after(header, NOW)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_the_wait_that_rokt_asks_for_is_kept(status: int) -> None:
    outcome = read(status, b"", "12")
    assert isinstance(outcome, NotSent | Unknown)
    assert outcome.retry_after == 12


def test_a_refusal_has_its_codes_and_every_text_that_its_errors_name() -> None:
    body = {
        "description": "Some items cannot be had",
        "errors": [
            {"code": "OUT_OF_STOCK", "message": "x", "value": "v1:a"},
            {"code": "LIMIT", "value": {"items": [{"cartItemId": "v1:b"}, ["v1:c", 4, None]]}},
            {"code": 17, "value": json.loads("[" * 40 + '"v1:d"' + "]" * 40)},
            {"code": "has spaces in it"},
            "no object",
        ],
    }
    refused = read(422, body)
    assert isinstance(refused, Refused)
    assert refused.codes == ("OUT_OF_STOCK", "LIMIT")
    assert refused.named == {"v1:a", "v1:b", "v1:c"}, "what is nested beyond reason is not"
    assert not refused.already
    assert refused.body == body


@pytest.mark.parametrize(
    "body",
    [
        {"description": "Already confirmed"},
        {"errors": [{"code": "ALREADY_CONFIRMED"}]},
        {"errors": [{"code": "X", "message": "The order was already confirmed."}]},
    ],
)
def test_that_it_was_done_before_is_read_from_code_or_text(body: dict[str, Any]) -> None:
    refused = read(422, body)
    assert isinstance(refused, Refused)
    assert refused.already


def test_an_item_that_is_called_already_does_not_make_a_refusal_a_repetition() -> None:
    refused = read(422, {"errors": [{"code": "INVALID", "value": "already-tomorrow"}]})
    assert isinstance(refused, Refused)
    assert not refused.already


@pytest.mark.parametrize("body", [[], None, 3, {"errors": None}, {"errors": {"code": "A"}}, b"<p>"])
def test_a_refusal_of_any_shape_is_a_refusal(body: object) -> None:
    assert read(400, body) == Refused(400, "Rokt refused (400)", body=_or_none(body))


def test_what_we_say_of_a_refusal_repeats_nothing_that_rokt_repeats() -> None:
    secret = "shopper@example.com"
    body = {"description": secret, "errors": [{"code": secret, "message": secret, "value": secret}]}
    refused = read(400, body)
    assert isinstance(refused, Refused)
    assert secret not in refused.detail
    assert refused.codes == ()


@pytest.mark.parametrize("status", [200, 422])
def test_no_depth_of_an_answer_raises(status: int) -> None:
    for depth in (10, *range(800, 1000), 100_000):
        deep = b"[" * depth + b"]" * depth
        body = b'{"success": false, "errors": [{"code": "A", "message": %b, "value": %b}]}'
        assert isinstance(read(status, body % (deep, deep)), Refused | Unknown)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["errors", "code", "value", "success", "items"]), inner)
    ),
    max_leaves=12,
)


@given(st.integers(100, 599), JSON | st.binary(max_size=20))
@settings(max_examples=150, deadline=None)
def test_no_answer_raises(status: int, body: object) -> None:
    outcome = read(status, body)
    assert outcome.status == status


@given(st.integers(0, 7200))
@settings(max_examples=50, deadline=None)
def test_a_date_and_its_seconds_mean_the_same(seconds: int) -> None:
    date = (NOW + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert read_retry_after(date, NOW) == read_retry_after(str(seconds), NOW)


def _or_none(body: object) -> object:
    return None if isinstance(body, bytes) else body
