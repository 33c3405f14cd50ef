"""First updates that know of no session, late and side by side: one session, not two."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from tests.support.shop import Shop, Shopper

FIRST = "rokt_bff_first"


@pytest.fixture
def pages(shop: Shop) -> tuple[Shopper, Shopper]:
    """Two pages of one browser, which has read its cart and holds nothing yet.

    Each has the cookies that the browser had when the page's first request went out.
    """
    one, other = shop.shopper(), shop.shopper()
    one.cart()
    first = one.client.get_cookie(FIRST)
    assert first is not None
    other.client.set_cookie(FIRST, first.value)
    return one, other


def test_an_update_that_is_sent_again_before_its_answer_came_starts_no_second_session(
    pages: tuple[Shopper, Shopper],
) -> None:
    left, following = pages
    following.add()
    following.add("poster.souvenir")
    left.add()  # answered late: its cookie is the one that the browser keeps
    assert left.handle == following.handle
    assert len(left.cart()["items"]) == 2
    assert left.client.get_cookie(FIRST) is None, "a first handle is used once"


def test_two_at_once_start_one(pages: tuple[Shopper, Shopper]) -> None:
    ready = Barrier(2)
    skus = ("parking.standard", "poster.souvenir")

    def act(page: Shopper, sku: str) -> None:
        ready.wait()
        page.add(sku)

    threads = [Thread(target=act, args=one) for one in zip(pages, skus, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one, other = pages
    assert one.handle == other.handle
    assert len(one.cart()["items"]) == 2


def test_a_first_handle_of_a_session_that_has_ended_is_none(
    shop: Shop, pages: tuple[Shopper, Shopper]
) -> None:
    one, other = pages
    one.add()
    shop.clock.move(25 * 3600)
    other.add("poster.souvenir")
    assert other.handle != one.handle
    assert len(other.cart()["items"]) == 1


def test_a_first_handle_that_we_did_not_make_is_none(
    shop: Shop, pages: tuple[Shopper, Shopper]
) -> None:
    one, other = pages
    for value in ("A" * 43, "A" * 43 + ".AAAA", ""):
        stranger = shop.shopper()
        stranger.client.set_cookie(FIRST, value)
        stranger.add()
        assert not value.startswith(stranger.handle)
    one.add()
    kept = one.client.get_cookie("rokt_bff")
    assert kept is not None
    other.client.set_cookie(FIRST, kept.value)  # a session's cookie is not a first handle either
    other.add("poster.souvenir")
    assert other.handle != one.handle


def test_whoever_has_a_session_gets_no_first_handle(shop: Shop, shopper: Shopper) -> None:
    shopper.add()
    shopper.cart()
    assert shopper.client.get_cookie(FIRST) is None
