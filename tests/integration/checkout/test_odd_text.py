"""What a shop passes on and JSON has no word for, half a character say: no sale fails for it.

JSON may hold one half of a surrogate pair. It has no bytes, and Python's error about it has the
whole text with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bff import BffError, InvalidInput, NotFound, OrderStatus
from tests.support.shop import Shop, Shopper, Views

HALF = "jane@mark.example \ud83d"
KEPT = "jane@mark.example ?"


@pytest.fixture
def views(shop: Shop) -> Views:
    return Views(shop)


def test_what_a_shop_passes_on_is_told_to_rokt_with_a_question_mark(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    attributes, upsells = {"email": HALF}, shop.upsells
    assert views.run(shopper, lambda: upsells.any_placements(HALF, HALF, attributes))
    shopper.add()
    views.run(shopper, lambda: upsells.reserve(attributes=attributes, merchant_id=HALF))
    views.run(shopper, lambda: upsells.release(attributes))
    views.run(shopper, upsells.reserve)
    order = views.run(
        shopper, lambda: upsells.confirm("order-1", attributes=attributes, extra={"note": HALF})
    )
    assert order.status is OrderStatus.CONFIRMED
    shop.deliver()
    told = {name: shop.calls(name)[0]["body"] for name in ("any", "reserve", "release", "confirm")}
    assert [body["attributes"] for body in told.values()] == [{"email": KEPT}] * 4
    assert (told["any"]["pageIdentifier"], told["reserve"]["merchantId"]) == (KEPT, KEPT)
    assert told["confirm"]["note"] == KEPT


def test_what_json_has_no_word_for_is_told_as_its_text(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    attributes: Any = {"age": 41, "since": date(2026, 1, 2)}
    views.run(shopper, lambda: shop.upsells.reserve(attributes=attributes))
    paid = {"amount": Decimal("12.50"), "parts": [Decimal(1)]}
    views.run(
        shopper,
        lambda: shop.upsells.confirm("order-1", attributes=attributes, extra={"paid": paid}),
    )
    reserve, confirm = (shop.calls(name)[0]["body"] for name in ("reserve", "confirm"))
    assert reserve["attributes"] == confirm["attributes"] == {"age": "41", "since": "2026-01-02"}
    assert confirm["paid"] == {"amount": "12.50", "parts": ["1"]}


class Odd:
    """Of the shop's own; not even its text can be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_what_json_has_no_form_for_fails_no_paid_order(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    views.run(shopper, shop.upsells.reserve)
    ring: dict[str, Any] = {"name": "ring"}
    ring["ring"] = [ring, ring]
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    extra: Any = {
        ("seat", 4): "front",
        "ring": ring,
        "deep": deep,
        "numbers": (float("nan"), float("-inf"), 1.5, 10**5000),
        "one": {date(2026, 1, 2)},
        "odd": Odd(),
        3: None,
        "same": [[1], [1]],
    }
    order = views.run(shopper, lambda: shop.upsells.confirm("order-1", extra=extra))
    assert order.status is OrderStatus.CONFIRMED
    body = shop.calls("confirm")[0]["body"]
    assert body["('seat', 4)"] == "front"
    assert body["ring"] == {"name": "ring", "ring": ["…", "…"]}
    assert body["deep"][0][0] != []
    assert body["numbers"] == ["nan", "-inf", 1.5, "int"]
    assert (body["one"], body["odd"], body["3"]) == (["2026-01-02"], "Odd", None)
    assert body["same"] == [[1], [1]]


@pytest.mark.parametrize(
    ("verb", "error"),
    [
        (lambda upsells: upsells.confirm(HALF), InvalidInput),
        (lambda upsells: upsells.confirm("order-1", quote_id=HALF), (InvalidInput, NotFound)),
        (lambda upsells: upsells.order(HALF), InvalidInput),
        (lambda upsells: upsells.cancel(HALF), InvalidInput),
        (lambda upsells: upsells.reserve({HALF: HALF}), InvalidInput),
        (lambda upsells: upsells.reserve({HALF: "-1"}), InvalidInput),
    ],
    ids=["confirm", "quote", "order", "cancel", "price", "negative price"],
)
def test_an_id_with_one_is_refused_and_not_repeated(
    verb: Callable[[Any], Any], error: Any, shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    shopper.reserve()

    def refused() -> BffError:
        with pytest.raises(error) as caught:
            verb(shop.upsells)
        found: BffError = caught.value
        return found

    raised = views.run(shopper, refused)
    assert "mark.example" not in f"{raised!r} {raised} {raised.args} {raised.errors}"
