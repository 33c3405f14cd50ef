"""How many transactions and statements each verb needs, for one item. The counts are exact.

A higher count is a row that is read again, or a transaction too many. ``pytest -s`` prints them.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.support.owed import leave_owed
from tests.support.shop import Shop, Shopper
from tests.support.statements import Counted, counted
from tests.support.summaries import PARKING


def run(shop: Shop, name: str, verb: Callable[[], object]) -> Counted:
    with counted(shop.parts.store) as count:
        verb()
    print(f"{name}: {count.transactions} transactions, {len(count.statements)} statements")
    return count


def test_an_update_is_one_transaction(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    count = run(shop, "update", lambda: shopper.add(PARKING, 2))
    assert count.numbers == (1, 3), count.statements


def test_a_reserve_reads_the_session_once_for_each_step(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    count = run(shop, "reserve", shopper.reserve)
    assert count.numbers == (3, 10), count.statements


def test_a_reserve_with_nothing_to_do_keeps_its_quote(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    count = run(shop, "reserve again", shopper.reserve)
    assert count.numbers == (2, 4), count.statements


def test_a_confirm_writes_the_order_and_settles_it(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    count = run(shop, "confirm", shopper.pay)
    assert count.numbers == (2, 17), count.statements
    assert sum("FROM orders WHERE orders.id" in one for one in count.statements) == 2


def test_a_delivered_call_is_claimed_and_settled(shop: Shop) -> None:
    leave_owed(shop, "order-1")
    count = run(shop, "one delivered call", shop.deliver)
    # The last transaction finds that nothing else is due.
    assert count.numbers == (4, 11), count.statements
