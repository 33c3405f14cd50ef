"""What would be insecure is told by the setting's name; on a developer's machine it is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from bff.config.security import insecure
from tests.support.samples import read_settings

KEY = "a-key-of-more-than-thirty-two-letters"
EMULATOR = "http://127.0.0.1:8081"
TLS = {"SECRET_KEY": KEY, "SESSION_COOKIE_SECURE": True}


def found(config: dict[str, Any] | None = None, host: str | None = None, **given: Any) -> list[str]:
    """The names that are complained of."""
    problems = insecure(read_settings(**given), TLS | (config or {}), host)
    return [problem.split()[0] for problem in problems]


def test_a_shop_over_tls_with_good_keys_is_secure() -> None:
    assert found(server_key=KEY + "1", origins="https://shop.example") == []
    assert found({"SESSION_COOKIE_SECURE": False}, public_url="https://shop.example") == []


@pytest.mark.parametrize("secret", ["x", "dev", b"123456789012345"])
def test_a_short_secret_is_refused_unless_rokt_is_the_emulator(secret: str | bytes) -> None:
    assert found({"SECRET_KEY": secret}) == ["SECRET_KEY"]
    assert found({"SECRET_KEY": secret}, api_url=EMULATOR) == []
    assert found({"SECRET_KEY": secret}, public_url="http://localhost:5000") == []


@pytest.mark.parametrize("given", [
    {"server_key": KEY},
    {"server_key": KEY + "1", "server_key_previous": KEY},
    {"api_key": KEY},
])  # fmt: skip
def test_no_secret_is_another_one_too(given: dict[str, str]) -> None:
    (problem,) = insecure(read_settings(**given), TLS)
    assert "must differ from SECRET_KEY" in problem
    assert KEY not in problem
    assert len(found(None, **given, api_url=EMULATOR)) == 1  # on a developer's machine neither


def test_the_two_server_keys_are_two_and_come_together() -> None:
    same = found(server_key=KEY + "1", server_key_previous=KEY + "1")
    assert same == ["ROKT_BFF_SERVER_KEY_PREVIOUS"]
    assert found(server_key_previous=KEY + "1") == ["ROKT_BFF_SERVER_KEY_PREVIOUS"]


@pytest.mark.parametrize(("origin", "good"), [
    ("http://shop.example", False),
    ("http://192.168.0.1:5000", False),
    ("http://localhost.evil.example", False),
    ("https://shop.example", True),
    ("http://localhost:5000", True),
    ("http://127.0.0.2:8082", True),
    ("http://[::1]:8082", True),
])  # fmt: skip
def test_pages_come_by_tls_or_from_this_machine(origin: str, good: bool) -> None:
    assert found(origins=["https://good.example", origin]) == ([] if good else ["ROKT_BFF_ORIGINS"])
    assert found(public_url=origin) == ([] if good else ["ROKT_BFF_PUBLIC_URL"])


@pytest.mark.parametrize(("config", "given", "good"), [
    ({}, {}, False),
    ({}, {"public_url": "https://shop.example"}, True),
    ({"SESSION_COOKIE_SECURE": True}, {}, True),
    ({}, {"api_url": EMULATOR}, True),
    ({}, {"public_url": "http://localhost:5000"}, True),
    ({"TESTING": True}, {}, True),
])  # fmt: skip
def test_a_shop_s_cookie_goes_by_tls_outside_of_development(
    config: dict[str, Any], given: dict[str, str], good: bool
) -> None:
    config = {"SESSION_COOKIE_SECURE": False} | config
    assert found(config, **given) == ([] if good else ["SESSION_COOKIE_SECURE"])


@pytest.mark.parametrize(("host", "secure", "given", "names"), [
    ("127.0.0.1", True, {}, []),
    ("127.0.0.1", False, {}, []),
    ("localhost", False, {}, []),
    ("0.0.0.0", True, {}, ["ROKT_BFF_PUBLIC_URL"]),
    ("0.0.0.0", True, {"public_url": "https://bff.example"}, []),
    ("0.0.0.0", False, {}, ["--insecure-cookies", "ROKT_BFF_PUBLIC_URL"]),
    ("192.168.7.4", False, {"api_url": EMULATOR}, ["--insecure-cookies", "ROKT_BFF_PUBLIC_URL"]),
    ("::", False, {"public_url": "http://localhost:5000"}, ["--insecure-cookies"]),
])  # fmt: skip
def test_a_server_that_others_reach_is_behind_tls(
    host: str, secure: bool, given: dict[str, str], names: list[str]
) -> None:
    assert found({"SESSION_COOKIE_SECURE": secure}, host, **given) == names
