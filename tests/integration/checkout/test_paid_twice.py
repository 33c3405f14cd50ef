"""A line of the cart that two quotes have, each paid in an order of its own: bought once."""

from __future__ import annotations

import pytest

from tests.support.commands import examine, redrive
from tests.support.shop import Shop, Shopper
from tests.support.summaries import PARKING, POSTER, alarms, at_rokt, bought, fulfilled


def two_quotes_of_one_line(shopper: Shopper, how: str) -> tuple[str, str]:
    """Quote a line, and quote it again: beside another one, or changed and changed back."""
    shopper.add(PARKING)
    first = shopper.reserve()["quoteId"]
    if how == "one more":
        shopper.add(POSTER)
    elif how == "to and fro":
        shopper.add(PARKING, 2)
        shopper.add(PARKING, 1)
    elif how == "page again":
        shopper.load_page()  # whose ids are new: the line is known by another one
        shopper.add(PARKING)
    else:
        shopper.shop.move_clocks(590)  # within the margin: it is renewed
    return first, shopper.reserve()["quoteId"]


@pytest.mark.parametrize("order", ["older first", "newer first"])
@pytest.mark.parametrize("how", ["one more", "to and fro", "page again", "renewed"])
def test_a_line_that_is_paid_by_two_quotes_is_bought_once(
    shop: Shop, shopper: Shopper, how: str, order: str
) -> None:
    quotes = two_quotes_of_one_line(shopper, how)
    first, second = quotes if order == "older first" else quotes[::-1]
    assert shopper.pay("order-1", quoteId=first)["status"] == "confirmed"
    paid = shopper.pay("order-2", quoteId=second)
    assert paid["status"] == "refund_needed"
    extra = {POSTER: (1, "confirmed")} if (how, first) == ("one more", quotes[0]) else {}
    assert bought(paid) == {PARKING: (1, "refund_needed")} | extra
    assert paid["items"][0]["reason"] == "bought_before"
    assert "another order" in paid["lastError"]
    assert alarms(shop) == ["order-2"]
    sold = [one for one in at_rokt(shop) if one[2] == "confirmed"]
    assert sorted(sold) == [(PARKING, 1, "confirmed"), (POSTER, 1, "confirmed")][: fulfilled(shop)]
    assert len({name for name, *_ in sold}) == len(sold)
    assert shopper.pay("order-2", quoteId=second) == paid
    assert examine(shop) == ["refund_needed"]
    assert redrive(shop) == 0  # only who names the order wants it twice


def test_what_is_added_again_after_a_purchase_is_another_one(shop: Shop, shopper: Shopper) -> None:
    for order_id in ("order-1", "order-2"):
        shopper.add(PARKING)  # the page is still open: the same cart item id
        quote = shopper.reserve()
        assert bought(shopper.pay(order_id, quoteId=quote["quoteId"])) == {
            PARKING: (1, "confirmed")
        }
    assert fulfilled(shop) == 2


def test_what_of_an_order_paid_twice_is_lost_besides_is_told_and_redriven_alone(
    shop: Shop, shopper: Shopper
) -> None:
    first, second = two_quotes_of_one_line(shopper, "one more")
    shopper.pay("order-1", quoteId=first)  # and the poster is given back
    shop.emulator.faults("reserve", {"kind": "drop"})
    paid = shopper.pay("order-2", quoteId=second)
    assert bought(paid) == {PARKING: (1, "refund_needed"), POSTER: (1, "confirming")}
    assert "another order" in paid["lastError"]
    assert alarms(shop) == ["order-2"]
    shop.emulator.faults("reserve", {"kind": "reject", "catalogItemIds": [POSTER]})
    shop.move_clocks(3600)
    shop.deliver()
    assert alarms(shop) == ["order-2"] * 2  # each item that is lost
    assert redrive(shop) == 1
    shop.deliver()
    (order,) = (told["order"] for told in shop.heard.of("refund")[-1:])
    assert order.order_id == "order-2"
    with shop.app.app_context():
        again = shop.upsells.order("order-2")
    assert {item.catalog_item_id: item.status for item in again.items} == {
        PARKING: "refund_needed",
        POSTER: "confirmed",
    }
    assert fulfilled(shop) == 2
