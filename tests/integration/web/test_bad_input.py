"""What is wrong is refused by name, and what is held stays as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.support.databases import Databases
from tests.support.emulator_client import Client
from tests.support.responses import problem_of, refused
from tests.support.shop import BRIDGE, Shop, Shopper

KIB = 1024


@pytest.fixture(scope="module")
def holding(
    running_emulator: Client,
    tmp_path_factory: pytest.TempPathFactory,
    databases: Databases,
    database_kind: str,
) -> Iterator[Shopper]:
    """A shopper who holds two lines, one of them reserved; nothing below changes that."""
    running_emulator.reset()
    folder = tmp_path_factory.mktemp("shop")
    with databases.maker(database_kind, folder) as new:
        settings = {
            "ROKT_BFF_UPDATES_PER_SECOND": 100_000,
            "ROKT_BFF_DATABASE_URL": new(),
        }
        shop = Shop(running_emulator, folder, settings)
        shopper = shop.shopper()
        shopper.add(quantity=2)
        shopper.reserve()
        shopper.add("poster.souvenir")
        yield shopper
        shop.close()


def send(shopper: Shopper, body: bytes, media: str = "application/json") -> TestResponse:
    return shopper.client.post(
        "/rokt/cart/updates", data=body, headers=BRIDGE | {"Content-Type": media}
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": -1}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": 1000}, "quantity"),
        ({"quantity": 10**18}, "quantity"),
        ({"quantity": 1e300}, "quantity"),
        ({"quantity": "2"}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"quantity": [2]}, "quantity"),
        ({"quantity": ...}, "quantity"),
        ({"currency": "$"}, "currency"),
        ({"currency": ""}, "currency"),
        ({"currency": None}, "currency"),
        ({"currency": ...}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"currency": "XAU"}, "currency"),
        ({"currency": 840}, "currency"),
        ({"unitPrice": "12.50"}, "unitPrice"),
        ({"unitPrice": 12.505}, "unitPrice"),
        ({"unitPrice": 12.5, "currency": "JPY"}, "unitPrice"),
        ({"unitPrice": -12.5}, "unitPrice"),
        ({"unitPrice": 1e12}, "unitPrice"),
        ({"unitPrice": 10**30}, "unitPrice"),
        ({"unitPrice": True}, "unitPrice"),
        ({"unitPrice": None}, "unitPrice"),
        ({"unitPrice": ...}, "unitPrice"),
        ({"totalPrice": 25.01}, "totalPrice"),
        ({"totalPrice": 12.5}, "totalPrice"),
        ({"totalPrice": "25.00"}, "totalPrice"),
        ({"totalPrice": -25}, "totalPrice"),
        ({"cartItemId": ...}, "cartItemId"),
        ({"cartItemId": ""}, "cartItemId"),
        ({"cartItemId": None}, "cartItemId"),
        ({"cartItemId": 7}, "cartItemId"),
        ({"cartItemId": "a\nb"}, "cartItemId"),
        ({"cartItemId": "x" * 201}, "cartItemId"),
        ({"catalogItemId": ...}, "catalogItemId"),
        ({"catalogItemId": "a\x00b"}, "catalogItemId"),
        ({"catalogItemId": {"a": 1}}, "catalogItemId"),
        ({"name": "x" * 501}, "name"),
        ({"name": ["x"]}, "name"),
        ({"name": "half a \ud83d pair"}, "name"),
        ({"description": "x" * 5001}, "description"),
        ({"description": "a\x00b"}, "description"),
        ({"linkedProductId": ""}, "linkedProductId"),
        ({"linkedProductId": 5}, "linkedProductId"),
        ({"quantityMustBeSynchronized": "yes"}, "quantityMustBeSynchronized"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("spelling", ["updatedItem", "cartItem"])
def test_a_wrong_field_is_named(
    holding: Shopper, change: dict[str, Any], field: str, spelling: str
) -> None:
    before = holding.cart()
    changed = {"totalPrice": ...} | change if "quantity" in change else change
    item = {k: v for k, v in (holding.item(quantity=2) | changed).items() if v is not ...}
    answer = holding.post("/cart/updates", {spelling: item})
    refused(answer, 422, f"{spelling}.{field}")
    assert problem_of(answer, 422)["code"] == "invalid_input"
    assert holding.cart() == before


def test_every_wrong_field_is_named_at_once(holding: Shopper) -> None:
    item = holding.item() | {"unitPrice": "x", "name": 5, "cartItemId": ""}
    fields = [f"updatedItem.{name}" for name in ("unitPrice", "name", "cartItemId")]
    refused(holding.update(item), 422, *fields)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "updatedItem"),
        ({"page": "6f1c7a1e-3f4b-4f0f-9a63-0d0a3a8c2b11", "seq": 1}, "updatedItem"),
        ({"updatedItem": "parking"}, "updatedItem"),
        ({"updatedItem": [{}]}, "updatedItem"),
        ({"cartItem": 1}, "cartItem"),
        ({"updatedItem": {}}, "updatedItem.quantity"),
        ({"updatedItem": {"quantity": 0}}, "updatedItem.cartItemId"),
        ({"oldItem": {}}, "oldItem.cartItemId"),
        ({"updatedItem": None, "oldItem": {"cartItemId": 5}}, "oldItem.cartItemId"),
        ({"oldCartItem": {"cartItemId": ""}}, "oldCartItem.cartItemId"),
        ({"updatedItem": None, "page": "first"}, "page"),
        ({"updatedItem": None, "page": 7}, "page"),
        ({"updatedItem": None, "seq": 0}, "seq"),
        ({"updatedItem": None, "seq": 1.5}, "seq"),
        ({"updatedItem": None, "seq": "1"}, "seq"),
        ({"updatedItem": None, "seq": True}, "seq"),
        ({"updatedItem": None, "seq": 10**12}, "seq"),
        ({"updatedItem": None, "roktSessionId": "a\r\nb"}, "roktSessionId"),
        ({"updatedItem": None, "roktSessionId": "x" * 129}, "roktSessionId"),
        ({"updatedItem": None, "preselected": "true"}, "preselected"),
    ],
    ids=repr,
)
def test_a_wrong_message_is_refused_by_name(
    holding: Shopper, body: dict[str, Any], field: str
) -> None:
    before = holding.cart()
    refused(holding.post("/cart/updates", body), 422, field)
    assert holding.cart() == before


ITEM = '{"updatedItem":{"cartItemId":"a","catalogItemId":"b","quantity":%s,"unitPrice":%s}}'


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'updatedItem': null}",
        b'{"updatedItem": null,}',
        b'{"updatedItem": null} {}',
        b'"updatedItem"',
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b'{"updatedItem": "\xff"}',
        b"[" * 60_000,
        b'{"updatedItem":' * 4000 + b"1" + b"}" * 4000,
        (ITEM % ("1", "NaN")).encode(),
        (ITEM % ("Infinity", "1")).encode(),
        (ITEM % ("1", "-Infinity")).encode(),
        (ITEM % ("9" * 5000, "1")).encode(),
        b'{"updatedItem": null, "updatedItem": null}',
        b'{"oldItem": null, "updatedItem": {"quantity": 0, "quantity": 1}}',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_body_that_is_no_json_object_is_refused(holding: Shopper, body: bytes) -> None:
    before = holding.cart()
    refused(send(holding, body), 400, "body")
    assert holding.cart() == before


def nested(depth: int, kind: str) -> bytes:
    """A body whose objects, or lists within one object, stand so deep in each other."""
    begin, end = ('{"a":', "}") if kind == "object" else ("[", "]")
    inner = begin * (depth - 1) + "null" + end * (depth - 1)
    return f'{{"updatedItem": null, "more": {inner}}}'.encode()


@pytest.mark.parametrize("kind", ["object", "list"])
def test_a_body_may_be_nested_32_deep_and_no_deeper(holding: Shopper, kind: str) -> None:
    before = holding.cart()
    assert send(holding, nested(32, kind)).status_code == 200
    for depth in (33, 900, 4000):
        answer = send(holding, nested(depth, kind))
        refused(answer, 400, "body")
        assert problem_of(answer, 400)["code"] == "malformed_body"
    assert holding.cart() == before


@pytest.mark.parametrize("kib", [65, 70, 500])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused(holding: Shopper, kib: int, chunked: bool) -> None:
    before = holding.cart()
    text = json.dumps({"updatedItem": holding.item() | {"description": "x" * kib * KIB}})
    if chunked:
        environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        answer = holding.client.post(
            "/rokt/cart/updates",
            input_stream=BytesIO(text.encode()),
            headers=BRIDGE | {"Content-Type": "application/json"},
            environ_overrides=environ,
        )
    else:
        answer = send(holding, text.encode())
    refused(answer, 413, "body")
    assert problem_of(answer, 413)["code"] == "body_too_large"
    assert holding.cart() == before


def test_a_body_at_the_limit_is_taken(holding: Shopper) -> None:
    body = {"updatedItem": None, "oldItem": None, "padding": ""}
    body["padding"] = "x" * (64 * KIB - len(json.dumps(body)))
    text = json.dumps(body).encode()
    assert len(text) == 64 * KIB
    assert send(holding, text).status_code == 200
    refused(send(holding, text + b" "), 413, "body")


@pytest.mark.parametrize("media", ["text/plain", "text/html", "application/ld+json"])
def test_another_media_type_is_refused(holding: Shopper, media: str) -> None:
    before = holding.cart()
    body = json.dumps({"updatedItem": holding.item()}).encode()
    refused(send(holding, body, media), 415, "Content-Type")
    assert holding.cart() == before


def test_a_charset_may_be_named(holding: Shopper) -> None:
    body = json.dumps({"updatedItem": None}).encode()
    assert send(holding, body, "application/json; charset=utf-8").status_code == 200
