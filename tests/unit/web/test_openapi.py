"""The OpenAPI document by itself: its schemas, words, examples and names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from bff.cart.order import OrderStatus
from bff.cart.reservation import Reason, State
from bff.checkout.instant_purchase import PurchaseReason
from bff.rokt.placements import PlacementsReason
from bff.web.endpoints import blueprint
from bff.web.openapi.document import describe


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return describe(blueprint.operations, "/rokt", "rokt_bff")


def test_its_patterns_are_javascript_s_and_its_amounts_are_text(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    assert r"\\A" not in text
    assert r"\\Z" not in text
    item = document["components"]["schemas"]["Item"]["properties"]
    assert item["unitPrice"]["type"] == item["totalPrice"]["type"] == "string"
    prices = document["components"]["schemas"]["ReserveBody"]["properties"]["acceptPrices"]
    assert prices["additionalProperties"]["type"] == "string"


@pytest.mark.parametrize("path", ["/orders", "/orders/{order_id}/cancel"])
def test_only_the_server_key_opens_what_confirms_and_cancels(
    document: dict[str, Any], path: str
) -> None:
    assert document["paths"][path]["post"]["security"] == [{"serverKey": []}]


def test_its_examples_are_of_its_own_schemas(document: dict[str, Any]) -> None:
    count = 0
    for operations in document["paths"].values():
        for operation in operations.values():
            content = operation.get("requestBody", {}).get("content", {})
            for body in content.values():
                if "example" not in body:
                    continue
                count += 1
                schema = {"components": document["components"]} | body["schema"]
                checker = OAS31Validator(schema, format_checker=oas31_format_checker)
                assert [str(error) for error in checker.iter_errors(body["example"])] == []
    assert count == 7


def test_it_says_of_every_member_and_every_schema_what_it_is(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    untold = [name for name, schema in schemas.items() if not schema.get("description")]
    untold += [
        f"{name}.{member}"
        for name, schema in schemas.items()
        for member, rule in schema.get("properties", {}).items()
        if not rule.get("description")
    ]
    assert untold == []


def test_its_words_are_those_of_the_code(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    def words(schema: str, member: str) -> set[str]:
        return set(schemas[schema]["properties"][member]["enum"])

    assert words("Order", "status") == {*OrderStatus}
    assert words("Item", "status") == {"held", *State} - {State.ASKED}
    assert words("Item", "reason") == {"bought_before", *Reason}
    assert words("Rejected", "reason") == {*Reason}
    assert words("Placements", "reason") == {*PlacementsReason}
    assert words("Purchase", "reason") == {*PurchaseReason}


def test_its_operations_have_names_of_their_own_that_programs_can_use(
    document: dict[str, Any],
) -> None:
    operations = [one for path in document["paths"].values() for one in path.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)
    assert all(one["description"] for one in operations)
