"""The database: nothing is lost among writers, nothing secret is in it, and trouble is told."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import IntegrityError

from bff.cart.held_cart import CartItem
from bff.cart.order import Purchase
from bff.cart.updates import Update
from bff.errors import InvalidInput, SessionMoved, StoreUnavailable, Unauthorized
from bff.store import engine as engines
from bff.store.database import Store
from bff.store.handles import hash_handle, new_handle
from bff.store.sessions import (
    Session,
    create_session,
    end_lease,
    find_session,
    save_cart,
    take_lease,
)
from tests.support.databases import NewDatabase, destroy
from tests.support.interference import at_once
from tests.support.shop import Shop, Shopper, server_get, server_post
from tests.support.summaries import PARKING, POSTER

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
HANDLE = "a-handle-that-nobody-may-see"


@pytest.fixture
def url(new_database: NewDatabase) -> str:
    return new_database()


@pytest.fixture
def path(url: str) -> Path:
    """The file of a SQLite database."""
    return Path(make_url(url).database or "")


@pytest.fixture
def database(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()


def create(store: Store, handle: str = HANDLE) -> Session:
    with store.write() as connection:
        return create_session(connection, handle, now=NOW, expires_at=LATER)


def find(store: Store, handle: str = HANDLE, now: datetime | None = NOW) -> Session | None:
    with store.read() as connection:
        return find_session(connection, handle, now=now)


def everything(path: Path) -> bytes:
    """Return all bytes of the database's files, the write-ahead log included."""
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_ten_threads_with_a_hundred_updates_each_lose_nothing(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    handle, checkout = shopper.handle, shop.parts.checkout
    start = checkout.cart(handle).version
    offer = CartItem(
        cart_item_id="",
        catalog_item_id=POSTER,
        name="Poster",
        description="",
        quantity=0,
        unit_price=Decimal(15),
        currency="USD",
    )

    def write(n: int) -> None:
        for quantity in range(1, 101):
            item = replace(offer, cart_item_id=f"v1:{n}:{POSTER}", quantity=quantity)
            checkout.update(handle, Update(item=item, page="page", seq=quantity))

    at_once([partial(write, n) for n in range(10)])
    cart = checkout.cart(handle)
    assert cart.version == start + 1000
    assert [item.quantity for item in cart.items] == [1] + [100] * 10


def test_a_cart_is_written_only_over_the_version_that_was_read(database: Store) -> None:
    session = create(database)

    def count_up() -> int:
        done = lost = 0
        while done < 25:
            read = find(database)
            assert read is not None
            newer = replace(
                read.cart,
                version=read.cart.version + 1,
                removed=(*read.cart.removed, str(read.cart.version)),
            )
            with database.write() as connection:
                if save_cart(connection, read, newer):
                    done += 1
                else:
                    lost += 1
        return lost

    lost = at_once([count_up] * 4)
    found = find(database)
    assert found is not None
    assert found.cart.version == session.cart.version + 100
    assert list(found.cart.removed) == [str(n) for n in range(100)]
    assert sum(lost) > 0  # they did compete


def test_a_lease_has_one_holder_until_it_ends(database: Store) -> None:
    session, lasts = create(database), timedelta(seconds=30)
    until = NOW + lasts

    def take(token: str, now: datetime = NOW) -> bool:
        with database.write() as connection:
            return take_lease(connection, session, token, now=now, lasts=lasts)

    won = at_once([partial(take, str(n)) for n in range(8)])
    assert sum(won) == 1
    assert not take("late", until - timedelta(seconds=1))
    assert take("next", until)
    with database.write() as connection:
        assert not end_lease(connection, session.id, str(won.index(True)))
        assert end_lease(connection, session.id, "next")
    assert take("again")


def test_a_transaction_that_fails_leaves_nothing(database: Store) -> None:
    def fail() -> None:
        with database.write() as connection:
            create_session(connection, HANDLE, now=NOW, expires_at=LATER)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert find(database) is None


def test_a_session_ends_at_its_time(database: Store) -> None:
    create(database)
    assert find(database, now=LATER - timedelta(microseconds=1)) is not None
    assert find(database, now=LATER) is None
    assert find(database, now=None) is not None  # for what was paid by then


@pytest.mark.sqlite
def test_the_handle_is_in_no_file_of_the_database(shop: Shop, shopper: Shopper) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    shopper.pay()
    handles = [shopper.handle]
    handles.append(shop.parts.checkout.rotate(handles[0]))
    data = everything(Path(shop.parts.store.engine.url.database or ""))
    for handle in handles:
        assert handle.encode() not in data
    assert hash_handle(handles[1]).encode() in data
    assert b"emulator-key" not in data  # nor is Rokt's key


def test_a_handle_has_256_random_bits() -> None:
    handles = {new_handle() for _ in range(1000)}
    assert len(handles) == 1000
    assert {len(handle) for handle in handles} == {43}


def test_a_rotated_handle_is_worthless(shop: Shop, shopper: Shopper) -> None:
    cart = shopper.add(PARKING)
    checkout, old = shop.parts.checkout, shopper.handle
    new = checkout.rotate(old)
    assert checkout.cart(new).cart_id == cart["cartId"]
    for verb in (checkout.cart, checkout.session_id, checkout.release):
        with pytest.raises(Unauthorized):
            verb(old)
    with pytest.raises(SessionMoved):
        checkout.rotate(old)


def read_it(store: Store) -> None:
    find(store)


def write_it(store: Store) -> None:
    create(store)


@pytest.mark.parametrize("use", [read_it, write_it])
def test_a_missing_folder_is_an_unavailable_store(
    tmp_path: Path, use: Callable[[Store], None]
) -> None:
    store = Store(f"sqlite:///{tmp_path / 'nowhere' / 'store.db'}")
    assert_unavailable(store, use)
    store.close()


@pytest.mark.parametrize("use", [read_it, write_it])
def test_a_file_that_is_no_database_is_an_unavailable_store(
    tmp_path: Path, use: Callable[[Store], None]
) -> None:
    (tmp_path / "store.db").write_bytes(b"this is a letter, not a database" * 200)
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    assert_unavailable(store, use)
    store.close()


@pytest.mark.sqlite
def test_a_database_that_may_only_be_read_is_an_unavailable_store(
    database: Store, path: Path
) -> None:
    store = Store(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert find(store) is None
    assert_unavailable(store, write_it)
    store.close()


@pytest.mark.sqlite
def test_a_locked_database_is_an_unavailable_store_after_a_while(
    database: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "LOCK_SECONDS", 0.2)
    store = Store(f"sqlite:///{path}")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert_unavailable(store, write_it)
    assert find(store) is None  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    create(store)
    store.close()


def assert_unavailable(store: Store, use: Callable[[Store], None]) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        use(store)
    error: BaseException | None = caught.value
    assert caught.value.retryable
    while error is not None:  # whoever logs it logs its causes too
        assert HANDLE not in str(error)
        assert hash_handle(HANDLE) not in str(error)
        error = error.__cause__


def test_an_error_of_a_statement_does_not_show_its_parameters(database: Store) -> None:
    create(database)
    with pytest.raises(IntegrityError) as caught:
        create(database)
    assert hash_handle(HANDLE) not in str(caught.value)


def test_over_http_an_unavailable_store_is_a_503(
    shop: Shop, shopper: Shopper, caplog: pytest.LogCaptureFixture
) -> None:
    shopper.add(PARKING)
    handle = shopper.handle
    destroy(shop.parts.store)
    with caplog.at_level(logging.DEBUG):
        answer = shopper.update(shopper.item(PARKING, 2))
    problem: Any = answer.json
    assert (answer.status_code, problem["code"]) == (503, "store_unavailable")
    assert "Retry-After" in answer.headers
    assert handle not in answer.text + caplog.text


def test_an_order_id_that_no_database_holds_is_nowhere(shop: Shop) -> None:
    for order_id in ("%00", "a%00b", "x" * 300):
        assert server_get(shop, f"/orders/{order_id}").status_code == 404
        assert server_post(shop, f"/orders/{order_id}/cancel", {}).status_code == 404


@pytest.mark.parametrize("order_id", ["", "x" * 129, "a\0b"])
def test_an_order_id_that_no_database_holds_is_refused_by_name(
    shop: Shop, shopper: Shopper, order_id: str
) -> None:
    shopper.add(PARKING)
    shopper.reserve()
    purchase = Purchase(order_id=order_id, quote_id=None, attributes={}, extra={})
    with pytest.raises(InvalidInput) as caught:
        shop.parts.checkout.record(shopper.handle, purchase)[0]
    assert "128" in caught.value.errors["orderId"][0]
