"""Names of hosts and their addresses: however slow, a call keeps its time limit."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bff.rokt.outcomes import Cause, Done, NotSent, Outcome
from tests.support.api_client import AMPLE, CALL, LIMIT, PROXIES, ROKT, SOON, answer, client, timed
from tests.support.raw_server import raw_server


@pytest.fixture(autouse=True)
def no_proxy_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def black_hole() -> Iterator[tuple[str, int]]:
    """An address whose connections are never made: the queue of its listener is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.2", 0))
        full.listen(0)
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            waiting.append(one)
        yield full.getsockname()
        for one in waiting:
            one.close()


@pytest.fixture
def name_it(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give a name these addresses."""
    system = socket.getaddrinfo

    def name(host: str, *addresses: tuple[str, int]) -> None:
        def look_up(asked: Any, *args: Any, **more: Any) -> Any:
            if asked != host:
                return system(asked, *args, **more)
            if more.get("flags"):  # is it an address?
                raise socket.gaierror
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", one) for one in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return name


def test_the_limit_holds_for_all_addresses_of_a_name_together(
    black_hole: tuple[str, int], name_it: Callable[..., None]
) -> None:
    name_it(ROKT, *[black_hole] * 64)
    outcome, spent = timed(client(f"http://{ROKT}", connect_timeout=LIMIT))
    assert outcome == NotSent(Cause.UNREACHABLE, "could not connect in time")
    assert spent < SOON


def test_an_address_that_leads_nowhere_leaves_time_for_the_next(
    black_hole: tuple[str, int], name_it: Callable[..., None]
) -> None:
    with raw_server(answer) as server:
        name_it(ROKT, black_hole, ("127.0.0.1", int(server.url.rpartition(":")[2])))
        api = client(f"http://{ROKT}", connect_timeout=2)
        outcome = api.send(CALL, limit=AMPLE)
        api._transport._session().close()
    assert isinstance(outcome, Done), outcome


def test_the_limit_holds_against_a_name_server_that_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system, asked, over = socket.getaddrinfo, [], threading.Event()

    def look_up(host: Any, *args: Any, **more: Any) -> Any:
        if more.get("flags"):
            return system(host, *args, **more)
        asked.append(host)
        over.wait(2 * SOON)
        raise socket.gaierror("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    api = client(f"http://{ROKT}")
    told: list[tuple[Outcome, float]] = []
    callers = [threading.Thread(target=lambda: told.append(timed(api))) for _ in range(5)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    assert asked == [ROKT]  # one question for all who wait
    assert [outcome for outcome, _ in told] == [
        NotSent(Cause.UNREACHABLE, "could not connect in time")
    ] * 5
    assert max(spent for _, spent in told) < SOON
    over.set()
    while len(asked) < 2:  # it is asked anew once the old question has ended
        assert isinstance(timed(api)[0], NotSent)


@pytest.mark.parametrize("name", [f"{'a' * 70}.test", "nobody.invalid"])
def test_a_name_that_is_none_is_surely_not_sent(name: str) -> None:
    outcome = client(f"http://{name}").send(CALL, limit=AMPLE)
    assert isinstance(outcome, NotSent), outcome
