"""What a shopper told is in no log, however much a shop lets be logged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from tests.support.shop import Shop, ok, server_get

MARK = "somebody@mark.example"


@pytest.fixture
def sqlalchemy_tells_all() -> Iterator[None]:
    """Set up logging as somebody does who looks for a fault; before any engine is made."""
    loggers = [logging.getLogger(name) for name in ("sqlalchemy", "sqlalchemy.engine.Engine")]
    for one in loggers:
        one.setLevel(logging.DEBUG)
    yield
    for one in loggers:
        one.setLevel(logging.NOTSET)


@pytest.mark.usefixtures("sqlalchemy_tells_all")
def test_no_row_of_the_database_is_logged(
    make_shop: Callable[..., Shop], caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop()
    shopper = shop.shopper()
    with caplog.at_level(logging.DEBUG):
        shopper.add()
        shopper.reserve(attributes={"email": MARK})
        shopper.pay("order-1", attributes={"email": MARK}, extra={"card": {"name": MARK}})
        ok(server_get(shop, "/orders/order-1"))
    assert MARK not in caplog.text
    assert shopper.handle not in caplog.text
    statements = [x for x in caplog.records if "INSERT INTO orders" in x.getMessage()]
    assert statements, "the statements are logged, without their parameters"
