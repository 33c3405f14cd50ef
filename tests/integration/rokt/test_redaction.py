"""What a shop's listeners, its log and its orders show of a call in which Rokt repeats secrets."""

from __future__ import annotations

from typing import Any

import pytest

from bff.rokt.redaction import MASK
from tests.support.emulator_client import Client
from tests.support.shop import Shop, Shopper

MAIL = "somebody@mark.example"


def test_a_key_that_rokt_repeats_is_in_no_order_and_no_log(
    shop: Shop, shopper: Shopper, emulator: Client, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[dict[str, Any]]
    said = [{"code": code, "message": code, "value": code} for code in ("emulator-key", "GONE")]
    said.append({"code": "Somebody", "message": MAIL, "value": {MAIL: MAIL}})
    shopper.add()
    shopper.reserve()
    fault = {"kind": "status", "status": 400, "body": {"description": MAIL, "errors": said}}
    emulator.faults("confirm", fault)
    order = shopper.pay(attributes={"email": MAIL}, extra={"card": MAIL})
    assert order["lastError"] == "Rokt refused (400: GONE)"
    assert "needs a refund: Rokt refused (400: GONE)" in caplog.text
    heard = repr(shop.heard.signals)
    for secret in ("emulator-key", "mark.example", "omebody"):
        assert secret not in heard + caplog.text + repr(order)
    (call,) = [x for x in shop.heard.of("call") if x["call"] == "confirm"]
    assert call["request"]["attributes"] == {"email": MASK}
    assert call["request"]["card"] == MASK
    codes = [error.get("code") for error in call["response"]["errors"]]
    assert codes == [None, "GONE", None]
    assert call["request"]["orderId"] == "order-1"
    assert emulator.journal()[-1]["body"]["attributes"] == {"email": MAIL}, "Rokt gets it all"
