"""What is shown of a call: its form, its ids and amounts, and nothing that a shopper told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.rokt.calls import Kind
from bff.rokt.outcomes import Refused, read_response
from bff.rokt.redaction import MASK, is_code, mask_answer, mask_request, private_texts

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
    assert mask_request(Kind.ANY, body) == {
        "cartId": "c-1",
        "pageIdentifier": "checkout.upsell",
        "url": "https://shop.example:8443/upsell",
        "attributes": {"email": MASK, "eventId": MASK, MASK: MASK},
    }
    assert private(Kind.ANY, body) >= {MAIL, "77", "x", "y", "7", f"of-{MAIL}", f"me:{MAIL}"}


@pytest.mark.parametrize("url", ["https://[bad", "", "/upsell?who=me", "data:text/html,me", 7])
def test_an_odd_url_shows_no_query_either(url: object) -> None:
    shown = mask_request(Kind.ANY, {"url": url})["url"]
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
        assert mask_request(call, body) == body
        assert private(call, body) == set()


def test_further_members_of_a_confirm_show_their_form_alone() -> None:
    extra = {
        "payment": {"card": {"last4": "4242", "holder": [MAIL, 3, None, True]}},
        "merchantId": "of-the-shop",  # a member of reserve, here it may be anything
        "url": f"https://shop.example/{MAIL}",
    }
    body = {**extra, "cartId": "c", "orderId": "o", "items": []}
    shown = mask_request(Kind.CONFIRM, body)
    assert shown["payment"] == {"card": {"last4": MASK, "holder": [MASK] * 4}}
    assert shown["merchantId"] == MASK
    assert (shown["cartId"], shown["orderId"], shown["items"]) == ("c", "o", [])
    assert private(Kind.CONFIRM, body) >= {"4242", MAIL, "3", "of-the-shop"}


def test_too_deep_or_too_long_to_be_looked_at_is_masked() -> None:
    deep: Any = MAIL
    for _ in range(3000):
        deep = {"a": deep}
    for shown in (
        mask_request(Kind.CONFIRM, {"extra": deep}),
        mask_answer({"items": deep}, None, ()),
    ):
        assert MAIL not in repr(shown)
    list(private_texts(Kind.CONFIRM, {"extra": deep}))
    long = mask_answer({"items": [{"cartId": "c"}] * 100_000}, None, ())
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
ANSWER = {
    "cartId": "c-1",
    "items": [ITEM],
    "errors": [
        {"code": "OUT_OF_STOCK", "message": "None is left.", "value": {"cartItemId": "v1:2"}},
        {"code": "ERR-1042", "message": None, "value": "v1:3"},
    ],
    "description": "Some items could not be reserved.",
    "result": False,
}


def test_a_documented_answer_is_shown_as_it_is_but_for_its_sentences() -> None:
    asked = {
        "cartId": "c-1",
        "items": [{"cartItemId": ITEM["cartItemId"]}, {"x": ["v1:2", "v1:3"]}],
    }
    shown = mask_answer(ANSWER, asked, {KEY, MAIL, "en", "77", "2026"})
    (first, second), description = shown["errors"], shown["description"]
    assert (first.pop("message"), second["message"], description) == (MASK, None, MASK)
    assert shown["items"] == ANSWER["items"]
    assert (first, second["value"]) == (
        {"code": "OUT_OF_STOCK", "value": {"cartItemId": "v1:2"}},
        "v1:3",
    )
    assert (shown["cartId"], shown["result"]) == ("c-1", False)


ECHOES = [MAIL, f"no such address: {MAIL}", MAIL.upper(), "somebody", "Is mark your name?", KEY]
ANOTHER_CALLS = "sent-before-1f2a"  # nothing of which this call knows


@pytest.mark.parametrize("echo", [*ECHOES, ANOTHER_CALLS])
def test_an_answer_shows_nothing_of_what_it_was_sent(echo: str) -> None:
    answer: dict[str, Any] = {
        **dict.fromkeys(ANSWER, echo),
        **dict.fromkeys(("new", echo), echo),
        "attributes": {"email": echo, echo: 1},
        "items": [dict.fromkeys([*ITEM, echo], echo), echo, [echo]],
        "errors": [{"code": echo, "message": echo, "value": echo}, {"value": {"who": echo}}],
        "echo": [[echo, {"deep": echo}]],
    }
    asked = mask_request(Kind.CONFIRM, {"cartId": "c-1", "attributes": {"email": MAIL}})
    shown = mask_answer(answer, asked, {MAIL, KEY})
    assert echo.casefold() not in json.dumps(shown).casefold()
    assert {"new", "items", "errors", "echo", MASK} <= set(shown)


@pytest.mark.parametrize("answer", [MAIL, 4242, [MAIL], None, True, {"newMember": MAIL}])
def test_what_is_no_documented_answer_is_not_shown(answer: object) -> None:
    assert "m" not in repr(mask_answer(answer, None, ())).replace("newMember", "")
    assert "4242" not in repr(mask_answer(answer, None, ()))


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
    st.lists(inner) | st.dictionaries(st.sampled_from(sorted(ANSWER)) | st.text(), inner)
)))  # fmt: skip
def test_nothing_makes_it_fail(anything: Any) -> None:
    mask_answer(anything, anything, {MAIL})
    for call in Kind:
        mask_request(call, anything)
        list(private_texts(call, anything))


def test_a_refusal_tells_no_code_that_repeats_what_was_sent() -> None:
    errors = [{"code": code} for code in ("EXPIRED", KEY, "SOMEBODY_UNKNOWN")]
    body = json.dumps({"errors": errors}).encode()
    now = datetime.now(UTC)
    outcome = read_response(400, body, now=now, private={KEY, MAIL})
    assert isinstance(outcome, Refused)
    assert outcome.detail == "Rokt refused (400: EXPIRED)"
