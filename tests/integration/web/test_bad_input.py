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


def test_every_wrong_field_is_named_at_once(holding: Shopper) -> None:
    item = holding.item() | {"unitPrice": "x", "name": 5, "cartItemId": ""}
    fields = [f"updatedItem.{name}" for name in ("unitPrice", "name", "cartItemId")]
    refused(holding.update(item), 422, *fields)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "updatedItem"),
        ({"cartItem": 1}, "cartItem"),
        ({"updatedItem": None, "oldItem": {"cartItemId": 5}}, "oldItem.cartItemId"),
        ({"updatedItem": None, "seq": 0}, "seq"),
    ],
    ids=repr,
)
def test_a_wrong_message_is_refused_by_name(
    holding: Shopper, body: dict[str, Any], field: str
) -> None:
    before = holding.cart()
    answer = holding.post("/cart/updates", body)
    refused(answer, 422, field)
    assert problem_of(answer, 422)["code"] == "invalid_input"
    assert holding.cart() == before


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"a":' * 4000 + b"1" + b"}" * 4000])
def test_a_body_that_is_no_json_object_is_refused(holding: Shopper, body: bytes) -> None:
    before = holding.cart()
    answer = send(holding, body)
    refused(answer, 400, "body")
    assert problem_of(answer, 400)["code"] == "malformed_body"
    assert holding.cart() == before


@pytest.mark.parametrize("kib", [65, 500])
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
