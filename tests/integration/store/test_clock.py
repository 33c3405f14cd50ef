"""Machines whose clocks differ: no call is sent by two, whoever is ahead or behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from bff.cart.reservation import ReserveOptions
from bff.config.settings import Settings
from bff.ops.doctor import examine_database
from bff.outbox.queue import LEASE, Outbox
from bff.rokt.calls import cancel_call
from bff.store import clock as clocks
from bff.store.database import Store
from bff.store.sessions import Session, create_session, take_lease
from tests.support.databases import NewDatabase, closing
from tests.support.interference import after_call
from tests.support.samples import order_row
from tests.support.shop import Shop, ok, server_get
from tests.support.summaries import PARKING, POSTER

MakeShop = Callable[..., Shop]
Take = Callable[[datetime], bool]
pytestmark = pytest.mark.postgresql  # SQLite's file is on one machine, which has one clock

SECOND = timedelta(seconds=1)
# Nearly a lease: who counted by such a clock would take what is under way.
SKEW = LEASE - 2 * SECOND


@contextmanager
def on_a_machine(ahead: timedelta) -> Iterator[datetime]:
    """Be on a machine whose clock is ahead (or behind), and yield the time there."""
    with pytest.MonkeyPatch.context() as there:
        there.setattr(clocks, "system_time", lambda: datetime.now(UTC) + ahead)
        yield clocks.system_time()


@pytest.fixture
def database(new_database: NewDatabase) -> Iterator[Store]:
    with closing(Store(new_database())) as made:
        yield made


def queue(now: datetime) -> Outbox:
    return Outbox(Settings(), lambda: now)


def owed_call(database: Store) -> Take:
    """Return what takes the lease of an owed call."""
    now = datetime.now(UTC)
    with database.write() as connection:
        call = cancel_call(item_reservation_id="rokt_item_reservation_id.1")
        queue(now - timedelta(hours=1)).owe(connection, call, [], order=order_row())

    def take(now: datetime) -> bool:
        with database.write() as connection:
            return queue(now).is_due(connection) and bool(queue(now).claim(connection, 1))

    return take


def reserving(database: Store) -> Take:
    """Return what takes the lease of a session that reserves."""
    now = datetime.now(UTC)
    with database.write() as connection:
        session: Session = create_session(
            connection, "handle", now=now, expires_at=now + timedelta(days=1)
        )

    def take(now: datetime) -> bool:
        with database.write() as connection:
            return take_lease(connection, session, "token", now=now, lasts=LEASE)

    return take


@pytest.mark.parametrize("what", [owed_call, reserving])
@pytest.mark.parametrize("holder", [-SKEW, SKEW, timedelta()], ids=["behind", "ahead", "right"])
@pytest.mark.parametrize("other", [-SKEW, SKEW], ids=["behind", "ahead"])
def test_a_lease_lasts_as_long_whatever_the_clocks_say(
    database: Store, what: Callable[[Store], Take], holder: timedelta, other: timedelta
) -> None:
    take = what(database)
    with on_a_machine(holder) as now:
        assert take(now)
    with on_a_machine(other) as now:
        assert not take(now)
        assert not take(now + LEASE - 3 * SECOND)
        assert take(now + LEASE + SECOND)


def test_a_call_that_is_written_and_sent_at_once_has_such_a_lease(make_shop: MakeShop) -> None:
    one = make_shop()
    other = make_shop(database_url=one.app.config["ROKT_BFF_DATABASE_URL"])
    shopper = one.shopper()
    shopper.add(PARKING)
    shopper.reserve()
    delivered: list[int] = []

    def meanwhile() -> None:
        other.clock.ahead = SKEW + 3 * SECOND
        with on_a_machine(other.clock.ahead):
            delivered.append(other.deliver())

    with after_call(one, "confirm", meanwhile):
        shopper.pay()
    assert delivered == [0]
    assert len(one.calls("confirm")) == 1
    assert ok(server_get(one, "/orders/order-1"))["status"] == "confirmed"


@pytest.mark.parametrize(("ahead", "side"), [(SKEW, "ahead of"), (-SKEW, "behind")])
def test_the_doctor_finds_a_machine_whose_clock_differs(
    shop: Shop, ahead: timedelta, side: str
) -> None:
    with on_a_machine(ahead) as now:
        (finding,) = examine_database(shop.parts.store, now)
    assert finding.name == "clock"
    assert f"28 s {side} the database's" in finding.text


def test_a_clock_that_is_right_is_no_finding(shop: Shop) -> None:
    with on_a_machine(2 * SECOND) as now:
        assert list(examine_database(shop.parts.store, now)) == []


def test_a_sweep_leaves_alone_what_somebody_reserves_for_whatever_its_clock_says(
    make_shop: MakeShop,
) -> None:
    one = make_shop(release_grace=1)
    other = make_shop(database_url=one.app.config["ROKT_BFF_DATABASE_URL"], release_grace=1)
    shopper = one.shopper()
    shopper.add(PARKING)
    shopper.reserve()
    shopper.add(POSTER)
    swept: list[int] = []

    def meanwhile() -> None:
        shopper.add(PARKING, 2)  # what is reserved of it is stale now
        other.clock.ahead = SKEW + 3 * SECOND
        with on_a_machine(other.clock.ahead):
            swept.append(other.sweep())

    with after_call(one, "reserve", meanwhile):
        one.parts.checkout.reserve(shopper.handle, ReserveOptions())
    assert swept == [0]
    assert {item["status"] for item in shopper.cart()["items"]} == {"reserved"}
