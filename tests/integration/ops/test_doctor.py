"""The doctor: finds each promise that was broken on purpose, and no other."""

from __future__ import annotations

import json
import re
import tracemalloc
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, select, update

from bff.config.settings import Settings
from bff.ops.doctor import count_open, examine_database, examine_rokt, examine_settings
from bff.ops.invariants import INVARIANTS
from bff.store.database import new_id
from bff.store.tables import orders, outbox, quotes, reservations, sessions
from tests.support.commands import examine, rokt
from tests.support.databases import destroy
from tests.support.shop import Shop, ok, server_post
from tests.support.summaries import PARKING, POSTER, VIP
from tests.support.waiting import FOR_EVER

DOWN = {"kind": "status", "status": 503, "times": None}
REFUSED = {"kind": "status", "status": 422, "times": None}


def sell(shop: Shop, order_id: str, *items: str) -> None:
    shopper = shop.shopper()
    for item in items or (PARKING,):
        shopper.add(item)
    shopper.reserve()
    shopper.pay(order_id)


def change(shop: Shop, table: Table, where: Any = None, **values: Any) -> None:
    """Break something by hand."""
    statement = update(table) if where is None else update(table).where(where)
    with shop.parts.store.write() as connection:
        assert connection.execute(statement.values(**values)).rowcount > 0


def delete(shop: Shop, table: Table, where: Any = None) -> None:
    statement = table.delete() if where is None else table.delete().where(where)
    with shop.parts.store.write() as connection:
        assert connection.execute(statement).rowcount > 0


def copy(shop: Shop, table: Table, where: Any, **changed: Any) -> None:
    """Write a row a second time, with other values."""
    with shop.parts.store.write() as connection:
        row = connection.execute(select(table).where(where)).mappings().first()
        assert row is not None
        connection.execute(table.insert().values(dict(row) | changed))


def sell_all_kinds(shop: Shop) -> None:
    """Have an order in every state that is in order, and carts that are held and reserved."""
    sell(shop, "confirmed", PARKING, POSTER)
    sell(shop, "cancelled")
    ok(server_post(shop, "/orders/cancelled/cancel", {}))
    sell(shop, "half", PARKING, POSTER)
    item = shop.upsells.to_json(shop.parts.checkout.order("half"))["items"][0]["cartItemId"]
    ok(server_post(shop, "/orders/half/cancel", {"cartItemId": item}))
    shop.emulator.faults("cancel", DOWN)
    sell(shop, "cancelling")
    ok(server_post(shop, "/orders/cancelling/cancel", {}))
    shop.emulator.faults("confirm", DOWN)
    sell(shop, "confirming")
    sell(shop, "to-cancel")
    ok(server_post(shop, "/orders/to-cancel/cancel", {}))
    shop.emulator.faults("confirm", REFUSED)
    sell(shop, "refunded")
    assert rokt(shop, "refunded", "refunded").exit_code == 0
    shop.emulator.faults("confirm")
    shopper = shop.shopper()
    shopper.add()
    shopper.pay("without")  # nothing was reserved for it
    shopper.add(POSTER)
    shopper.reserve()
    released = shop.shopper()
    released.add()
    released.reserve()
    released.post("/cart/release")
    changed = shop.shopper()
    changed.add()
    changed.reserve()
    changed.add(quantity=2)
    changed.reserve()
    changed.add(VIP)


def test_a_healthy_shop_with_orders_in_every_state_has_no_finding(shop: Shop) -> None:
    sell_all_kinds(shop)
    assert examine(shop) == []
    counts = count_open(shop.parts.store)
    assert counts["calls owed"] >= 3
    assert counts["orders that need a refund"] == 0  # somebody gave it
    shop.emulator.faults("cancel")
    shop.move_clocks(120)
    shop.deliver()
    assert examine(shop) == []
    assert count_open(shop.parts.store)["calls owed"] == 0


