"""An HTTP client whose calls end at their time limit and at a size, whatever the other side does.

``requests`` limits the wait for the *next* byte; a server that sends one byte a second could
hold a shopper for ever. So a timer shuts the call's socket at the limit, and the body is read
in pieces up to a bound. Redirects are not followed, cookies not kept, and nothing is repeated:
the outbox alone repeats a POST. Certificates are always verified; proxies of the environment
are honoured.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

# Rokt's answers are a few kilobytes. A megabyte would be a mistake or an attack.
MAX_ANSWER = 1 << 20


class NeverConnected(Exception):
    """No connection was made: the other side surely knows nothing of the call."""


class Broken(Exception):
    """The call ended without a whole answer: a time limit, a lost connection, too much."""


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
                    headers=dict(headers),
                    timeout=(min(self._connect_timeout, limit), limit),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    answer = _read(response)
                    if timer.ended:
                        raise Broken("time limit reached")
                    return Reply(
                        status=response.status_code,
                        body=answer,
                        retry_after=response.headers.get("Retry-After"),
                        date=response.headers.get("Date"),
                    )
            except requests.ConnectTimeout:
                raise NeverConnected("could not connect in time") from None
            except (requests.RequestException, HTTPError, OSError) as error:
                if timer.ended or isinstance(error, requests.Timeout):
                    raise Broken("time limit reached") from None
                if _never_connected(error):
                    raise NeverConnected("could not connect") from None
                raise Broken("the connection broke") from None

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
    """Read the body as sent, up to ``MAX_ANSWER``; a shorter one than announced is an error."""
    pieces: list[bytes] = []
    size = 0
    for piece in response.iter_content(65536):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER:
            raise Broken("the answer is too large")
    return b"".join(pieces)


def _never_connected(error: BaseException) -> bool:
    """Look in the causes for a connection that was refused or never made."""
    text = repr(error)
    return any(
        name in text
        for name in ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError")
    )


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Timer:
    """Shuts the sockets of one call when its time is up."""

    def __init__(self, limit: float) -> None:
        self.ended = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(limit, self._end)
        self._timer.daemon = True

    def start(self) -> None:
        self._timer.start()

    def stop(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._sockets.clear()

    def watch(self, sock: socket.socket | None) -> None:
        with self._lock:
            if sock is not None and not self.ended:
                self._sockets.append(sock)
                return
        if sock is not None:
            _shut(sock)

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


def _watch(sock: Any) -> None:
    timer: _Timer | None = getattr(_current, "timer", None)
    if timer is not None:
        timer.watch(sock)


class _Connection(HTTPConnection):
    """Tells the running call's timer which socket it uses, a new one or one from the pool."""

    def connect(self) -> None:
        super().connect()
        _watch(self.sock)

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        _watch(self.sock)
        super().putrequest(*args, **kwargs)


class _SecureConnection(HTTPSConnection):
    """The same over TLS."""

    def connect(self) -> None:
        super().connect()
        _watch(self.sock)

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        _watch(self.sock)
        super().putrequest(*args, **kwargs)


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
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
