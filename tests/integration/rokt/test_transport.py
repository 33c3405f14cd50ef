"""The way to Rokt: certificates, proxies and what else a machine has set up, with real servers."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from bff.rokt.outcomes import Cause, Done, NotSent, Unknown
from tests.support.api_client import (
    AMPLE,
    CALL,
    KEY,
    PROXIES,
    ROKT,
    SOON,
    Serve,
    answer,
    client,
    timed,
)
from tests.support.raw_server import ANSWER, RawServer, raw_server


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "requests_ca_bundle", "curl_ca_bundle", "netrc"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def no_log_has_a_secret(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    for secret in (KEY, "proxy-password", "netrc-password"):
        assert secret not in caplog.text


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with authority.cert_pem.tempfile() as bundle:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
        yield


def secure(certificate: trustme.LeafCert, serve: Serve = answer) -> Serve:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    def served(server: RawServer, connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            serve(server, wrapped)

    return served


def https(server: RawServer, host: str = "127.0.0.1") -> str:
    return f"https://{host}:{server.url.rpartition(':')[2]}"


# --- certificates ---


@pytest.mark.usefixtures("trusted")
def test_a_server_whose_authority_the_environment_names_is_spoken_to(
    authority: trustme.CA,
) -> None:
    with raw_server(secure(authority.issue_cert("127.0.0.1"))) as server:
        api = client(https(server))
        assert isinstance(api.send(CALL, limit=AMPLE), Done)
        assert isinstance(api.send(CALL, limit=AMPLE), Done)
        api._transport._session().close()
        assert server.connections == 1  # the second call used the same
        assert KEY.encode() in server.requests[0]


def test_an_unknown_authority_is_not_told_the_key(authority: trustme.CA) -> None:
    with raw_server(secure(authority.issue_cert("127.0.0.1"))) as server:
        assert client(https(server)).send(CALL, limit=AMPLE) == NotSent(
            Cause.UNREACHABLE, "could not connect: no TLS, or no certificate that is trusted"
        )
    assert (server.connections, server.requests) == (1, [])


def another_name(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("another.test")


def too_old(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1))


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("made", [another_name, too_old])
def test_a_trusted_authority_alone_is_not_enough(
    made: Callable[[trustme.CA], trustme.LeafCert], authority: trustme.CA
) -> None:
    with raw_server(secure(made(authority))) as server:
        outcome = client(https(server)).send(CALL, limit=AMPLE)
    assert isinstance(outcome, NotSent), outcome
    assert (server.connections, server.requests) == (1, [])


def test_a_server_that_speaks_no_tls_is_told_nothing() -> None:
    def serve(server: RawServer, connection: socket.socket) -> None:
        server.requests.append(connection.recv(65536))
        connection.sendall(ANSWER)

    with raw_server(serve) as server:
        outcome = client(https(server)).send(CALL, limit=AMPLE)
    assert isinstance(outcome, NotSent), outcome
    assert KEY.encode() not in server.requests[0]


def test_the_limit_holds_against_a_slow_beginning_of_tls() -> None:
    def serve(server: RawServer, connection: socket.socket) -> None:
        connection.recv(65536)
        # The head of a record of TLS, and the first bytes of it.
        for byte in b"\x16\x03\x03\x40\x00\x02" + bytes(1000):
            if server.stopped.wait(0.05):
                return
            connection.sendall(bytes([byte]))

    with raw_server(serve) as server:
        outcome, spent = timed(client(https(server)))
    assert outcome == NotSent(Cause.UNREACHABLE, "could not connect in time")
    assert spent < SOON


@pytest.mark.usefixtures("trusted")
def test_the_limit_holds_for_a_second_call_of_a_connection(authority: trustme.CA) -> None:
    def serve(server: RawServer, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(ANSWER)
        server.read_request(connection)
        for byte in b"HTTP/1.1 200 OK\r\nX-Wait: " + b"." * 1000:
            if server.stopped.wait(0.05):
                return
            connection.sendall(bytes([byte]))

    with raw_server(secure(authority.issue_cert("127.0.0.1"), serve)) as server:
        api = client(https(server))
        assert isinstance(api.send(CALL, limit=AMPLE), Done)
        outcome, spent = timed(api)
    assert outcome == Unknown(Cause.TIMEOUT, "time limit reached")
    assert (spent < SOON, server.connections) == (True, 1)


# --- proxies ---


def relay(target: str) -> Serve:
    """Be a proxy that connects whomever it is asked for to one server."""
    host, _, port = target.rpartition("://")[2].rpartition(":")

    def serve(server: RawServer, connection: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += connection.recv(65536)
        server.requests.append(asked)
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection((host, int(port))) as other:
            back = threading.Thread(target=pass_on, args=[other, connection])
            back.start()
            pass_on(connection, other)
            back.join()

    return serve


def pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def use_proxy(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def use(url: str) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, url)

    return use


@pytest.mark.usefixtures("trusted")
def test_a_proxy_of_the_environment_passes_on_what_it_cannot_read(
    authority: trustme.CA, use_proxy: Callable[[str], None]
) -> None:
    with (
        raw_server(secure(authority.issue_cert(ROKT))) as server,
        raw_server(relay(server.url)) as proxy,
    ):
        use_proxy(proxy.url.replace("//", "//user:proxy-password@"))
        api = client(f"https://{ROKT}")
        outcome = api.send(CALL, limit=AMPLE)
        api._transport._session().close()
    assert isinstance(outcome, Done), outcome
    (asked,) = proxy.requests
    assert asked.startswith(f"CONNECT {ROKT}:443 HTTP/1.".encode())
    assert b"\r\nProxy-Authorization: Basic " in asked
    assert KEY.encode() not in asked
    (sent,) = server.requests
    assert KEY.encode() in sent
    assert b"Proxy-Authorization" not in sent


def test_a_proxy_that_shows_another_server_is_found_out(
    authority: trustme.CA, use_proxy: Callable[[str], None]
) -> None:
    with (
        raw_server(secure(authority.issue_cert(ROKT))) as server,
        raw_server(relay(server.url)) as proxy,
    ):
        use_proxy(proxy.url)
        outcome = client(f"https://{ROKT}").send(CALL, limit=AMPLE)
    assert isinstance(outcome, NotSent), outcome
    assert (len(proxy.requests), server.requests) == (1, [])


@pytest.mark.parametrize("status", [302, 403, 407, 502])
def test_what_a_proxy_refuses_is_surely_not_sent(
    status: int, use_proxy: Callable[[str], None]
) -> None:
    def serve(server: RawServer, connection: socket.socket) -> None:
        server.requests.append(connection.recv(65536))
        head = f"HTTP/1.1 {status} No\r\nLocation: {server.url}\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(head.encode())

    with raw_server(serve) as proxy:
        use_proxy(proxy.url.replace("//", "//user:proxy-password@"))
        outcome = client(f"https://{ROKT}").send(CALL, limit=AMPLE)
    assert outcome == NotSent(Cause.UNREACHABLE, "could not connect through the proxy")
    assert len(proxy.requests) == 1


def test_a_proxy_of_another_kind_is_not_gone_round(use_proxy: Callable[[str], None]) -> None:
    with raw_server(answer) as proxy:
        use_proxy(proxy.url.replace("http://", "socks5h://"))
        outcome = client(f"https://{ROKT}").send(CALL, limit=AMPLE)
    assert outcome == NotSent(Cause.UNREACHABLE, "could not connect through the proxy")
    assert proxy.connections == 0


def test_a_proxy_that_is_not_there_is_not_gone_round(use_proxy: Callable[[str], None]) -> None:
    with raw_server(answer) as server:
        use_proxy("http://127.0.0.1:9")
        outcome = client(f"https://{ROKT}").send(CALL, limit=AMPLE)
    assert isinstance(outcome, NotSent), outcome
    assert server.connections == 0


def test_the_limit_holds_against_a_proxy_that_drips(use_proxy: Callable[[str], None]) -> None:
    def serve(server: RawServer, connection: socket.socket) -> None:
        connection.recv(65536)
        for byte in b"HTTP/1.1 200 Connection established\r\nX-Wait: " + b"." * 1000:
            if server.stopped.wait(0.05):
                return
            connection.sendall(bytes([byte]))

    with raw_server(serve) as proxy:
        use_proxy(proxy.url)
        outcome, spent = timed(client(f"https://{ROKT}"))
    assert outcome == NotSent(Cause.UNREACHABLE, "could not connect in time")
    assert spent < SOON


def test_no_proxy_comes_between_servers_of_one_machine(use_proxy: Callable[[str], None]) -> None:
    """What goes to loopback is not encrypted: a proxy would read the API key."""
    with raw_server(answer) as proxy, raw_server(answer) as server:
        use_proxy(proxy.url)
        port = server.url.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost"):
            api = client(f"http://{host}:{port}")
            assert isinstance(api.send(CALL, limit=AMPLE), Done), host
            api._transport._session().close()
    assert (proxy.connections, len(server.requests)) == (0, 2)


# --- what else a machine may have set up ---


def test_no_password_of_a_netrc_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".netrc"
    file.write_text("machine 127.0.0.1 login somebody password netrc-password\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))
    with raw_server(answer) as server:
        api = client(server.url)
        assert isinstance(api.send(CALL, limit=AMPLE), Done)
        api._transport._session().close()
    assert b"authorization" not in server.requests[0].lower()