def owe_confirm(shop: Shop) -> None:
    shop.emulator.faults("confirm", DOWN)
    sell(shop, "A-1")


def owe_cancel(shop: Shop) -> None:
    sell(shop, "A-1")
    shop.emulator.faults("cancel", DOWN)
    ok(server_post(shop, "/orders/A-1/cancel", {}))


def confirmed(shop: Shop) -> None:
    sell(shop, "A-1")


def two_items(shop: Shop) -> None:
    sell(shop, "A-1", PARKING, POSTER)


def two_items_owed(shop: Shop) -> None:
    shop.emulator.faults("confirm", DOWN)
    two_items(shop)


def lose_one_item(shop: Shop) -> None:
    with shop.parts.store.read() as connection:
        one = connection.execute(select(reservations.c.id).limit(1)).scalar_one()
    delete(shop, reservations, reservations.c.id == one)


def two_confirmed(shop: Shop) -> None:
    sell(shop, "A-1")
    sell(shop, "A-2")


def reserved(shop: Shop) -> None:
    shopper = shop.shopper()
    shopper.add()
    shopper.reserve()


def refused(shop: Shop) -> None:
    shop.emulator.faults("confirm", REFUSED)
    sell(shop, "A-1")


def confirm_state(state: str) -> Callable[[Shop], None]:
    def act(shop: Shop) -> None:
        change(shop, outbox, outbox.c.kind == "confirm", state=state)

    return act


def leave(_shop: Shop) -> None:
    """Nothing is broken: somebody must act."""


def late(shop: Shop) -> None:
    change(shop, outbox, next_attempt_at=shop.clock() - HOUR)


def sell_twice(shop: Shop) -> None:
    with shop.parts.store.read() as connection:
        quote = connection.execute(select(orders.c.quote_id).where(orders.c.id == "A-1")).scalar()
    change(shop, orders, orders.c.id == "A-2", quote_id=quote)


def sell_one_reservation_twice(shop: Shop) -> None:
    with shop.parts.store.read() as connection:
        query = select(reservations.c.item_reservation_id).where(reservations.c.order_id == "A-1")
        one = connection.execute(query).scalar()
    change(shop, reservations, reservations.c.order_id == "A-2", item_reservation_id=one)


def set_lease(table: Table, token: str | None, until: timedelta | None) -> Callable[[Shop], None]:
    def act(shop: Shop) -> None:
        end = None if until is None else shop.clock() + until
        change(shop, table, lease_token=token, lease_until=end)

    return act


HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

