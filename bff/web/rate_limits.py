"""Limits how many requests a session and a client, by its address, may send.

Only a browser's requests over HTTP are counted. A shop's own verbs and a partner's server are
trusted. The counters are in this process, or in Redis for several servers. While Redis is down this
process counts by itself, since a checkout must not wait for a counter.
"""

from __future__ import annotations

import logging
import math
import time
from enum import StrEnum
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Any

from flask import Request
from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from bff.config.settings import Settings
from bff.errors import RateLimited

# An update takes milliseconds; so must its counters.
REDIS_SECONDS = 0.5

# While Redis is down, one request in this many seconds tries it again.
RETRY_SECONDS = 5.0

log = logging.getLogger(__name__)


class Limit(StrEnum):
    """The requests that are counted for each client: what they cost."""

    UPDATES = "updates"
    SESSIONS = "sessions"  # requests that start one
    CALLS = "calls"  # requests that may call Rokt


class Limits:
    """The limits of one app. Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._trusts_proxy = bool(settings.trusted_proxy)
        self._session_updates = RateLimitItemPerSecond(settings.updates_per_second)
        self._by_client: dict[Limit, RateLimitItem] = {
            Limit.UPDATES: RateLimitItemPerSecond(settings.updates_per_second_client),
            Limit.SESSIONS: RateLimitItemPerMinute(settings.sessions_per_minute),
            Limit.CALLS: RateLimitItemPerMinute(settings.calls_per_minute),
        }
        self._counters = _Counters(settings.rate_limit_storage)
        self._has_warned = False

    def count(self, kind: Limit, request: Request, handle: str | None = None) -> None:
        """Count a request.

        Args:
            kind: The client's limit that the request counts for.
            request: The request, which has the client's address.
            handle: The shopper's handle; updates are counted for each session too.

        Raises:
            RateLimited: There were too many. ``retry_after`` has the seconds to wait.
        """
        if kind is Limit.UPDATES and handle is not None:
            # Redis must not hold a handle.
            session = sha256(handle.encode()).hexdigest()
            self._count(self._session_updates, "Too many updates.", "session", session)
        client = client_of(request, trusts_proxy=self._trusts_proxy)
        if client is not None:
            text = f"Too many {kind} from this address."
            self._count(self._by_client[kind], text, kind, client)
        elif not self._has_warned:
            self._has_warned = True
            log.warning(
                "all requests come from the proxy at %s, so no client is limited: set "
                "ROKT_BFF_TRUSTED_PROXY for rokt-bff, or werkzeug's ProxyFix in a Flask shop",
                request.remote_addr or "a socket",
            )

    def _count(self, limit: RateLimitItem, text: str, *key: str) -> None:
        wait = self._counters.hit(limit, *key)
        if wait is not None:
            raise RateLimited(text, retry_after=max(1, math.ceil(wait)))


def client_of(request: Request, *, trusts_proxy: bool = False) -> str | None:
    """Return the client of a request, None when only the address of a proxy is known.

    Counting all clients as their proxy would lock every shopper out at once. An address of version
    6 counts as its network of 64 bits, because each customer gets a whole one.
    """
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return None  # a Unix socket, behind which there is a proxy
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    is_known = trusts_proxy or "werkzeug.proxy_fix.orig" in request.environ
    if forwarded and not is_known and address.is_private:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return f"{IPv6Address(int(address) >> 64 << 64)}/64"
        address = address.ipv4_mapped
    return str(address)


class _Counters:
    """Counts in this process, or in Redis while it is up."""

    def __init__(self, url: str) -> None:
        self._own = MovingWindowRateLimiter(MemoryStorage())
        is_shared = not url.startswith("memory:")
        self._shared = MovingWindowRateLimiter(_redis(url)) if is_shared else None
        self._down_until: float | None = None

    def hit(self, limit: RateLimitItem, *key: str) -> float | None:
        """Count one request. Returns the seconds to wait when the limit is reached."""
        shared = self._shared
        if shared is None or (self._down_until or 0) > time.monotonic():
            return _hit(self._own, limit, *key)
        try:
            wait = _hit(shared, limit, *key)
        except StorageError as error:
            if self._down_until is None:
                # Without the error's text, which may hold the address and its password.
                reason = type(error.storage_error).__name__
                log.warning("Redis cannot count (%s): this process counts by itself", reason)
            self._down_until = time.monotonic() + RETRY_SECONDS
            return _hit(self._own, limit, *key)
        if self._down_until is not None:
            self._down_until = None
            log.warning("Redis counts again")
        return wait


def _hit(counter: MovingWindowRateLimiter, limit: RateLimitItem, *key: str) -> float | None:
    if counter.hit(limit, *key):
        return None
    return counter.get_window_stats(limit, *key).reset_time - time.time()


def _redis(url: str) -> Any:
    from redis.backoff import NoBackoff  # of the extra "redis"
    from redis.retry import Retry

    options: dict[str, Any] = {
        "wrap_exceptions": True,
        "key_prefix": "rokt-bff",
        "socket_connect_timeout": REDIS_SECONDS,
        "socket_timeout": REDIS_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    return storage_from_string(url, **options)
