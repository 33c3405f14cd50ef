"""What a shop passes on and JSON has no word for, half a character say: no sale fails for it.

JSON may hold one half of a surrogate pair. It has no bytes, and Python's error about it has the
whole text with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
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


@pytest.mark.sqlite
def test_what_json_has_no_form_for_fails_no_paid_order(
    shop: Shop, shopper: Shopper, views: Views
) -> None:
    shopper.add()
    views.run(shopper, shop.upsells.reserve)
    ring: dict[Any, Any] = {("seat", 4): "front", "since": date(2026, 1, 2)}
    ring["ring"] = [ring, float("nan"), 10**5000]
    attributes: Any = {"age": 41}
    order = views.run(
        shopper, lambda: shop.upsells.confirm("order-1", attributes=attributes, extra=ring)
    )
    assert order.status is OrderStatus.CONFIRMED
    body = shop.calls("confirm")[0]["body"]
    assert (body["attributes"], body["since"]) == ({"age": "41"}, "2026-01-02")
    assert (body["('seat', 4)"], body["ring"]) == ("front", ["…", "nan", "int"])


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
