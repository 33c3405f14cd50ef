"""A request's body: within its size, one JSON object, not nested too deep, nothing said twice."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from bff.errors import BodyTooLarge, MalformedBody
from bff.web.json_body import read_json

MOST = 64 * 1024


def read(body: bytes, most: int = MOST) -> Any:
    environ = EnvironBuilder(method="POST", data=body).get_environ()
    return read_json(Request(environ), most)


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
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody) as caught:
        read(body)
    assert list(caught.value.errors) == ["body"]


def nested(depth: int, kind: str) -> bytes:
    """A body whose objects, or lists within one object, stand so deep in each other."""
    begin, end = ('{"a":', "}") if kind == "object" else ("[", "]")
    inner = begin * (depth - 1) + "null" + end * (depth - 1)
    return f'{{"updatedItem": null, "more": {inner}}}'.encode()


@pytest.mark.parametrize("kind", ["object", "list"])
def test_a_body_may_be_nested_32_deep_and_no_deeper(kind: str) -> None:
    assert set(read(nested(32, kind))) == {"updatedItem", "more"}
    for depth in (33, 900, 4000):
        with pytest.raises(MalformedBody, match="The body"):
            read(nested(depth, kind))


def test_a_body_may_have_so_many_bytes_and_no_more() -> None:
    body = b'{"a": "' + b"x" * 92 + b'"}'
    assert len(body) == 101
    assert read(body, 101)
    with pytest.raises(BodyTooLarge) as caught:
        read(body, 100)
    assert list(caught.value.errors) == ["body"]


def test_an_empty_body_is_an_empty_object() -> None:
    assert read(b"") == read(b" ") == {}