# The invariant, a healthy start, how it is broken, and what else is then wrong too.
BROKEN: list[tuple[str, Callable[[Shop], None], Callable[[Shop], None], set[str]]] = [
    ("paid_and_lost", owe_confirm, lambda s: delete(s, outbox), set()),
    ("paid_and_lost", owe_confirm, confirm_state("done"), set()),
    ("paid_and_lost", owe_confirm, confirm_state("replaced"), set()),
    ("paid_and_lost", owe_confirm, confirm_state("gave_up"), set()),
    ("paid_and_lost", owe_confirm, lambda s: change(s, outbox, subjects=json.dumps(["x"])), set()),
    ("paid_and_lost", owe_cancel, lambda s: delete(s, outbox, outbox.c.kind == "cancel"), set()),
    ("paid_and_lost", owe_cancel, lambda s: change(s, outbox, outbox.c.kind == "cancel",
                                                    state="done"), set()),
    ("paid_and_lost", confirmed, lambda s: delete(s, outbox), set()),
    ("paid_and_lost", confirmed, confirm_state("refused"), set()),
    ("paid_and_lost", confirmed, lambda s: delete(s, reservations), set()),
    ("paid_and_lost", owe_confirm, lambda s: delete(s, reservations), set()),
    ("paid_and_lost", two_items, lose_one_item, set()),
    ("paid_and_lost", two_items_owed, lose_one_item, set()),
    ("purchase_not_told", confirmed, lambda s: change(s, outbox, outbox.c.kind == "confirm",
                                                      subjects="[]", state="refused"),
     {"paid_and_lost"}),
    ("purchase_not_told", confirmed, lambda s: change(s, outbox, outbox.c.kind == "confirm",
                                                      subjects="[]", state="gave_up"),
     {"paid_and_lost"}),
    ("cancel_given_up", owe_cancel, lambda s: change(s, outbox, outbox.c.kind == "cancel",
                                                      state="gave_up"), set()),
    ("cancel_lost", confirmed, lambda s: change(s, reservations, cancel_requested=True), set()),
    ("status_of_order", confirmed, lambda s: change(s, orders, status="confirming"), set()),
    ("status_of_order", owe_confirm, lambda s: change(s, orders, status="confirmed"), set()),
    ("status_of_order", owe_confirm, lambda s: change(s, orders, status="cancelled"), set()),
    ("status_of_order", refused, lambda s: change(s, orders, status="confirmed"), set()),
    ("confirm_without_order", confirmed, lambda s: delete(s, orders), set()),
    ("confirm_without_order", owe_confirm, lambda s: delete(s, orders), set()),
    ("confirm_without_order", owe_cancel, lambda s: delete(s, orders), set()),
    ("confirm_without_order", confirmed, lambda s: change(s, outbox, order_id=None),
     {"paid_and_lost"}),
    ("confirm_without_order", confirmed, lambda s: change(s, reservations, order_id=None),
     {"paid_and_lost"}),
    ("confirm_without_order", reserved, lambda s: change(s, reservations, state="confirming"),
     {"paid_and_lost"}),
    ("lease_without_owner", owe_confirm, set_lease(outbox, "t", -HOUR), set()),
    ("lease_without_owner", reserved, set_lease(sessions, "t", -HOUR), set()),
    ("lease_without_owner", owe_confirm, set_lease(outbox, None, MINUTE), set()),
    ("lease_without_owner", reserved, set_lease(sessions, None, MINUTE), set()),
    ("lease_without_owner", owe_confirm, set_lease(outbox, "t", None), set()),
    ("lease_without_owner", reserved, set_lease(sessions, "t", None), set()),
    ("lease_without_owner", owe_confirm, set_lease(outbox, "t", HOUR), set()),
    ("lease_without_owner", reserved, set_lease(sessions, "t", HOUR), set()),
    ("overdue", owe_confirm, late, set()),
    ("live_after_settle", reserved, lambda s: change(s, reservations, cart_id="another"), set()),
    ("live_after_settle", reserved, lambda s: delete(s, sessions), set()),
    ("live_after_settle", confirmed, lambda s: change(s, reservations, state="reserved"), set()),
    ("sold_twice", two_confirmed, sell_twice, set()),
    ("sold_twice", two_confirmed, sell_one_reservation_twice, set()),
    ("refund_needed", refused, leave, set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "begin", "breaks", "also"),
    BROKEN,
    ids=[f"{n}-{case[0]}" for n, case in enumerate(BROKEN)],
)
def test_what_is_broken_is_found_by_its_name(
    shop: Shop,
    name: str,
    begin: Callable[[Shop], None],
    breaks: Callable[[Shop], None],
    also: set[str],
) -> None:
    begin(shop)
    if name != "refund_needed":
        assert set(examine(shop)) <= {"refund_needed"}
    breaks(shop)
    assert set(examine(shop)) - {"refund_needed"} | {name} == {name} | also
    assert name in examine(shop)
    told = rokt(shop, "doctor")
    assert told.exit_code == 1
    assert f"\n{name}: " in f"\n{told.output}"


def test_every_invariant_has_a_case_that_is_broken_on_purpose() -> None:
    assert {case[0] for case in BROKEN} == {invariant.__name__ for invariant in INVARIANTS}


