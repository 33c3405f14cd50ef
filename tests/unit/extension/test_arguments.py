"""What a shop's view passes to a verb: read in any form that is meant, refused by name else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bff.errors import InvalidInput
from bff.extension import arguments
from bff.web.json_body import MAX_DEPTH


@pytest.mark.parametrize("price", [True, "1_0", "\u0663", " 12.50", "1e1", "12,50", b"12", ["12"]])
def test_what_is_read_as_a_price_by_accident_is_no_consent(price: object) -> None:
    with pytest.raises(InvalidInput, match="a: must be a decimal number"):
        arguments.read_prices({"a": price})


@pytest.mark.parametrize("price", ["15.1", 15.1, Decimal("15.1")])
def test_a_price_may_be_taken_in_any_form_of_a_number(price: object) -> None:
    assert arguments.read_prices({"a": price, "b": 16}) == {"a": Decimal("15.1"), "b": 16}
    assert arguments.read_prices(None) == {}


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (lambda: arguments.read_prices([1]), "acceptPrices: must be a mapping"),
        (lambda: arguments.read_prices({"a": None}), "acceptPrices.a: must be a decimal number"),
        (lambda: arguments.texts("country"), "attributes: must be a mapping"),
        (lambda: arguments.optional("isPayPalPayment", "yes", bool), "must be true or false"),
        (lambda: arguments.optional("merchantId", 7, str), "merchantId: must be text"),
        (lambda: arguments.required("pageIdentifier", None, str), "pageIdentifier: must be text"),
        (lambda: arguments.order_id_text(None), "orderId: must be the order's id"),
        (lambda: arguments.order_id_text(True), "orderId: must be the order's id"),
        (lambda: arguments.order_id_text(b"7"), "orderId: must be the order's id, text"),
        (lambda: arguments.order_id_text(0), "orderId: must be the order's id"),
    ],
)
def test_an_argument_of_another_kind_is_refused_with_what_it_should_be(
    read: Callable[[], Any], told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        read()


def test_attributes_become_text() -> None:
    given = {"age": 41, 3: date(2026, 1, 2)}
    assert arguments.texts(given) == {"age": "41", "3": "2026-01-02"}
    assert arguments.texts(None) == {}


def test_what_comes_with_a_paid_order_is_left_out_rather_than_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert arguments.mapping_or_empty("extra", {"a": 1}) == {"a": 1}
    assert arguments.mapping_or_empty("extra", None) == {}
    assert not caplog.records
    assert arguments.mapping_or_empty("extra", [1]) == {}
    (record,) = caplog.records
    assert record.getMessage() == "confirm: extra must be a mapping, not list; left out"


class Odd:
    """An object of the shop's own that has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, None),
        (Decimal("12.50"), "12.50"),
        ((float("nan"), float("-inf"), 1.5, 10**5000), ["nan", "-inf", 1.5, "int"]),
        ({date(2026, 1, 2)}, ["2026-01-02"]),
        ({("seat", 4): "front", 3: None}, {"('seat', 4)": "front", "3": None}),
        (Odd(), "Odd"),
        ([[1], [1]], [[1], [1]]),
    ],
)
def test_what_json_has_no_form_for_becomes_text_or_a_list(value: object, read: object) -> None:
    assert arguments.plain(value) == read


def test_what_stands_in_itself_or_too_deep_is_cut() -> None:
    ring: dict[str, Any] = {"name": "ring"}
    ring["ring"] = [ring, ring]
    assert arguments.plain(ring) == {"name": "ring", "ring": ["…", "…"]}
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    read = arguments.plain(deep)
    for _ in range(MAX_DEPTH):
        (read,) = read
    assert read == "…"
