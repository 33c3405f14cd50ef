"""Bodies of updates as the Web SDK fills them, and their reading, for tests of the schemas."""

from __future__ import annotations

from typing import Any

import pytest

from bff.cart.updates import Update
from bff.config.settings import Settings
from bff.errors import InvalidInput
from bff.web.schemas.fields import load
from bff.web.schemas.sdk_items import UpdateBody, read_update

PLAIN = Settings(api_key="key", tag_id="tag")
EUROS = Settings(api_key="key", tag_id="tag", default_currency="EUR")
GOOD = {
    "cartItemId": "v1:8ef7a1b2:parking",
    "catalogItemId": "parkwhiz_quote.84118520",
    "name": "Parking",
    "description": "Lot A",
    "quantity": 2,
    "unitPrice": 12.5,
    "totalPrice": 25,
    "currency": "USD",
}
OLD = {"cartItemId": "v1:old"}


def item(**more: Any) -> dict[str, Any]:
    return GOOD | more


def read_with_session(body: object, given: Settings = PLAIN) -> tuple[Update, str | None]:
    return read_update(load(UpdateBody(), body), given)


def read(body: object, given: Settings = PLAIN) -> Update:
    return read_with_session(body, given)[0]


def wrong(body: object, given: Settings = PLAIN) -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as caught:
        read(body, given)
    assert caught.value.status == 422
    assert all(name in caught.value.detail for name in caught.value.errors)
    return caught.value.errors


def wrong_item(given: Settings = PLAIN, **more: Any) -> list[str]:
    """The names of what is wrong, which must be those that the body uses."""
    names = list(wrong({"updatedItem": item(**more), "oldItem": None}, given))
    other = list(wrong({"cartItem": item(**more), "oldCartItem": None}, given))
    assert [name.replace("cartItem.", "updatedItem.") for name in other] == names
    return names
