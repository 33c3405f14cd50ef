"""The README's six walks: the code enters the files that it names, in that order."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from bff.cli import rokt
from tests import TOP
from tests.support.emulator_client import Client
from tests.support.shop import Shop, Shopper

CODE = f"{TOP / 'bff'}/"
README = (TOP / "README.md").read_text()
WALKS = {
    name: re.findall(r"`([\w/]+\.py)`", files)
    for name, files in re.findall(r"^\| ([^|]+) \| (`[^|]+ → [^|]+) \|$", README, re.MULTILINE)
}


@contextmanager
def entered() -> Iterator[list[str]]:
    """Yield the files of the package that calls enter, in order, this thread's and new ones'."""
    files: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(CODE):
            files.append(file.removeprefix(CODE))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield files
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def follow(walk: str, files: list[str]) -> None:
    """Check that the files of a walk were entered one after another."""
    left = iter(files)
    missed = [file for file in WALKS[walk] if file not in left]
    assert missed == [], f"{walk}: the code enters {list(dict.fromkeys(files))}"


def test_a_cart_update(shopper: Shopper) -> None:
    with entered() as files:
        shopper.add()
    follow("a cart update", files)


def test_reserve(shopper: Shopper) -> None:
    shopper.add()
    with entered() as files:
        shopper.reserve()
    follow("reserve", files)


def test_confirm(shopper: Shopper) -> None:
    shopper.add()
    shopper.reserve()
    with entered() as files:
        assert shopper.pay()["status"] == "confirmed"
    follow("confirm", files)


def test_delivery_of_an_owed_call(shop: Shop, shopper: Shopper, emulator: Client) -> None:
    shopper.add()
    shopper.reserve()
    emulator.faults("confirm", {"kind": "status", "status": 503})
    assert shopper.pay()["status"] == "confirming"
    shop.move_clocks(5)
    with entered() as files:
        done = shop.app.test_cli_runner().invoke(rokt, ["deliver", "--once"])
    assert done.exit_code == 0, done.output
    follow("delivery of an owed call", files)


def test_settings_and_start(make_shop: Callable[..., Shop]) -> None:
    with entered() as files:
        make_shop()
    follow("settings and start", files)


def test_a_wrong_field(shopper: Shopper) -> None:
    item = {**shopper.item(), "quantity": "two"}
    with entered() as files:
        refused = shopper.post("/cart/updates", {"updatedItem": item, "oldItem": None})
    assert refused.status_code == 422, refused.text
    follow("a wrong field → 422", files)


def test_each_walk_is_walked_here() -> None:
    assert len(WALKS) == 6
