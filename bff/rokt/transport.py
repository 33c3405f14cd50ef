"""An HTTP client with a limit on the time of the whole call and on the size of the response.

``requests`` limits the wait for the *next* byte. A server that sends one byte a second could hold
a shopper for ever. So a timer shuts the call's socket at the limit. It starts before a proxy
connects and TLS begins; before that, ``bff.rokt.connect`` keeps the limit. The body is read in
pieces up to a size, both compressed and decompressed.

Redirects are not followed, cookies are not kept, and ``.netrc`` is not read. Nothing is sent again:
only the outbox repeats a POST. Certificates are always verified, by the authorities of ``certifi``
or of ``REQUESTS_CA_BUNDLE``. Proxies of the environment are used, except for a server on this
machine: its calls are not encrypted, and no proxy can reach it.
"""

from __future__ import annotations

import os
import socket
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as TookTooLong

from bff.config.addresses import is_loopback
from bff.rokt.connect import dial
from bff.rokt.outcomes import Cause

# Rokt's responses have a few kilobytes. A megabyte would be a mistake or an attack.
MAX_RESPONSE = 1 << 20

_TOO_LATE = (Cause.TIMEOUT, "time limit reached")

_LOST = (Cause.BROKEN, "the connection broke")

_LATE = (requests.Timeout, TookTooLong, TimeoutError)

# ``requests`` takes an empty address for one that is set, before those of the environment.
_NO_PROXIES = {"http": "", "https": "", "all": ""}

# The number that tells zlib to recognise gzip and zlib by the first bytes.
_COMPRESSED = {"gzip": 47, "x-gzip": 47, "deflate": 47}


class NeverConnected(Exception):
    """No request was sent: Rokt has surely not seen the call."""


class Broken(Exception):
    """The request was sent, and no whole response came. ``cause`` says why."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response: status, decompressed body, and the headers ``Retry-After`` and ``Date``."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None = field(repr=False)
    date: str | None = field(repr=False)


class Transport:
    """POSTs bytes. Safe to use from many threads: each has its own connections."""

    def __init__(self, *, connect_timeout: float) -> None:
        self._connect_timeout = connect_timeout
        self._local = threading.local()

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str], limit: float) -> Response:
        """Send a POST and return the whole response, within ``limit`` seconds.

        Raises:
            NeverConnected: No request was sent.
            Broken: The request was sent, and no whole response came. The texts of both errors
                repeat neither headers nor body.
        """
        with _Timer(limit) as timer:
            try:
                with self._session().post(
                    url,
                    data=body,
                    headers={"Accept-Encoding": "identity", **headers},
                    timeout=(min(self._connect_timeout, limit), limit),
                    allow_redirects=False,
                    proxies=dict(_NO_PROXIES) if is_loopback(urlsplit(url).hostname) else None,
                    stream=True,
                ) as response:
                    content = _read(response)
                    if timer.ended:
                        raise Broken(*_TOO_LATE)
                    return Response(
                        status=response.status_code,
                        body=content,
                        retry_after=response.headers.get("Retry-After"),
                        date=response.headers.get("Date"),
                    )
            except (requests.RequestException, HTTPError, OSError) as error:
                late = timer.ended or isinstance(error, _LATE)  # either may be first to notice
                if not timer.sent:
                    raise NeverConnected(_why_not(error, late=late)) from None
                raise Broken(*(_TOO_LATE if late else _LOST)) from None

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.auth = _no_auth  # else a .netrc could add credentials
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            session.mount("https://", _Adapter())
            session.mount("http://", _Adapter())
            self._local.session = session
        return session


def _read(response: requests.Response) -> bytes:
    """Read the body up to ``MAX_RESPONSE``; one that is shorter than announced is an error.

    It is decompressed here, because a few kilobytes can hold gigabytes.
    """
    pieces: list[bytes] = []
    size = 0
    for piece in response.raw.stream(65536, decode_content=False):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_RESPONSE:
            raise Broken(Cause.UNREADABLE, "the response is too large")
    body = b"".join(pieces)
    bits = _COMPRESSED.get(response.headers.get("Content-Encoding", "").strip().lower())
    if bits is None or not body:
        return body
    decompressor = zlib.decompressobj(bits)
    try:
        body = decompressor.decompress(body, MAX_RESPONSE + 1)
    except zlib.error:
        raise Broken(Cause.UNREADABLE, "the response cannot be decompressed") from None
    if len(body) > MAX_RESPONSE:
        raise Broken(Cause.UNREADABLE, "the response is too large")
    if not decompressor.eof:
        raise Broken(Cause.UNREADABLE, "the response is cut short")
    return body


def _why_not(error: BaseException, *, late: bool) -> str:
    if late:
        return "could not connect in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "could not connect: no TLS, or no certificate that is trusted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "could not connect through the proxy"
    return "could not connect"


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


_current = threading.local()


class _Timer:
    """Shuts the sockets of this thread's call at its limit; knows whether a request was sent."""

    def __init__(self, limit: float) -> None:
        self.ended = False
        self.sent = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(limit, self._end)
        self._timer.daemon = True

    @staticmethod
    def current() -> _Timer | None:
        """Return the timer of this thread's call."""
        return getattr(_current, "timer", None)

    def __enter__(self) -> _Timer:
        _current.timer = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        _current.timer = None
        self._timer.cancel()
        with self._lock:
            for sock in self._sockets:
                sock.close()
            self._sockets.clear()

    def watch(self, sock: socket.socket) -> None:
        """Watch a connection by a second handle, because TLS replaces the first."""
        own = socket.socket(fileno=os.dup(sock.fileno()))
        with self._lock:
            self._sockets.append(own)
            if self.ended:
                _shut(own)

    def _end(self) -> None:
        with self._lock:
            self.ended = True
            for sock in self._sockets:
                _shut(sock)


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


class _Connection(HTTPConnection):
    """Names its socket to the timer of the running call, a new one or one from the pool."""

    def _new_conn(self) -> socket.socket:
        # This runs before a proxy connects and before TLS begins.
        timer = _Timer.current()
        try:
            sock = dial(self._dns_host, self.port, self.timeout or 0.0, self.socket_options)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except OSError as error:
            raise NewConnectionError(self, "no connection") from error
        if timer is not None:
            timer.watch(sock)
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        timer = _Timer.current()
        if self.sock is None:
            self.connect()
        elif timer is not None:
            timer.watch(self.sock)
        if timer is not None:
            timer.sent = True
        super().request(*args, **kwargs)


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    """``requests``' adapter with our connections, also through a proxy."""

    def __init__(self) -> None:
        super().__init__(max_retries=0, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if not proxy.lower().startswith(("http://", "https://")):
            # A SOCKS proxy has connections of its own, which no timer would watch.
            raise requests.exceptions.ProxyError("the proxy is not an HTTP proxy")
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
