"""An attacker's script: whatever a browser claims, the quote is what Rokt locked and a shopper saw.

The attacker has the shop's page, its source and a shopper's whole freedom: every header, every
body. After each attempt the emulator's books and the till's must agree, order by order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from bff import upsell_refund_needed
from bff.store.handles import hash_handle
from tests.support.attackers import PARTNER, Browser, Market, market_of
from tests.support.emulator_client import Client
from tests.support.interference import after_call, at_once
from tests.support.shop import SERVER, SERVER_KEY, Shop
from tests.support.summaries import PARKING, POSTER, VIP

MANY = 100_000


@pytest.fixture(scope="module")
def opened(running_emulator: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """One shop for the whole script, with its books from the first attack to the last."""
    running_emulator.reset()
    folder = tmp_path_factory.mktemp("market")
    settings = {"ROKT_BFF_ORIGINS": PARTNER, "ROKT_BFF_UPDATES_PER_SECOND": MANY}
    shop = Shop(running_emulator, folder, settings)
    with market_of(shop) as market:
        refunded = market.till.refunded

        def give_back(_app: Any, order: Any) -> None:
            refunded.add(order.order_id)

        with upsell_refund_needed.connected_to(give_back, sender=shop.app):
            yield market
    shop.close()


@pytest.fixture
def market(opened: Market) -> Iterator[Market]:
    prices = {PARKING: 12.5, POSTER: 15.0, VIP: 20.0}
    stocked = [
        {"catalogItemId": name, "unitPrice": price, "stock": 5000} for name, price in prices.items()
    ]
    opened.shop.emulator.put("catalog", {"items": stocked})
    opened.till.declines = False
    yield opened
    opened.check()


@pytest.fixture
def attacker(market: Market) -> Iterator[Browser]:
    browser = market.browser()
    yield browser
    browser.http.close()


@pytest.fixture
def victim(market: Market) -> Iterator[Browser]:
    """Another shopper, who holds a parking space and a quote for it."""
    browser = market.browser()
    assert browser.tell(browser.item()).status_code == 200
    browser.reserve()
    yield browser
    browser.http.close()


CLAIMS: dict[str, tuple[dict[str, Any], int, dict[str, str]]] = {
    "a cent": ({"unitPrice": 0.01, "totalPrice": 0.01}, 200, {}),
    "nothing": ({"unitPrice": 0, "totalPrice": 0}, 200, {}),
    "a cent less": ({"unitPrice": 12.49, "totalPrice": 12.49}, 200, {}),
    "a total of its own": ({"totalPrice": 0.01}, 422, {}),
    "less than nothing": ({"unitPrice": -12.5, "totalPrice": -12.5}, 422, {}),
    "a price as text": ({"unitPrice": "0.01"}, 422, {}),
    "more than it costs": ({"unitPrice": 99.5, "totalPrice": 99.5}, 200, {"USD": "12.50"}),
    "no total": ({"totalPrice": None}, 200, {"USD": "12.50"}),
    "yen": ({"currency": "JPY", "unitPrice": 13, "totalPrice": 13}, 200, {}),
    "rupiahs": ({"currency": "IDR", "unitPrice": 12.5, "totalPrice": 12.5}, 200, {}),
    "dinars": ({"currency": "KWD", "unitPrice": 12.5, "totalPrice": 12.5}, 200, {}),
    "play money": ({"currency": "XXX"}, 422, {}),
    "fewer than none": ({"quantity": -3, "totalPrice": -37.5}, 422, {}),
    "a half": ({"quantity": 0.5, "totalPrice": 6.25}, 422, {}),
    "too many": ({"quantity": 1000, "totalPrice": 12500.0}, 422, {}),
    "no end of them": ({"quantity": 1e308, "totalPrice": None}, 422, {}),
    "true": ({"quantity": True}, 422, {}),
    "a great many": ({"quantity": 999, "totalPrice": 12487.5}, 200, {"USD": "12487.50"}),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_a_page_claims_of_an_item_does_not_change_its_price(
    attacker: Browser, claim: str
) -> None:
    lie, status, charged = CLAIMS[claim]
    assert attacker.tell(attacker.item() | lie).status_code == status
    assert attacker.pay() == charged


def test_more_than_there_is_is_not_charged(market: Market, attacker: Browser) -> None:
    market.shop.emulator.put("settings", {"rejectionForm": "smaller"})
    market.shop.emulator.put("catalog", {"items": [{"catalogItemId": POSTER, "stock": 3}]})
    attacker.tell(attacker.item(POSTER, 500))
    assert [one["quantity"] for one in attacker.reserve()["items"]] == [3]
    assert attacker.pay() == {"USD": "45.00"}


def test_a_dear_item_under_a_cheap_one_s_name_costs_what_it_is(attacker: Browser) -> None:
    """Rokt knows an item by its cartItemId; a page may call it what it likes."""
    dear = attacker.item(VIP) | {"catalogItemId": PARKING, "unitPrice": 12.5, "totalPrice": 12.5}
    attacker.tell(dear)
    assert attacker.pay() == {}
    attacker.tell(attacker.item(POSTER) | {"catalogItemId": VIP, "name": "VIP parking"})
    assert attacker.pay() == {"USD": "15.00"}  # and a poster is what is fulfilled


def test_another_shopper_s_item_is_theirs(victim: Browser, attacker: Browser) -> None:
    before = victim.cart()
    stolen = victim.item()
    cheap = stolen | {"unitPrice": 0.01, "totalPrice": 0.01}
    for item, old in (
        (stolen | {"quantity": 9, "totalPrice": 112.5}, None),
        (cheap, stolen),
        (attacker.item(POSTER), stolen),  # in its place
        (None, stolen),
        (stolen | {"quantity": 0, "totalPrice": 0}, stolen),
    ):
        attacker.tell(item, old)
        attacker.reserve()
    attacker.send("/rokt/cart/release")
    assert attacker.pay() == {"USD": "15.00"}
    assert victim.cart() == before
    assert victim.pay() == {"USD": "12.50"}


@pytest.mark.parametrize("price", ["0.01", "12.49"])
def test_less_than_is_locked_cannot_be_agreed_to(attacker: Browser, price: str) -> None:
    attacker.tell(attacker.item() | {"unitPrice": 0.01, "totalPrice": 0.01})
    quote = attacker.reserve(parking_standard=price)
    assert quote["items"] == []
    assert attacker.pay() == {}


def test_nobody_agrees_for_somebody_else(
    market: Market, victim: Browser, attacker: Browser
) -> None:
    market.reprice(PARKING, 14.0)
    victim.tell(victim.item(quantity=2))  # locked anew, at a price that they have not seen
    body = {"acceptPrices": {victim.id(): "999"}}
    assert attacker.send("/rokt/cart/reserve", body).status_code == 200
    for origin in ("https://evil.example", PARTNER, "null"):  # a page that the victim has open
        answer = victim.send("/rokt/cart/reserve", body, Origin=origin, Sec_Fetch_Site="cross-site")
        assert answer.status_code == 403
    for typed in ("text/plain", "application/x-www-form-urlencoded"):
        answer = victim.send("/rokt/cart/reserve", body, Content_Type=typed)
        assert answer.status_code == 415
    assert victim.pay() == {}


def test_a_price_is_agreed_to_for_what_was_shown(market: Market, attacker: Browser) -> None:
    market.reprice(PARKING, 14.0)
    attacker.tell(attacker.item())
    assert attacker.reserve(parking_standard="13.99")["items"] == []
    assert attacker.reserve(parking_standard="14.00")["totals"] == {"USD": "14.00"}
    attacker.tell(attacker.item(quantity=4))  # another offer
    assert attacker.reserve()["items"] == []
    assert attacker.pay() == {}


def test_a_quote_is_bought_once(market: Market, attacker: Browser) -> None:
    attacker.tell(attacker.item())
    quote = attacker.reserve()
    assert market.partner_pays(attacker.handle, quote["quoteId"]).status_code == 201
    # By the page: the shop's backend asks first, and finds nothing to charge.
    assert market.partner_pays(attacker.handle, quote["quoteId"]).status_code == 200
    # By a backend that charges without asking: it hears that it must pay back.
    again = market.till.charge({"USD": market.seen[attacker.id()]})
    order = market.order(attacker.handle, quote["quoteId"], again).json()
    assert order["status"] == "refund_needed"
    assert again in market.till.refunded


def test_a_quote_of_yesterday_s_price_buys_nothing_dearer(
    market: Market, attacker: Browser
) -> None:
    attacker.tell(attacker.item())
    quote = attacker.reserve()
    attacker.send("/rokt/cart/release")
    market.reprice(PARKING, 14.0)
    order_id = market.till.charge({"USD": market.seen[attacker.id()]})
    order = market.order(attacker.handle, quote["quoteId"], order_id).json()
    assert order["status"] == "refund_needed"


def test_another_shopper_s_quote_is_theirs(
    market: Market, victim: Browser, attacker: Browser
) -> None:
    quote = victim.reserve()
    attacker.tell(attacker.item(POSTER))
    attacker.reserve()
    assert market.order(attacker.handle, quote["quoteId"], "stolen-1").status_code == 404
    bought = market.partner_pays(victim.handle, quote["quoteId"]).json()
    assert market.order(attacker.handle, None, bought["orderId"]).status_code == 409


def test_what_is_changed_after_the_quote_is_not_in_it(market: Market, attacker: Browser) -> None:
    attacker.tell(attacker.item())
    quote = attacker.reserve()
    attacker.tell(attacker.item(quantity=50))
    attacker.tell(attacker.item(VIP))
    attacker.reserve()  # the second tab's quote
    order_id = market.till.charge({"USD": market.seen[attacker.id()]})  # as the form said
    order = market.order(attacker.handle, quote["quoteId"], order_id).json()
    assert [(one["quantity"], one["totalPrice"]) for one in order["items"]] == [(1, "12.50")]
    assert attacker.pay() == {"USD": "645.00"}  # the rest is another purchase


def test_what_is_changed_while_rokt_is_asked_is_asked_for_too(
    market: Market, attacker: Browser
) -> None:
    attacker.tell(attacker.item())
    with after_call(market.shop, "reserve", lambda: attacker.tell(attacker.item(quantity=7))):
        assert attacker.pay() == {"USD": "87.50"}


def test_clicks_and_payments_at_once_agree(market: Market, attacker: Browser) -> None:
    attacker.tell(attacker.item())
    browsers = [attacker, *(market.browser() for _ in range(3))]
    for one in browsers[1:]:  # tabs of one browser
        one.wear(attacker.cookie)
        one.offers = attacker.offers

    def click(one: Browser) -> None:
        for n in range(1, 5):
            one.tell(one.item(POSTER if n % 2 else PARKING, n))

    at_once([lambda one=one: click(one) for one in browsers[:2]]
            + [one.pay for one in browsers[2:]])  # fmt: skip
    attacker.pay()
    for one in browsers[1:]:
        one.http.close()


def pressed(browser: Browser, quantity: int = 1, **lies: Any) -> dict[str, Any]:
    item = browser.item(POSTER, quantity) | lies
    return {
        "purchaseId": str(uuid4()),
        "upsellItems": [item],
        "totalUpsellPrice": item["totalPrice"],
        "currency": item["currency"],
    }


@pytest.fixture
def buyer(attacker: Browser) -> Browser:
    """An attacker who has paid, and looks at the page of thanks."""
    attacker.tell(attacker.item())
    attacker.pay()
    return attacker


@pytest.mark.parametrize("lie", [
    {"unitPrice": 0.01, "totalPrice": 0.01},
    {"unitPrice": 14.99, "totalPrice": 14.99},
    {"unitPrice": 15, "totalPrice": 15, "currency": "JPY"},
    {"unitPrice": 0, "totalPrice": 0, "currency": "EUR"},
], ids=repr)  # fmt: skip
def test_a_press_of_a_price_of_its_own_buys_nothing(
    market: Market, buyer: Browser, lie: dict[str, Any]
) -> None:
    before = len(market.till.charged)
    answer = buyer.send("/buy-again", pressed(buyer, **lie)).json()
    assert (answer["paid"], answer["success"]) == (False, False)
    assert len(market.till.charged) == before


def test_a_press_that_is_repeated_buys_what_was_pressed_first_or_nothing(
    market: Market, buyer: Browser
) -> None:
    market.till.declines = True
    first = pressed(buyer, unitPrice=20.0, totalPrice=20.0)
    assert buyer.send("/buy-again", first).json()["reason"] == "declined"
    market.till.declines = False
    number = len(market.till.charged)
    same = {"purchaseId": first["purchaseId"]}
    for other in (
        pressed(buyer, 5),
        pressed(buyer, unitPrice=1.0, totalPrice=1.0),  # dearer was seen, and not taken
    ):
        assert buyer.send("/buy-again", other | same).json()["paid"] is False
    assert len(market.till.charged) == number
    market.saw(buyer.id(POSTER), 20)
    assert buyer.send("/buy-again", first).json()["totalUpsellPrice"] == 15.0
    again = buyer.send("/buy-again", pressed(buyer, 5) | same).json()
    assert (again["paid"], len(market.till.charged)) == (False, number + 1)


STOLEN: dict[str, dict[str, str]] = {
    "with its cookie": {},
    "with the key": SERVER,
    "with the key and without a page": {**SERVER, "Origin": ""},
    "with the key from elsewhere": {**SERVER, "Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "with the key in another place": {"X-Api-Key": SERVER_KEY, "Rokt-Api-Key": SERVER_KEY},
}


@pytest.mark.parametrize("how", STOLEN)
def test_a_browser_confirms_cancels_and_sells_nothing(
    market: Market, victim: Browser, how: str
) -> None:
    bought = market.browser()
    bought.tell(bought.item())
    bought.pay()
    order_id = list(market.till.charged)[-1]
    calls = len(market.shop.calls())
    for path, body in {
        "/orders": {"handle": victim.handle, "orderId": "free-1"},
        f"/orders/{order_id}/cancel": {},
        f"/orders/{order_id}//cancel": {},
        "//orders": {"handle": victim.handle, "orderId": "free-2"},
        "/products": {"handle": victim.handle, "quantities": {"ticket.concert": 0}},
        "/purchases": {"handle": victim.handle, **pressed(bought)},
    }.items():
        for browser in (victim, bought):
            answer = browser.send(f"/rokt{path}", body, **STOLEN[how])
            assert 400 <= answer.status_code < 500, (path, answer.text)
    assert len(market.shop.calls()) == calls
    bought.http.close()


def test_what_is_known_of_a_session_is_no_handle(market: Market, victim: Browser) -> None:
    quote = victim.reserve()
    known = {
        "the cart's id": quote["cartId"],
        "the quote's": quote["quoteId"],
        "what the database has": hash_handle(victim.handle),
        "all but a letter": victim.handle[:-1],
        "the cookie": victim.cookie,
        "another letter": victim.handle[:-1] + ("A" if victim.handle[-1] != "A" else "B"),
    }
    calls = len(market.shop.calls())
    for what, token in known.items():
        page = {"Authorization": f"Bearer {token}", "Origin": market.url}
        for path, body in {
            "/cart/updates": {"updatedItem": None, "oldItem": victim.item()},
            "/cart/reserve": {"acceptPrices": {victim.id(): "999"}},
            "/cart/release": {},
        }.items():
            assert market.call(path, body, page).status_code == 401, what
        assert market.order(token, None, "guessed-1").status_code == 401, what
        forged = market.browser()
        forged.wear(f"{token}.{victim.cookie.rsplit('.', 1)[1]}")
        assert forged.cart() == []
        forged.http.close()
    assert len(market.shop.calls()) == calls
    assert victim.pay() == {"USD": "12.50"}


def test_a_handle_planted_before_the_login_moves_no_money_after_it(
    market: Market, victim: Browser, attacker: Browser
) -> None:
    attacker.tell(attacker.item())
    planted = attacker.handle
    victim.wear(attacker.cookie)
    victim.offers = attacker.offers
    assert victim.send("/login").status_code == 200
    victim.tell(victim.item(POSTER))
    market.reprice(POSTER, 99.0)  # and the attacker would have the victim take it
    page = {"Authorization": f"Bearer {planted}", "Origin": market.url}
    for path, body in {
        "/cart/updates": {"updatedItem": attacker.item(quantity=90), "oldItem": None},
        "/cart/reserve": {"acceptPrices": {victim.id(POSTER): "99"}},
        "/cart/release": {},
    }.items():
        assert market.call(path, body, page).status_code == 401
    assert market.order(planted, None, "planted-1").status_code == 401
    # By the cookie they are taken for a request that the login overtook.
    assert attacker.tell(attacker.item(quantity=90)).status_code == 503
    assert attacker.send("/pay").status_code == 500
    assert victim.pay() == {"USD": "12.50"}
