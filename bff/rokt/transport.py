"""An HTTP client whose calls end at their time limit and at a size, whatever the other side does.

``requests`` limits the wait for the *next* byte; a server that sends one byte a second could
hold a shopper for ever. So a timer shuts the call's socket at the limit, from the moment that
there is one: while a proxy connects and TLS begins, too. (Before that ``bff.dialling`` keeps the
time.) The body is read in pieces up to a bound, packed and unpacked.

Redirects are not followed, cookies not kept, no ``.netrc`` read, and nothing is repeated: the
outbox alone repeats a POST. Certificates are always verified, by the authorities of ``certifi``
or of ``REQUESTS_CA_BUNDLE``. Proxies of the environment are honoured, but not for a server on
this machine: its calls are not encrypted, and no proxy can reach it.
"""

from __future__ import annotations

import os
import socket
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

# Rokt's answers are a few kilobytes. A megabyte would be a mistake or an attack.
MAX_ANSWER = 1 << 20


_TOO_LATE = (Cause.TIMEOUT, "time limit reached")


_LOST = (Cause.BROKEN, "the connection broke")


_LATE = (requests.Timeout, TookTooLong, TimeoutError)


# For ``requests``, an empty one is there and so goes before those of the environment.
_NO_PROXIES = {"http": "", "https": "", "all": ""}


# What zlib takes for: gzip or zlib, as the first bytes say.
_PACKED = {"gzip": 47, "x-gzip": 47, "deflate": 47}


class NeverConnected(Exception):
    """No request was sent: Rokt has surely not seen the call."""


class Broken(Exception):
    """The request was sent, and no whole response came. ``cause`` says why."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; ``retry_after`` and ``date`` are the headers' texts."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None = field(repr=False)
    date: str | None = field(repr=False)


class Transport:
    """POSTs bytes. Safe to use from many threads: each has its own connections."""

    def __init__(self, *, connect_timeout: float) -> None:
        self._connect_timeout = connect_timeout
        self._local = threading.local()

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str], limit: float) -> Reply:
        """Send and return the whole answer, within ``limit`` seconds in all.

        Raises ``NeverConnected`` or ``Broken``, with texts that name no header and no body.
        """
        with _deadline(limit) as timer:
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
                    answer = _read(response)
                    if timer.ended:
                        raise Broken(*_TOO_LATE)
                    return Reply(
                        status=response.status_code,
                        body=answer,
                        retry_after=response.headers.get("Retry-After"),
                        date=response.headers.get("Date"),
                    )
            except (requests.RequestException, HTTPError, OSError) as error:
                late = timer.ended or isinstance(error, _LATE)  # whichever was first to see it
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
    """Read the body, up to ``MAX_ANSWER``; a shorter one than announced is an error.

    Unpacked here, since a few kilobytes can be packed gigabytes; and only where the other side
    packs unasked.
    """
    pieces: list[bytes] = []
    size = 0
    for piece in response.raw.stream(65536, decode_content=False):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER:
            raise Broken(Cause.UNREADABLE, "the answer is too large")
    body = b"".join(pieces)
    bits = _PACKED.get(response.headers.get("Content-Encoding", "").strip().lower())
    if bits is None or not body:
        return body
    unpacking = zlib.decompressobj(bits)
    try:
        body = unpacking.decompress(body, MAX_ANSWER + 1)
    except zlib.error:
        raise Broken(Cause.UNREADABLE, "the answer cannot be unpacked") from None
    if len(body) > MAX_ANSWER:
        raise Broken(Cause.UNREADABLE, "the answer is too large")
    if not unpacking.eof:
        raise Broken(Cause.UNREADABLE, "the answer is cut short")
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


class _Timer:
    """Shuts the sockets of one call when its time is up; knows whether its request went out."""

    def __init__(self, limit: float) -> None:
        self.ended = False
        self.sent = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(limit, self._end)
        self._timer.daemon = True

    def start(self) -> None:
        self._timer.start()

    def stop(self) -> None:
        self._timer.cancel()
        with self._lock:
            for sock in self._sockets:
                sock.close()
            self._sockets.clear()

    def watch(self, sock: socket.socket) -> None:
        """Watch a connection, by a second handle of it: TLS takes the first away."""
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
        return  # it is closed already, which is what was wanted


_current = threading.local()


@contextmanager
def _deadline(limit: float) -> Iterator[_Timer]:
    timer = _Timer(limit)
    _current.timer = timer
    timer.start()
    try:
        yield timer
    finally:
        timer.stop()
        _current.timer = None


def _timer() -> _Timer | None:
    return getattr(_current, "timer", None)


class _Watched(HTTPConnection):
    """Tells the running call's timer which connection it uses, a new one or one from the pool."""

    def _new_conn(self) -> socket.socket:
        # Before a proxy is asked to connect, and before TLS.
        timer = _timer()
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
        timer = _timer()
        if self.sock is None:
            self.connect()
        elif timer is not None:
            timer.watch(self.sock)
        if timer is not None:
            timer.sent = True
        super().request(*args, **kwargs)


class _Connection(_Watched):
    pass


class _SecureConnection(_Watched, HTTPSConnection):
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
            raise requests.exceptions.ProxyError("no proxy of HTTP")
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
