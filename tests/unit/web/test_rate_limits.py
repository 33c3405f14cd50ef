"""Who the client of a request is, for the limits by client."""

from __future__ import annotations

import pytest
from flask import Flask, request

from bff.web.rate_limits import client_of


def client(
    address: str, headers: dict[str, str] | None = None, *, trusts_proxy: bool = False
) -> str | None:
    app = Flask("shop")
    with app.test_request_context(headers=headers, environ_overrides={"REMOTE_ADDR": address}):
        return client_of(request, trusts_proxy=trusts_proxy)


@pytest.mark.parametrize(("address", "named"), [
    ("9.9.9.9", "9.9.9.9"),
    ("::ffff:9.9.9.9", "9.9.9.9"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
    ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
    ("127.0.0.1", "127.0.0.1"),
    ("", None),
    ("unix:", None),
])  # fmt: skip
def test_a_client_is_its_address_or_its_network_of_64_bits(address: str, named: str | None) -> None:
    assert client(address) == named


def test_nobody_is_counted_as_the_proxy_that_all_come_through() -> None:
    through = {"X-Forwarded-For": "9.9.9.9"}
    assert client("10.0.0.1", through) is None
    assert client("127.0.0.1", {"Forwarded": "for=9.9.9.9"}) is None
    # Nobody is let off for a header that they send themselves.
    assert client("9.9.9.9", through) == "9.9.9.9"
    assert client("10.0.0.1", through, trusts_proxy=True) == "10.0.0.1"
