"""How often: updates of one session, and what one client may cost us, by its address.

Counted are a browser's calls over HTTP. A shop's own verbs and a partner's server are not: they
are no strangers. Counters are this process's, or in Redis for several servers; when Redis is out of
reach, this process counts for itself, since a checkout must not wait for a counter.
"""

from __future__ import annotations

import logging
import math
import time
from ipaddress import IPv6Address, ip_address
from typing import Any

from flask import Request
from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from bff.config.settings import Settings
from bff.errors import RateLimited
from bff.store.handles import hash_handle

# An update takes milliseconds; so must its counters.
REDIS_SECONDS = 0.5


# While Redis is away, no request but one in so many seconds waits for it.
AWAY_SECONDS = 5.0


log = logging.getLogger(__name__)


class Limits:
    """The limits of one app. Safe to use from many threads."""

    def __init__(self, settings: Settings) -> None:
        self._trusts_proxy = bool(settings.trusted_proxy)
        self._session_updates = RateLimitItemPerSecond(settings.updates_per_second)
        self._updates = RateLimitItemPerSecond(settings.updates_per_second_client)
        self._sessions = RateLimitItemPerMinute(settings.sessions_per_minute)
        self._calls = RateLimitItemPerMinute(settings.calls_per_minute)
        self._counters = _Counters(settings.rate_limit_storage)
        self._told = False

    def count_update(self, request: Request, handle: str | None) -> None:
        """Count an update. Raises ``RateLimited`` when there were too many."""
        if handle is not None:
            self._count(self._session_updates, "Too many updates.", "session", hash_handle(handle))
        self._count_client(self._updates, request, "updates")

    def count_session(self, request: Request) -> None:
        """Count a session that is about to be started. Raises ``RateLimited``."""
        self._count_client(self._sessions, request, "sessions")

    def count_call(self, request: Request) -> None:
        """Count a request that may call Rokt. Raises ``RateLimited``."""
        self._count_client(self._calls, request, "calls")

    def _count_client(self, limit: RateLimitItem, request: Request, what: str) -> None:
        client = client_of(request, trusts_proxy=self._trusts_proxy)
        if client is not None:
            self._count(limit, f"Too many {what} from this address.", what, client)
        elif not self._told:
            self._told = True
            log.warning(
                "all calls come from the proxy at %s, so nothing is limited by client: set "
                "ROKT_BFF_TRUSTED_PROXY for rokt-bff, or werkzeug's ProxyFix in a Flask shop",
                request.remote_addr or "a socket",
            )

    def _count(self, limit: RateLimitItem, text: str, *key: str) -> None:
        wait = self._counters.hit(limit, *key)
        if wait is not None:
            raise RateLimited(text, retry_after=max(1, math.ceil(wait)))


def client_of(request: Request, *, trusts_proxy: bool = False) -> str | None:
    """Name the client of a request, None when only the proxy before it is known.

    Counting everybody as that proxy would shut all shoppers out at once. An address of version 6
    is its network of 64 bits: so much belongs to every customer.
    """
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return None  # a socket: whoever is behind it
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
    """Counts in Redis, or in this process, or there while Redis is away."""

    def __init__(self, url: str) -> None:
        self._own = MovingWindowRateLimiter(MemoryStorage())
        is_shared = not url.startswith("memory:")
        self._shared = MovingWindowRateLimiter(_redis(url)) if is_shared else None
        self._away_until: float | None = None

    def hit(self, limit: RateLimitItem, *key: str) -> float | None:
        """Count one. Returns the seconds until there is room when there is none now."""
        shared = self._shared
        if shared is None or (self._away_until or 0) > time.monotonic():
            return _hit(self._own, limit, *key)
        try:
            wait = _hit(shared, limit, *key)
        except StorageError as error:
            if self._away_until is None:
                # Not the error's text, which may have the address and its password.
                reason = type(error.storage_error).__name__
                log.warning("Redis cannot count (%s): this process counts for itself", reason)
            self._away_until = time.monotonic() + AWAY_SECONDS
            return _hit(self._own, limit, *key)
        if self._away_until is not None:
            self._away_until = None
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
