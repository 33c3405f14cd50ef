"""Redriving: what an order lost is asked for again once its cause is mended, and not twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bff import NotFound
from tests.support.commands import examine, redrive, rokt
from tests.support.shop import Shop, Shopper
from tests.support.summaries import PARKING, POSTER, bought, fulfilled, read_order

MakeShop = Callable[..., Shop]
SOLD_OUT = {"kind": "no_stock", "catalogItemIds": [PARKING], "times": None}


def ready(shop: Shop) -> Shopper:
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.add(POSTER)
    shopper.reserve()
    return shopper


def lose_it_in_renewal(shop: Shop) -> None:
    shopper = ready(shop)
    shop.move_clocks(601)
    shop.emulator.faults("reserve", SOLD_OUT)
    shopper.pay()
    shop.emulator.faults("reserve")


def lose_it_in_a_200(shop: Shop) -> None:
    """Rokt says that it confirmed the order, but not that item."""
    shopper = ready(shop)
    item = {"cartItemId": shopper.item(PARKING)["cartItemId"], "status": "rejected"}
    fault = {"kind": "status", "status": 200, "body": {"items": [item]}}
    shop.emulator.faults("confirm", fault)
    shopper.pay()


@pytest.mark.parametrize("lose", [lose_it_in_renewal, lose_it_in_a_200])
@pytest.mark.parametrize("which", ["order-1", None])
@pytest.mark.parametrize("late", [False, True])
def test_an_item_that_was_lost_is_asked_for_again_alone(
    shop: Shop, lose: Callable[[Shop], None], which: str | None, late: bool
) -> None:
    lose(shop)
    assert bought(read_order(shop)) == {PARKING: (1, "refund_needed"), POSTER: (1, "confirmed")}
    if late:
        shop.move_clocks(3600)
    assert redrive(shop, which) == 1
    assert bought(read_order(shop)) == {PARKING: (1, "confirming"), POSTER: (1, "confirmed")}
    assert examine(shop) == []
    assert redrive(shop, which) == 0  # it is owed already
    shop.deliver()
    order = read_order(shop)
    assert bought(order) == {PARKING: (1, "confirmed"), POSTER: (1, "confirmed")}
    assert "lastError" not in order
    (item,) = shop.calls("confirm")[-1]["body"]["items"]
    assert item["catalogItemId"] == PARKING
    assert examine(shop) == []


def test_an_item_that_still_cannot_be_had_needs_its_refund_again(shop: Shop) -> None:
    lose_it_in_renewal(shop)
    shop.emulator.faults("reserve", SOLD_OUT)
    assert redrive(shop, "order-1") == 1
    shop.deliver()
    assert bought(read_order(shop)) == {PARKING: (1, "refund_needed"), POSTER: (1, "confirmed")}
    assert examine(shop) == ["refund_needed"]
    assert len(shop.heard.of("refund")) == 2


@pytest.mark.parametrize("by", ["command", "verb"])
def test_what_was_refunded_is_not_asked_for_again(shop: Shop, by: str) -> None:
    lose_it_in_renewal(shop)
    if by == "command":
        assert rokt(shop, "refunded", "order-1").exit_code == 0
    else:
        with shop.app.app_context():
            shop.upsells.refunded("order-1")
            for unknown in ("nosuch", "no\0such"):
                with pytest.raises(NotFound):
                    shop.upsells.refunded(unknown)
    assert redrive(shop, "order-1") == redrive(shop) == 0
    assert bought(read_order(shop))[PARKING] == (1, "refund_needed")


def test_a_quote_that_was_paid_twice_is_bought_twice_only_by_name(shop: Shop) -> None:
    shopper = ready(shop)
    quote = shopper.reserve()["quoteId"]
    shopper.pay("order-1", quoteId=quote)
    assert shopper.pay("order-2", quoteId=quote)["status"] == "refund_needed"
    (found,) = (line for line in rokt(shop, "doctor").output.splitlines() if "order-2" in line)
    assert "refunded order-2" in found
    assert "redrive" not in found
    assert redrive(shop) == 0
    assert redrive(shop, "order-2") == 1
    shop.deliver()
    assert read_order(shop, "order-2")["status"] == "confirmed"
    assert fulfilled(shop) == 4


@pytest.mark.parametrize("how", ["refused", "given up"])
def test_an_order_without_an_upsell_of_which_rokt_was_not_told_is_loud_and_can_be_redriven(
    make_shop: MakeShop, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    shop = make_shop(confirm_every_order=True, confirm_deadline=60)
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.remove(PARKING)
    status = 422 if how == "refused" else 503
    shop.emulator.faults("confirm", {"kind": "status", "status": status, "times": None})
    shopper.pay()
    shop.clock.move(61)
    shop.deliver()
    order = read_order(shop)
    assert order["status"] == "confirmed"  # it was paid, and nothing of it is Rokt's
    assert str(status) in order["lastError"]
    assert [r.name for r in caplog.records if "order-1" in r.getMessage()] == [
        "bff.outbox.settlement"
    ]
    assert examine(shop) == ["purchase_not_told"]
    shop.emulator.faults("confirm")
    assert redrive(shop) == 1
    assert examine(shop) == []
    shop.deliver()
    assert "lastError" not in read_order(shop)
    assert examine(shop) == []


def test_an_order_of_which_rokt_was_not_told_is_named_for_a_week(make_shop: MakeShop) -> None:
    shop = make_shop(confirm_every_order=True)
    shop.emulator.faults("confirm", {"kind": "status", "status": 422})
    shopper = shop.shopper()
    shopper.cart()
    shopper.add(PARKING)
    shopper.remove(PARKING)
    shopper.pay()
    shop.clock.move(6 * 24 * 3600)
    assert examine(shop) == ["purchase_not_told"]
    shop.clock.move(2 * 24 * 3600)
    assert examine(shop) == []
