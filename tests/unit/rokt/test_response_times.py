"""Rokt's times: any number of digits, with and without a Z, never beyond the calendar."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from bff.rokt.responses import Granted, read_reserve, read_time
from tests.support.samples import cart_item


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2025-10-04T10:00:00Z", datetime(2025, 10, 4, 10, tzinfo=UTC)),
        ("2025-10-04T10:00:00", datetime(2025, 10, 4, 10, tzinfo=UTC)),
        ("2025-10-04T10:00:00.1234567Z", datetime(2025, 10, 4, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2025-10-04T10:00:00.1234567", datetime(2025, 10, 4, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2025-10-04T10:00:00.5", datetime(2025, 10, 4, 10, 0, 0, 500000, tzinfo=UTC)),
        ("2025-10-04T12:00:00+02:00", datetime(2025, 10, 4, 10, tzinfo=UTC)),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("tomorrow", None),
        ("", None),
        (1759572000, None),
        (None, None),
    ],
)
def test_times_are_read_with_any_digits_with_and_without_a_z(
    text: object, meant: datetime | None
) -> None:
    asked = cart_item("a")
    grant: dict[str, object] = {
        "cartItemId": "a",
        "itemReservationId": "rokt_item_reservation_id.a",
    }
    grant |= {"unitPrice": 12.5, "totalPrice": 12.5, "currency": "USD"}
    assert read_time(text) == meant
    (answer,) = read_reserve({"items": [grant | {"expirationDateTimeUtc": text}]}, [asked]) or []
    assert isinstance(answer, Granted)
    assert answer.expires_at == meant


def test_a_time_without_a_z_is_utc_wherever_the_server_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert read_time("2025-10-04T10:00:00") == datetime(2025, 10, 4, 10, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()
