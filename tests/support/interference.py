"""Ways to act at an exact moment: between Rokt's answer to a call and what we make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Any, TypeVar

from flask import Flask

from bff import upsell_call_made
from tests.support.shop import Shop

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone, as by ``kill -9``: nothing catches it."""


def die() -> None:
    raise Killed


@contextmanager
def after_call(shop: Shop, call: str, act: Callable[[], object]) -> Iterator[list[str]]:
    """Act once, after a call of this kind ended and before it is settled; yields what was done."""
    acted: list[str] = []

    def hear(_app: Flask, **told: Any) -> None:
        if told["call"] == call and not acted:
            acted.append(call)
            act()

    with upsell_call_made.connected_to(hear, sender=shop.app):
        yield acted
    assert acted == [call], f"there was no {call}"


def at_once(works: Sequence[Callable[[], T]]) -> list[T]:
    """Run all of these at once, each in its thread, and return their results in order.

    Raises what they raised, all of it together.
    """
    results: dict[int, T] = {}
    errors: list[BaseException] = []

    def run(n: int) -> None:
        try:
            results[n] = works[n]()
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=run, args=[n]) for n in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise BaseExceptionGroup("of what was done at once", errors)
    return [results[n] for n in range(len(works))]
