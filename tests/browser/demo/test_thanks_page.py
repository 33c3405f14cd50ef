"""The demo's thanks page: one more thing, bought with one press, as the shop's server decides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from bff.demo.shop import thanks
from bff.demo.shop.card import ONCE_CARD
from tests.support.demo_pages import PHONE, add, pay, to_extras, to_payment, total
from tests.support.demo_shop import GOOD_CARD, Demo, bought, running_demo

pytestmark = pytest.mark.browser

POSTER = "poster.evening"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture
def demo(running: Demo) -> Demo:
    running.rokt.reset()
    return running


@pytest.fixture
def shop(demo: Demo, page: Page) -> Iterator[Page]:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(demo.url)
    yield page
    assert not errors


def paid(page: Page, card: str = GOOD_CARD["number"], *, parking: bool = False) -> Locator:
    """Buy tickets; give the placement of the thanks page, once it is drawn."""
    to_extras(page)
    if parking:
        add(page)
        expect(total(page)).to_have_text("$140.50")
    to_payment(page)
    pay(page, card)
    expect(page.get_by_role("heading", name="One more thing")).to_be_visible()
    return page.locator("#more")


def press(placement: Locator) -> None:
    placement.get_by_role("button", name="Buy for $18.00").click()


def test_one_press_is_reserved_charged_and_confirmed_once(demo: Demo, shop: Page) -> None:
    placement = paid(shop, parking=True)
    reserves, confirms = len(demo.calls("reserve")), len(demo.calls("confirm"))
    expect(shop.locator("#more")).to_contain_text("the card ending in 4242")
    press(placement)
    expect(placement).to_contain_text("Bought. Confirmation QS-")
    expect(total(shop)).to_have_text("$158.50")
    extras = shop.locator("#order-extras")
    expect(extras).to_contain_text("Evening parking")
    expect(extras).to_contain_text("Concert poster")
    expect(extras.get_by_text("Confirmed", exact=True)).to_have_count(2)
    assert len(demo.calls("reserve")) == reserves + 1
    assert len(demo.calls("confirm")) == confirms + 1
    confirm = demo.calls("confirm")[-1]["body"]
    [sold] = confirm["items"]
    assert (sold["catalogItemId"], sold["quantity"], sold["unitPrice"]) == (POSTER, 1, 18.0)
    expect(placement).to_contain_text(confirm["orderId"])
    assert confirm["orderId"] not in shop.url, "an order of its own"
    sequence = shop.locator("#sequence")
    for words in (
        "the shopper bought an offer with one press",
        "An instant purchase has a cart of its own",
        "The shop charges $18.00 to the same card, once.",
        "It was bought.",
    ):
        expect(sequence).to_contain_text(words)
    shop.reload()
    expect(total(shop)).to_have_text("$158.50")
    expect(placement).to_have_count(0)  # it has been offered
    shop.goto(f"{demo.url}/thanks/{confirm['orderId']}")
    expect(total(shop)).to_have_text("$158.50")
    shop.get_by_role("link", name="Cancel Concert poster").click()
    shop.get_by_role("button", name="Yes, cancel it").click()
    expect(shop.get_by_text("Canceled", exact=True)).to_be_visible()
    expect(total(shop)).to_have_text("$140.50")


def test_a_card_that_cannot_be_charged_again_buys_nothing(demo: Demo, shop: Page) -> None:
    placement = paid(shop, ONCE_CARD)
    before = demo.rokt.stock(POSTER)
    for button in ("Buy for $18.00", "Try again"):
        placement.get_by_role("button", name=button).click()
        expect(shop.get_by_role("alert")).to_contain_text("declined another charge")
        expect(placement).to_contain_text("That did not work.")
    expect(total(shop)).to_have_text("$128.00")
    assert demo.calls("confirm") == []
    assert len(demo.calls("release")) == 2
    assert demo.rokt.stock(POSTER) == before
    expect(shop.locator("#sequence")).to_contain_text("not bought (declined)")


@pytest.mark.parametrize(
    ("fault", "change", "said"),
    [
        ("no_stock", {}, "Somebody else took the last one. You were not charged."),
        ("", {"unitPrice": 21.0}, "The price has just gone up"),
        ("drop", {}, "That could not be bought just now. You were not charged."),
    ],
)
def test_what_cannot_be_had_by_then_is_said_and_not_charged(
    demo: Demo, shop: Page, fault: str, change: dict[str, Any], said: str
) -> None:
    placement = paid(shop)
    if fault:
        demo.rokt.faults("reserve", {"kind": fault, "times": None})
    demo.rokt.put("catalog", {"items": [{"catalogItemId": POSTER, **change}]})
    press(placement)
    expect(shop.get_by_role("alert")).to_contain_text(said)
    is_gone = fault == "no_stock"
    expect(placement.get_by_role("button", name="Try again")).to_have_count(0 if is_gone else 1)
    expect(total(shop)).to_have_text("$128.00")
    assert demo.calls("confirm") == []


@pytest.mark.parametrize(
    ("fault", "first", "then", "sum_"),
    [
        ({"kind": "drop"}, "Being confirmed", "Confirmed", "$146.00"),
        ({"kind": "status", "status": 409}, "", "Not available after all", "$128.00"),
    ],
)
def test_how_it_ends_shows_itself_in_the_order_beside_the_placement(
    demo: Demo, shop: Page, fault: dict[str, Any], first: str, then: str, sum_: str
) -> None:
    placement = paid(shop)
    shop.evaluate("() => { window.isKept = true; }")
    demo.rokt.faults("confirm", {**fault, "times": 1})
    press(placement)
    expect(placement).to_contain_text("Bought." if first else "That did not work.")
    extras = shop.locator("#order-extras")
    if first:
        expect(extras.get_by_text(first, exact=True)).to_be_visible()
    else:
        expect(shop.get_by_role("alert")).to_contain_text("goes back to your card")
    expect(extras.get_by_text(then, exact=True)).to_be_visible()
    expect(total(shop)).to_have_text(sum_)
    assert shop.evaluate("window.isKept"), "the page was not loaded anew"


def test_an_answer_that_is_lost_on_its_way_is_asked_for_again_and_charged_once(
    demo: Demo, shop: Page
) -> None:
    placement = paid(shop)
    lost: list[Any] = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch())
        route.abort()

    shop.route("**/buy", lose)
    press(placement)
    expect(placement).to_contain_text("Bought. Confirmation QS-")
    expect(total(shop)).to_have_text("$146.00")
    assert lost[0].json()["success"]
    assert len(demo.calls("confirm")) == 1


def test_what_is_sold_out_already_is_shown_so(demo: Demo, shop: Page) -> None:
    demo.rokt.put("catalog", {"items": [{"catalogItemId": POSTER, "stock": 0}]})
    placement = paid(shop)
    expect(placement).to_contain_text("Sold out")
    expect(placement.get_by_role("button", name="Buy")).to_have_count(0)


def test_closing_it_leaves_the_page_as_it_was(shop: Page) -> None:
    placement = paid(shop)
    shop.get_by_role("button", name="Close offers").click()
    expect(placement).to_be_hidden()
    expect(shop.get_by_role("main")).to_be_focused()


def test_without_the_sdk_or_without_offers_nothing_of_it_is_seen(demo: Demo, shop: Page) -> None:
    placement = paid(shop)
    demo.rokt.put("catalog", {"items": [], "placements": False})
    with shop.expect_response("**/_emulator/offers*") as offers:
        shop.reload()
    assert offers.value.json()["offers"] == []
    expect(placement).to_be_hidden()
    shop.route("**/rokt-stand-in.js", lambda route: route.abort())
    with shop.expect_event("requestfailed", lambda asked: "rokt-stand-in" in asked.url):
        shop.reload()
    expect(placement).to_be_hidden()
    expect(shop.get_by_role("heading", level=1)).to_have_text("See you at the quay")


def test_without_javascript_the_page_is_whole_and_offers_nothing(
    demo: Demo, browser: Browser
) -> None:
    shopper = demo.shopper()
    bought(shopper)
    context = browser.new_context(viewport=PHONE, locale="en-US", java_script_enabled=False)
    for cookie in shopper.http.cookies:
        context.add_cookies([{"name": cookie.name, "value": cookie.value or "", "url": demo.url}])
    page = context.new_page()
    page.goto(f"{demo.url}/{shopper.page.path}")
    expect(page.get_by_text("Confirmed", exact=True)).to_be_visible()
    expect(page.get_by_text("What you buy here")).to_be_hidden()
    expect(total(page)).to_have_text("$140.50")
    context.close()
    shopper.close()


def test_the_shop_alone_says_who_may_buy_and_until_when(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper, other = demo.shopper(), demo.shopper()
    bought(shopper)
    order = shopper.page.path.removeprefix("thanks/")
    headers = {"Rokt-Bff": "1", "Sec-Fetch-Site": "same-origin"}
    [offer] = demo.rokt.control("GET", f"offers?items={POSTER}").json()["offers"]
    item = {name: offer[name] for name in ("cartItemId", "catalogItemId", "name", "unitPrice")}
    item |= {"description": "", "currency": "USD", "quantity": 1, "totalPrice": 18.0}
    body = {"upsellItems": [item], "totalUpsellPrice": 18.0, "currency": "USD"}

    def buy(by: Any, number: int, **more: str) -> Any:
        purchase = {**body, "purchaseId": f"00000000-0000-4000-8000-{number:012}"}
        url = f"{demo.url}/orders/{order}/buy"
        return by.http.post(url, json=purchase, headers={**headers, **more}, timeout=60)

    assert buy(other, 1).status_code == 404
    assert buy(shopper, 2, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    monkeypatch.setattr(thanks, "PURCHASE_LIMIT", timedelta(0))
    assert buy(shopper, 3).json()["reason"] == "declined"
    assert "rokt-launcher" not in shopper.get(f"/thanks/{order}").html
    monkeypatch.undo()
    assert len(demo.calls("confirm")) == 1
    first, second = buy(shopper, 4).json(), buy(shopper, 4).json()
    assert first["success"]
    assert first["orderConfirmationId"] == second["orderConfirmationId"]
    assert len(demo.calls("confirm")) == 2
    shopper.close()
    other.close()
