"""Listeners see the ids, amounts and codes of a call, and nothing that a shopper entered."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.rokt.calls import Kind
from bff.rokt.outcomes import Refused, read_response
from bff.rokt.redaction import MASK, is_code, private_texts, shown_request, shown_response

MAIL = "somebody@mark.example"
KEY = "k3y-of-the-shop-9f27"


def private(call: Kind, body: Any) -> set[str]:
    return set(private_texts(call, body))


def test_attributes_keep_their_names_and_lose_their_values() -> None:
    body = {
        "cartId": "c-1",
        "pageIdentifier": "checkout.upsell",
        "url": f"https://me:{MAIL}@shop.example:8443/upsell?email={MAIL}&ref=7#of-{MAIL}",
        "attributes": {"email": MAIL, "eventId": "77", MAIL: "x", "": "y"},
    }
    assert shown_request(Kind.ANY, body) == {
        "cartId": "c-1",
        "pageIdentifier": "checkout.upsell",
        "url": "https://shop.example:8443/upsell",
        "attributes": {"email": MASK, "eventId": MASK, MASK: MASK},
    }
    assert private(Kind.ANY, body) >= {MAIL, "77", "x", "y", "7", f"of-{MAIL}", f"me:{MAIL}"}


@pytest.mark.parametrize("url", ["https://[bad", "", "/upsell?who=me", "data:text/html,me", 7])
def test_an_odd_url_shows_no_query_either(url: object) -> None:
    shown = shown_request(Kind.ANY, {"url": url})["url"]
    assert "me" not in shown
    assert "?" not in shown


def test_what_a_call_is_about_stays_so_that_it_explains_itself() -> None:
    items = [{"cartItemId": "v1:0:a", "itemReservationId": "r.1", "quantity": 2, "unitPrice": 1.5}]
    for call, body in (
        (Kind.RESERVE, {"cartId": "c", "items": items, "isPayPalPayment": True, "merchantId": "m"}),
        (Kind.CONFIRM, {"cartId": "c", "orderId": "o", "items": items}),
        (Kind.RELEASE, {"cartId": "c", "items": items}),
        (Kind.CANCEL, {"itemReservationId": "r.1"}),
    ):
        assert shown_request(call, body) == body
        assert private(call, body) == set()


def test_a_name_that_is_masked_is_private_however_deep_it_stands() -> None:
    assert MAIL in private(Kind.CONFIRM, {"payment": {"of": [{MAIL: 1}]}})


def test_further_members_of_a_confirm_show_their_names_alone() -> None:
    extra = {
        "payment": {"card": {"last4": "4242", "holder": [MAIL, 3, None, True]}},
        "merchantId": "of-the-shop",  # a member of reserve, here it may be anything
        "url": f"https://shop.example/{MAIL}",
    }
    body = {**extra, "cartId": "c", "orderId": "o", "items": []}
    assert shown_request(Kind.CONFIRM, body) == {
        "payment": {"card": MASK},
        "merchantId": MASK,
        "url": MASK,
        "cartId": "c",
        "orderId": "o",
        "items": [],
    }
    assert private(Kind.CONFIRM, body) >= {"4242", MAIL, "3", "of-the-shop", extra["url"]}


def test_too_deep_or_too_long_to_be_looked_at_is_not_shown() -> None:
    deep: Any = MAIL
    for _ in range(3000):
        deep = {"a": deep}
    assert MAIL not in repr(shown_request(Kind.CONFIRM, {"extra": deep}))
    assert shown_response({"items": [{"cartId": deep}]}, None, ()) == {"items": [{}]}
    list(private_texts(Kind.CONFIRM, {"extra": deep}))
    long = shown_response({"items": [{"cartId": "c"}] * 100_000}, None, ())
    assert long is not None
    assert len(long["items"]) == 100


ITEM = {
    "cartItemId": "v1:0001:parking.standard",
    "itemReservationId": "rokt_item_reservation_id.0b9cd9f0-0000-4000-8000-000000000000",
    "quantity": 2,
    "unitPrice": 12.5,
    "totalPrice": 25.0,
    "currency": "USD",
    "expirationDateTimeUtc": "2026-03-01T12:10:00.123Z",
    "status": "RESERVED",
    "reserved": True,
}
RESPONSE = {
    "cartId": "c-1",
    "items": [ITEM],
    "errors": [
        {"code": "OUT_OF_STOCK", "message": "None is left.", "value": {"cartItemId": "v1:2"}},
        {"code": "ERR-1042", "message": None, "value": "v1:3"},
    ],
    "description": "Some items could not be reserved.",
    "result": False,
}


def test_of_a_documented_response_all_is_shown_but_its_sentences() -> None:
    request = {
        "cartId": "c-1",
        "items": [{"cartItemId": ITEM["cartItemId"]}, {"x": ["v1:2", "v1:3"]}],
    }
    assert shown_response(RESPONSE, request, {KEY, MAIL, "en", "77", "2026"}) == {
        "cartId": "c-1",
        "result": False,
        "items": [ITEM],
        "errors": [
            {"code": "OUT_OF_STOCK", "value": ["v1:2"]},
            {"code": "ERR-1042", "value": ["v1:3"]},
        ],
    }


ECHOES = [MAIL, f"no such address: {MAIL}", MAIL.upper(), "somebody", "Is mark your name?", KEY]
ANOTHER_CALLS = "sent-before-1f2a"  # this call does not know of it


@pytest.mark.parametrize("echo", [*ECHOES, ANOTHER_CALLS])
def test_a_response_shows_nothing_that_it_repeats(echo: str) -> None:
    body: dict[str, Any] = {
        **dict.fromkeys(RESPONSE, echo),
        **dict.fromkeys(("new", echo), echo),
        "attributes": {"email": echo, echo: 1},
        "items": [dict.fromkeys([*ITEM, echo], echo), echo, [echo]],
        "errors": [{"code": echo, "message": echo, "value": echo}, {"value": {"who": echo}}],
        "echo": [[echo, {"deep": echo}]],
    }
    request = shown_request(Kind.CONFIRM, {"cartId": "c-1", "attributes": {"email": MAIL}})
    shown = shown_response(body, request, {MAIL, KEY})
    assert shown == {"items": [{}], "errors": [{"value": []}, {"value": []}]}


@pytest.mark.parametrize("name", list(ITEM))
@pytest.mark.parametrize("value", [MAIL, 4242424242424242, True, None, [MAIL], {MAIL: MAIL}])
def test_a_member_of_the_wrong_kind_is_not_shown(name: str, value: object) -> None:
    shown = shown_response({"items": [{name: value}]}, {"cartId": "c"}, ())
    numbers = {"quantity", "unitPrice", "totalPrice"}
    is_right = name in numbers if value == 4242424242424242 else (name, value) == ("reserved", True)
    assert shown == {"items": [{name: value} if is_right else {}]}


def test_an_empty_list_is_shown_as_such() -> None:
    assert shown_response({"items": [], "errors": MAIL}, None, ()) == {"items": [], "errors": []}


@pytest.mark.parametrize("body", [MAIL, 4242, [MAIL], None, True])
def test_a_body_that_is_not_an_object_is_not_shown(body: object) -> None:
    assert shown_response(body, None, ()) is None


@pytest.mark.parametrize(
    "code",
    ["OUT_OF_STOCK", "Unauthorized", "item.not-found", "ERR-1042", "E400", "404", "HTTP2_ERROR"],
)
def test_a_code_that_looks_like_one_is_shown(code: str) -> None:
    assert is_code(code, {MAIL, KEY})


@pytest.mark.parametrize(
    "code",
    [
        "",
        KEY,
        KEY.upper(),
        f"BAD_KEY_{KEY}",
        KEY[:6],
        "9f27c0d1e2",
        "a1b2c3d4e5",
        MAIL,
        "UNKNOWN_SOMEBODY",
        "two words",
        "LONG_" * 13,
        "1234567890",
        "x" * 65,
    ],
)
def test_a_code_that_may_be_a_secret_is_not(code: str) -> None:
    assert not is_code(code, {MAIL, KEY})


def test_looking_for_codes_takes_no_time_whatever_the_text() -> None:
    for text in ("a" * 100_000, "a_" * 50_000, "a1" * 50_000, "a" * 63 + "!"):
        assert not is_code(text, {KEY})


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: (
    st.lists(inner) | st.dictionaries(st.sampled_from(sorted(RESPONSE)) | st.text(), inner)
)))  # fmt: skip
def test_nothing_makes_it_fail(anything: Any) -> None:
    shown_response(anything, anything, {MAIL})
    for call in Kind:
        shown_request(call, anything)
        list(private_texts(call, anything))


def test_a_refusal_tells_no_code_that_repeats_what_was_sent() -> None:
    errors = [{"code": code} for code in ("EXPIRED", KEY, "SOMEBODY_UNKNOWN")]
    body = json.dumps({"errors": errors}).encode()
    now = datetime.now(UTC)
    outcome = read_response(400, body, now=now, private={KEY, MAIL})
    assert isinstance(outcome, Refused)
    assert outcome.detail == "Rokt refused (400: EXPIRED)"