def test_each_finding_is_one_line_and_the_counts_are_told(shop: Shop) -> None:
    shop.emulator.faults("confirm", REFUSED)
    for n in range(3):
        sell(shop, f"A-{n}")
    shop.emulator.faults("confirm", DOWN)
    sell(shop, "B-1")
    told = rokt(shop, "doctor")
    assert told.exit_code == 1
    *findings, counts = told.output.splitlines()
    assert [line.split(":")[0] for line in findings] == ["refund_needed"] * 3
    assert all(f"order 'A-{n}'" in line for n, line in enumerate(sorted(findings)))
    assert counts == (
        "Open: 1 calls owed, 0 calls given up, 3 orders that need a refund, "
        "0 reserves without a response"
    )


def test_a_reserve_of_which_nobody_knows_is_counted(shop: Shop) -> None:
    shop.emulator.faults("reserve", {"kind": "drop", "when": "after", "times": 2})
    shopper = shop.shopper()
    shopper.add(PARKING)
    shopper.add(POSTER)
    assert len(shopper.reserve()["rejected"]) == 2
    assert "2 reserves without a response" in rokt(shop, "doctor").output
    shop.emulator.faults("reserve", {"kind": "status", "status": 401, "times": 2})
    shopper.reserve()  # surely not held
    assert count_open(shop.parts.store)["reserves without a response"] == 2


