"""Settings that are addresses: exact origins, Rokt's API, the database, our own prefix."""

from __future__ import annotations

import pytest

from bff.config import readers
from bff.config.addresses import is_loopback
from tests.support.samples import problems, read_settings


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example",
        "https://shop.example:8443",
        "https://xn--bcher-kva.example",
        "http://localhost:5000",
        "http://127.0.0.1:5000",
        "http://[::1]:5000",
    ],
)
def test_an_exact_origin_is_taken(origin: str) -> None:
    assert read_settings(origins=origin).origins == (origin,)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "shop.example",
        "//shop.example",
        "https://",
        "https://*.shop.example",
        "https://shop.example/",
        "https://shop.example/checkout",
        "https://shop.example?a",
        "https://shop.example#a",
        "https://shop.example:443",
        "http://localhost:80",
        "https://shop.example:",
        "https://shop.example:0443",
        "https://shop.example:99999",
        "https://shop.example:port",
        "https://user@shop.example",
        "https://Shop.example",
        "HTTPS://shop.example",
        "https://shop..example",
        "https://a.example https://b.example",
        "https://a b",
        "https://bücher.example",
        "https://[::1",
        "https://[0:0::1]",
        "ftp://shop.example",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_exact_origin_is_shown_and_refused(origin: str) -> None:
    (problem,) = problems(origins=["https://good.example", origin])
    assert problem.startswith(f"ROKT_BFF_ORIGINS has {origin!r}: an exact origin is needed")


def test_origins_are_a_list_or_separated_by_commas() -> None:
    two = ("https://a.example", "https://b.example")
    assert read_settings(origins=" https://a.example , https://b.example,").origins == two
    assert read_settings(origins=list(two)).origins == read_settings(origins=two).origins == two
    assert read_settings(origins="").origins == ()


@pytest.mark.parametrize(
    "url",
    [
        "https://api.rokt.com",
        "https://api.rokt.example:8443/x",
        "http://localhost:1",
        "http://127.0.0.2",
        "http://[::1]:8080",
    ],
)
def test_an_api_address_is_https_or_loopback(url: str) -> None:
    assert read_settings(api_url=url + "/").api_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.rokt.com",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://10.0.0.1",
        "http://0.0.0.0",
    ],
)
def test_the_api_key_never_travels_in_the_clear(url: str) -> None:
    assert problems(api_url=url) == (
        "ROKT_BFF_API_URL must be https: the API key is sent with every call.",
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.rokt.com",
        "ftp://api.rokt.com",
        "https://",
        "https://[::1",
        "https://x:99999",
        "https://u:p@x",
        "https://:p@x",
        "https://x?a",
        "https://x#a",
        "https://a b",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    assert problems(api_url=url) == (
        "ROKT_BFF_API_URL must be an address such as https://api.rokt.com.",
    )


@pytest.mark.parametrize("url", ["sqlite:////tmp/a.db", "postgresql://u:p@h/db", ""])
def test_a_database_is_a_file_or_postgresql(url: str) -> None:
    assert read_settings(database_url=url).database_url == url


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://h/db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "postgresql://u:pass-@h:word@h/db",
    ],
)
def test_a_database_that_could_lose_or_not_hold_orders_is_refused(url: str) -> None:
    (problem,) = problems(database_url=url)
    assert problem.startswith("ROKT_BFF_DATABASE_URL must ")
    assert "word" not in problem


@pytest.mark.parametrize(
    "url",
    [
        "memory://",
        "redis://h:6379/0",
        "redis://:word@h",
        "rediss://u:word@h:6380/1",
        "redis+unix:///run/redis.sock",
    ],
)
def test_limits_are_counted_in_memory_or_in_redis(url: str) -> None:
    assert read_settings(rate_limit_storage=url).rate_limit_storage == url


@pytest.mark.parametrize(
    "url",
    ["", "memory", "nonsense://:word@h", "redis://", "redis://:word@h:port", "memcached://h:11211"],
)
def test_limits_that_nobody_could_count_are_refused_without_their_password(url: str) -> None:
    assert problems(rate_limit_storage=url, max_lines=0) == (
        "ROKT_BFF_MAX_LINES must be a whole number from 1 to 1000000000.",
        "ROKT_BFF_RATE_LIMIT_STORAGE must be memory:// or a Redis URL such as redis://host:6379/0.",
    )


def test_redis_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "find_spec", lambda _: None)
    (problem,) = problems(rate_limit_storage="redis://:word@h")
    assert problem == "ROKT_BFF_RATE_LIMIT_STORAGE needs redis: pip install 'rokt-bff[redis]'."


@pytest.mark.parametrize("origin", ["https://shop.example", "http://localhost:5000", ""])
def test_our_own_address_is_an_origin(origin: str) -> None:
    assert read_settings(public_url=origin).public_url == origin


@pytest.mark.parametrize("url", ["https://shop.example/", "shop.example", "https://shop.example/a"])
def test_our_own_address_is_nothing_but_an_origin(url: str) -> None:
    (problem,) = problems(public_url=url)
    assert problem.startswith("ROKT_BFF_PUBLIC_URL must be an exact origin")


@pytest.mark.parametrize("proxy", ["10.0.0.1", "::1", "*", ""])
def test_a_proxy_is_an_address_or_any(proxy: str) -> None:
    assert read_settings(trusted_proxy=proxy).trusted_proxy == proxy


@pytest.mark.parametrize("proxy", ["proxy.example", "10.0.0.0/8", "10.0.0.1, 10.0.0.2"])
def test_what_is_no_address_is_no_proxy(proxy: str) -> None:
    (problem,) = problems(trusted_proxy=proxy)
    assert problem.startswith("ROKT_BFF_TRUSTED_PROXY must be the proxy's IP address")


@pytest.mark.parametrize("path", ["", "/", "rokt", "//rokt", "/a b", "/<x>", "/a?b", "/a//b"])
def test_what_is_no_path_is_no_prefix(path: str) -> None:
    assert problems(url_prefix=path) == ("ROKT_BFF_URL_PREFIX must be a path such as /rokt.",)


def test_a_prefix_loses_its_last_slash() -> None:
    assert read_settings(url_prefix="/api/rokt/").url_prefix == "/api/rokt"


@pytest.mark.parametrize("host", [None, "", "example.org", "localhost.example", "128.0.0.1"])
def test_only_this_machine_is_loopback(host: str | None) -> None:
    assert not is_loopback(host)
