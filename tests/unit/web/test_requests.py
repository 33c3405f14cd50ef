"""The bodies of our own endpoints: what is wrong is named by its field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator

from bff.cart.linked_products import MAX_PRODUCTS
from bff.errors import InvalidInput
from bff.web.endpoints import blueprint
from bff.web.openapi.document import describe
from bff.web.schemas.fields import load
from bff.web.schemas.requests import (
    AttributesBody,
    OrderBody,
    PlacementsBody,
    ProductsBody,
    ReserveBody,
)


def wrong(schema: type[Any], body: object) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        load(schema(), body)
    assert all(caught.value.errors.values())
    return list(caught.value.errors)


@pytest.mark.parametrize(("schema", "body", "field"), [
    (PlacementsBody, {}, "pageIdentifier"),
    (PlacementsBody, {"pageIdentifier": ""}, "pageIdentifier"),
    (PlacementsBody, {"pageIdentifier": 5}, "pageIdentifier"),
    (PlacementsBody, {"pageIdentifier": "x", "url": "x" * 2001}, "url"),
    (PlacementsBody, {"pageIdentifier": "x", "attributes": []}, "attributes"),
    (PlacementsBody, {"pageIdentifier": "x", "attributes": {"a": 1}}, "attributes.0.value"),
    (ReserveBody, {"acceptPrices": []}, "acceptPrices"),
    (ReserveBody, {"acceptPrices": {"a": "much"}}, "acceptPrices.a.value"),
    (ReserveBody, {"acceptPrices": {"a": "NaN"}}, "acceptPrices.a.value"),
    (ReserveBody, {"acceptPrices": {"a": "-1"}}, "acceptPrices.a.value"),
    (ReserveBody, {"acceptPrices": {"a": "1e99"}}, "acceptPrices.a.value"),
    (ReserveBody, {"acceptPrices": {"a": None}}, "acceptPrices.a.value"),
    (ReserveBody, {"isPayPalPayment": "no"}, "isPayPalPayment"),
    (ReserveBody, {"merchantId": 5}, "merchantId"),
    (AttributesBody, {"attributes": {"a": {}}}, "attributes.0.value"),
])  # fmt: skip
def test_a_wrong_field_of_a_page_is_named(
    schema: type[Any], body: dict[str, Any], field: str
) -> None:
    assert wrong(schema, body) == [field]


@pytest.mark.parametrize(("body", "fields"), [
    ({}, ["handle", "orderId"]),
    ({"handle": 5, "orderId": "A"}, ["handle"]),
    ({"handle": "half a \ud83d pair", "orderId": "A"}, ["handle"]),
    ({"handle": "x", "orderId": ""}, ["orderId"]),
    ({"handle": "x", "orderId": 1001}, ["orderId"]),
    ({"handle": "x", "orderId": "x" * 129}, ["orderId"]),
    ({"handle": "x", "orderId": "a\r\nb"}, ["orderId"]),
    ({"handle": "x", "orderId": "A", "quoteId": "last"}, ["quoteId"]),
    ({"handle": "x", "orderId": "A", "attributes": "x"}, ["attributes"]),
    ({"handle": "x", "orderId": "A", "extra": []}, ["extra"]),
])  # fmt: skip
def test_a_wrong_field_of_an_order_is_named(body: dict[str, Any], fields: list[str]) -> None:
    assert sorted(wrong(OrderBody, body)) == fields


@pytest.mark.parametrize(
    ("quantities", "field"),
    [
        ({"SKU": -1}, "quantities.SKU.value"),
        ({"SKU": 1.5}, "quantities.SKU.value"),
        ({"SKU": "2"}, "quantities.SKU.value"),
        ({"SKU": True}, "quantities.SKU.value"),
        ({"": 1}, "quantities.0.key"),
        ({"x" * 201: 1}, "quantities.0.key"),
        ({f"SKU-{n}": 1 for n in range(MAX_PRODUCTS + 1)}, "quantities"),
        (["SKU"], "quantities"),
        (None, "quantities"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_wrong_field_of_products_is_named(quantities: object, field: str) -> None:
    assert wrong(ProductsBody, {"handle": "x", "quantities": quantities}) == [field]


# Further members of a confirm.


def inside(extra: object) -> dict[str, Any]:
    return {"payment": [{"card": extra}]}


TOO_MUCH = {
    "many members": {f"m{n}": 1 for n in range(51)},
    "a long list": {"a": [1] * 51},
    "a long name": {"x" * 101: 1},
    "a long text": {"a": "x" * 1001},
    "a NUL": {"a": "b\x00c"},
    "a NUL in a name": {"b\x00c": 1},
}
DESCRIBED = OAS31Validator(
    {
        "components": describe(blueprint.operations, "/rokt", "rokt_bff")["components"],
        "$ref": "#/components/schemas/OrderBody",
    }
)
ORDER = {"handle": "x", "orderId": "A"}


@pytest.mark.parametrize("deeply", [False, True])
@pytest.mark.parametrize("what", TOO_MUCH)
def test_further_members_are_bounded_as_the_description_says(what: str, deeply: bool) -> None:
    extra = inside(TOO_MUCH[what]) if deeply else TOO_MUCH[what]
    assert wrong(OrderBody, ORDER | {"extra": extra}) == ["extra"]
    assert not DESCRIBED.is_valid(ORDER | {"extra": extra})


@pytest.mark.parametrize("deeply", [False, True])
def test_further_members_at_their_bounds_are_good(deeply: bool) -> None:
    most = {f"m{n}".ljust(100, "m"): "x" * 1000 for n in range(49)} | {"list": list(range(50))}
    extra = inside(most) if deeply else most
    assert load(OrderBody(), ORDER | {"extra": extra})["extra"] == extra
    assert DESCRIBED.is_valid(ORDER | {"extra": extra})


def test_a_number_that_can_be_read_and_not_be_written_is_refused() -> None:
    for extra in ('{"a": 1e400}', '{"payment": [{"card": {"a": -1e400}}]}'):
        assert wrong(OrderBody, ORDER | {"extra": json.loads(extra)}) == ["extra"]