def test_a_call_that_was_given_up_is_counted(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(confirm_deadline=60)
    owe_confirm(shop)
    shop.move_clocks(120)
    shop.deliver()
    assert count_open(shop.parts.store) == {
        "calls owed": 0,
        "calls given up": 1,
        "orders that need a refund": 1,
        "reserves without a response": 0,
    }
    assert examine(shop) == ["refund_needed"]


def test_a_refund_that_was_given_is_no_finding_any_more(shop: Shop) -> None:
    refused(shop)
    assert rokt(shop, "doctor").exit_code == 1
    assert rokt(shop, "refunded", "A-1").exit_code == 0
    healthy = rokt(shop, "doctor")
    assert healthy.exit_code == 0, healthy.output
    assert "All is well." in healthy.output


def test_a_confirm_that_was_redriven_and_refused_again_is_a_finding_again(shop: Shop) -> None:
    refused(shop)
    assert rokt(shop, "redrive", "A-1").exit_code == 0
    assert examine(shop) == []
    shop.move_clocks(60)
    shop.deliver()
    assert examine(shop) == ["refund_needed"]


def test_ten_thousand_orders_are_examined_in_little_memory(shop: Shop) -> None:
    two_confirmed(shop)
    store = shop.parts.store
    tables = (orders, quotes, reservations, outbox, sessions)
    with store.write() as connection:
        originals = {
            t: dict(connection.execute(select(t)).mappings().first() or {}) for t in tables
        }
        originals[reservations]["order_id"] = originals[outbox]["order_id"]
        for start in range(0, 10_000, 500):
            rows = [copies(originals, n) for n in range(start, start + 500)]
            for table in tables:
                connection.execute(table.insert(), [row[table] for row in rows])
    list(examine_database(store, shop.clock()))  # what is loaded once is no part of it
    tracemalloc.start()
    found = list(examine_database(store, shop.clock()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == []
    assert peak < 8_000_000, f"{peak} bytes"


def copies(originals: dict[Table, dict[str, Any]], n: int) -> dict[Table, dict[str, Any]]:
    """Make the rows of one more order."""
    order, quote, row, session = f"many-{n}", new_id(), new_id(), new_id()
    changes: dict[Table, dict[str, Any]] = {
        orders: {"id": order, "session_id": session, "quote_id": quote},
        quotes: {"id": quote, "session_id": session},
        reservations: {"id": row, "session_id": session, "order_id": order,
                       "item_reservation_id": row},
        outbox: {"id": 100_000 + n, "session_id": session, "order_id": order,
                 "subjects": json.dumps([row])},
        sessions: {"id": session, "handle_hash": session},
    }  # fmt: skip
    return {table: originals[table] | changed for table, changed in changes.items()}


# What is wrong with the settings or with the way to Rokt.


def names(found: Iterable[Any]) -> list[str]:
    return [finding.name for finding in found]


def examine_way(shop: Shop) -> list[str]:
    return names(examine_rokt(shop.parts.settings, shop.parts.api))


def test_a_good_way_to_rokt_has_no_finding(shop: Shop) -> None:
    assert examine_way(shop) == []


@pytest.mark.parametrize(("seconds", "side"), [(120, "ahead of"), (-120, "behind")])
def test_a_clock_that_differs_from_rokts_is_found(shop: Shop, seconds: float, side: str) -> None:
    shop.clock.move(seconds)
    (finding,) = examine_rokt(shop.parts.settings, shop.parts.api)
    assert finding.name == "clock"
    assert re.search(rf"1(19|20|21) s {side} Rokt's", finding.text)
    assert rokt(shop, "doctor").exit_code == 1


def test_a_clock_that_differs_by_a_little_is_good_enough(shop: Shop) -> None:
    shop.clock.move(5)
    assert examine_way(shop) == []


@pytest.mark.parametrize(
    ("settings", "fault", "name"),
    [
        ({"api_key": "wrong"}, None, "rokt_key"),
        ({"api_url": "http://127.0.0.1:9"}, None, "rokt"),
        ({}, {"kind": "status", "status": 503}, "rokt"),
        ({}, {"kind": "html"}, "rokt"),
        *(
            ({}, {"kind": "status", "status": n, "html": True}, "rokt")
            for n in (302, 400, 404, 405, 407, 410)
        ),
        ({}, {"kind": "status", "status": 403}, "rokt_key"),
        ({"reserve_timeout": 0.3}, {"kind": "hang", "seconds": FOR_EVER}, "rokt"),
    ],
    ids=[
        "wrong key",
        "nobody there",
        "down",
        "not the api",
        "moved",
        "no such form",
        "no such path",
        "no such method",
        "a proxy's login",
        "gone",
        "forbidden",
        "hanging",
    ],
)
def test_a_bad_way_to_rokt_is_found(
    make_shop: Callable[..., Shop], settings: dict[str, Any], fault: Any, name: str
) -> None:
    shop = make_shop(**settings)
    if fault:
        shop.emulator.faults("any", fault | {"times": None})
    assert examine_way(shop) == [name]
    told = rokt(shop, "doctor")
    assert told.exit_code == 1
    assert told.output.startswith(f"{name}: ")
    assert "emulator-key" not in told.output


@pytest.mark.parametrize(("status", "word"), [(404, "ROKT_BFF_API_URL"), (400, "refused (400")])
def test_what_is_wrong_on_the_way_is_told_apart(shop: Shop, status: int, word: str) -> None:
    shop.emulator.faults("any", {"kind": "status", "status": status, "html": True})
    (finding,) = examine_rokt(shop.parts.settings, shop.parts.api)
    assert word in finding.text


def test_a_page_that_rokt_does_not_know_is_no_finding(shop: Shop) -> None:
    shop.emulator.faults("any", {"kind": "status", "status": 422})
    assert examine_way(shop) == []


def test_an_insecure_setting_is_found_in_production_and_not_while_developing() -> None:
    production = Settings(api_key="k", tag_id="t")
    developing = Settings(api_key="k", tag_id="t", api_url="http://127.0.0.1:8081")
    assert names(examine_settings(production, {"SESSION_COOKIE_SECURE": True})) == []
    (finding,) = examine_settings(production, {})
    assert finding.name == "insecure"
    assert "SESSION_COOKIE_SECURE" in finding.text
    assert names(examine_settings(developing, {})) == []


def test_a_database_that_is_gone_is_a_finding(shop: Shop) -> None:
    destroy(shop.parts.store)
    told = rokt(shop, "doctor")
    assert told.exit_code == 1
    assert told.output.startswith("database: ")
    assert "Traceback" not in told.output
