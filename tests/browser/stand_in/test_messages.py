"""What a page can rely on from the stand-in beyond the recording: its messages and interfaces."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from bff.emulator import EmulatorServer
from tests.browser.stand_in.checkout import NARROW, WIDE, Checkout, cart_item_id
from tests.browser.stand_in.site import serve

pytestmark = pytest.mark.browser


@pytest.fixture
def checkout(page: Page) -> Iterator[Checkout]:
    with serve() as site:
        yield Checkout(page, site)


# ---- How messages arrive ---------------------------------------------------------------------


def test_the_page_may_run_before_the_launcher_is_there(checkout: Checkout) -> None:
    def wait_for_the_page(route: Route) -> None:
        checkout.page.wait_for_selector("html[data-page=waiting]", state="attached")
        route.continue_()

    checkout.page.route("**/rokt-stand-in.js", wait_for_the_page)
    checkout.open()
    assert checkout.names() == ["PLACEMENT_INTERACTIVE"]


def test_the_launcher_may_be_there_before_the_page_runs(checkout: Checkout) -> None:
    def wait_for_the_launcher(route: Route) -> None:
        checkout.until("window.Rokt")
        route.continue_()

    checkout.page.route("**/page.js", wait_for_the_launcher)
    checkout.open()
    assert checkout.names() == ["PLACEMENT_INTERACTIVE"]


def test_messages_come_in_a_later_task_and_as_clones(checkout: Checkout) -> None:
    checkout.open()
    checkout.page.evaluate("""() => {
        window.seen = [];
        selection.on("V2_CART_ITEM_UPDATED").subscribe((event) => {
            event.body.cartItem.quantity = 77;
            throw new Error("a mistake of the page's own");
        });
        selection.on("V2_CART_ITEM_UPDATED").subscribe((event) => {
            window.seen.push(event.body.cartItem.quantity);
        });
    }""")
    seen_at_once = checkout.page.evaluate("""() => {
        const root = document.querySelector(".rokt-stand-in").shadowRoot;
        root.querySelector("[data-rokt=more]").click();
        return [...window.seen];
    }""")
    checkout.settle()
    assert seen_at_once == []
    assert checkout.page.evaluate("window.seen") == [1]
    checkout.press("more")
    ((_, old),) = checkout.changes()[-1:]
    assert old is not None
    assert old["quantity"] == 1, "scribbling on a message must not reach the placement"


def test_nothing_is_replayed_and_a_subscription_can_end(checkout: Checkout) -> None:
    checkout.open()
    checkout.page.evaluate("""() => {
        window.late = [];
        const interactive = selection.on("PLACEMENT_INTERACTIVE");
        interactive.subscribe(() => window.late.push("interactive"));
        const updates = selection.on("V2_CART_ITEM_UPDATED");
        window.subscription = updates.subscribe(() => window.late.push("update"));
    }""")
    checkout.press("more")
    checkout.settle()
    checkout.page.evaluate("window.subscription.unsubscribe()")
    checkout.press("more")
    checkout.settle()
    assert checkout.page.evaluate("window.late") == ["update"]


def test_what_is_sent_before_the_placement_is_interactive_is_lost(checkout: Checkout) -> None:
    held_back: list[Route] = []
    checkout.page.route("**/offers", lambda route: held_back.append(route))
    checkout.open_page()
    checkout.send({"cartItemId": cart_item_id(1), "quantity": 2})
    held_back[0].continue_()
    checkout.page.wait_for_selector("[data-rokt=close]")
    assert checkout.names() == ["V2_UPDATE_CART_ITEM", "PLACEMENT_INTERACTIVE"]


def test_alerts_are_ignored(checkout: Checkout) -> None:
    checkout.open()
    shown = checkout.page.locator(".card").inner_text()
    alert = {"id": "a1", "message": {"type": "error", "title": "Sold out", "body": "Sorry"}}
    checkout.send(alert, name="UPSERT_ALERT")
    checkout.send({"id": "a1"}, name="DELETE_ALERT")
    checkout.settle()
    assert checkout.page.locator(".card").inner_text() == shown
    assert checkout.names() == ["PLACEMENT_INTERACTIVE", "UPSERT_ALERT", "DELETE_ALERT"]


# ---- Quantities ------------------------------------------------------------------------------


def test_a_removal_is_spelled_as_null_or_as_quantity_zero(checkout: Checkout) -> None:
    checkout.open()
    checkout.press("more")
    checkout.press("less")
    checkout.send({"cartItemId": cart_item_id(9), "quantity": 1})
    _, (updated, old), (absent, nothing) = checkout.changes()
    assert updated is None
    assert old is not None
    assert (old["quantity"], old["totalPrice"]) == (0, 0)
    assert absent is not None
    assert (absent["quantity"], absent["catalogItemId"], absent["currency"]) == (0, "", "")
    assert nothing is None


def test_a_return_to_the_page_gives_the_same_items_new_ids(checkout: Checkout) -> None:
    checkout.open()
    checkout.press("more")
    checkout.changes()
    session = checkout.page.evaluate("selection.context.sessionId")
    checkout.open()
    checkout.press("more")
    ((item, _),) = checkout.changes()
    assert item is not None
    assert item["cartItemId"] == cart_item_id(2)
    assert item["catalogItemId"] == "parking-standard"
    assert checkout.page.evaluate("selection.context.sessionId") != session


def test_a_missing_price_is_told_as_zero(checkout: Checkout) -> None:
    del checkout.site.item("poster-nocurrency")["unitPrice"]
    checkout.open()
    checkout.press("more", "poster-nocurrency")
    ((item, _),) = checkout.changes()
    assert item is not None
    assert (item["unitPrice"], item["totalPrice"], item["currency"]) == (0, 0, "$")


def test_preselected_items_come_back_after_a_redraw_even_when_removed(checkout: Checkout) -> None:
    checkout.site.item("parking-standard")["preselected"] = 2
    checkout.open()
    checkout.fill("0")
    checkout.changes()
    checkout.resize(NARROW)
    ((item, old),) = checkout.changes()
    assert item is not None
    assert (item["catalogItemId"], item["quantity"]) == ("parking-standard", 2)
    assert old is None


def test_earlier_drawings_contradict_each_other(checkout: Checkout) -> None:
    checkout.open()
    checkout.press("more")
    checkout.resize(NARROW)
    checkout.press("more")
    checkout.resize(WIDE)
    checkout.changes()
    checkout.send({"cartItemId": cart_item_id(1), "quantity": 3})
    changes = checkout.changes()
    assert [item and item["quantity"] for item, _ in changes] == [3, 3, 3]
    assert [old and (old["quantity"], old["name"]) for _, old in changes] == [
        (1, "Standard parking"),
        (2, "Standard parking"),
        (2, "Catalog Title"),
    ]
    assert checkout.control("parking-standard", "quantity").input_value() == "3"


def test_the_minimum_is_kept_in_silence(checkout: Checkout) -> None:
    checkout.site.item("parking-standard")["minItemCount"] = 2
    checkout.open()
    checkout.press("more")
    for quantity in (1, 0):
        checkout.send({"cartItemId": cart_item_id(1), "quantity": quantity})
    checkout.press("add")
    checkout.fill("1")
    checkout.fill("0")
    ((item, _),) = checkout.changes()
    assert item is not None
    assert item["quantity"] == 2


def test_the_total_maximum_is_kept_in_silence_over_all_items(checkout: Checkout) -> None:
    checkout.site.max_total = 3
    checkout.open()
    checkout.fill("2")
    checkout.fill("2", "parking-linked")
    checkout.press("more", "parking-linked")
    assert checkout.control("insurance-sync", "more").get_attribute("aria-disabled") == "true"
    checkout.send({"cartItemId": cart_item_id(1), "quantity": 3})
    checkout.fill("1")
    checkout.fill("2", "parking-linked")
    quantities = [
        item and (item["catalogItemId"], item["quantity"]) for item, _ in checkout.changes()
    ]
    assert quantities == [
        ("parking-standard", 2),
        ("parking-linked", 1),
        ("parking-standard", 1),
        ("parking-linked", 2),
    ]


def test_a_forced_item_cannot_be_removed(checkout: Checkout) -> None:
    checkout.site.item("parking-standard").update(preselected=1, minItemCount=1, maxItemCount=1)
    checkout.open()
    assert len(checkout.changes()) == 1
    checkout.send({"cartItemId": cart_item_id(1), "quantity": 0})
    assert checkout.changes() == []
    assert checkout.control("parking-standard", "less").count() == 0
    assert checkout.note("parking-standard").inner_text() == "1 in your order, $12.50"


def test_what_is_sold_out_cannot_be_added(checkout: Checkout) -> None:
    checkout.site.item("parking-standard").update(soldOut=True, preselected=1)
    checkout.open()
    checkout.send({"cartItemId": cart_item_id(1), "quantity": 1})
    assert checkout.changes() == []
    assert checkout.control("parking-standard", "add").count() == 0
    assert "Sold out" in checkout.page.locator(".card").inner_text()


# ---- Other layouts ---------------------------------------------------------------------------


def test_a_partner_event_button_says_only_the_second_version_and_always_the_same(
    checkout: Checkout,
) -> None:
    checkout.site.launcher_attributes["data-layout"] = "partner-event"
    checkout.open()
    checkout.messages()
    for _ in range(2):
        checkout.press("event")
        change, *engagement = checkout.messages()
        assert change["name"] == "V2_CART_ITEM_UPDATED"
        assert change["body"]["oldCartItem"] is None
        assert change["body"]["cartItem"]["quantity"] == 1
        assert [each["name"] for each in engagement] == ["OFFER_ENGAGEMENT", "POSITIVE_ENGAGEMENT"]


def test_after_the_payment_an_item_is_bought_with_one_press(checkout: Checkout) -> None:
    del checkout.site.catalogue[2:]
    checkout.open("checkout.confirmation")
    assert checkout.names() == ["PLACEMENT_INTERACTIVE"]
    checkout.press("buy")
    checkout.control("parking-standard", "buy").press("Enter")  # waiting: not bought twice
    *engagement, request = checkout.messages()
    assert [each["name"] for each in engagement] == ["OFFER_ENGAGEMENT", "POSITIVE_ENGAGEMENT"]
    assert request["name"] == "CART_ITEM_INSTANT_PURCHASE"
    assert set(request["body"]) == {"upsellItems", "totalUpsellPrice", "currency"}
    assert (request["body"]["totalUpsellPrice"], request["body"]["currency"]) == (12.5, "USD")
    assert [item["cartItemId"] for item in request["body"]["upsellItems"]] == [cart_item_id(1)]

    answer = {**request["body"], "paid": False, "success": False, "reason": "Card refused"}
    checkout.send(answer, name="CART_ITEM_INSTANT_PURCHASE_RESPONSE")
    note = checkout.note("parking-standard")
    assert note.inner_text() == "That did not work: Card refused"
    checkout.press("buy")
    answer |= {"paid": True, "success": True, "upsellConfirmationId": "R-1042"}
    checkout.send(answer, name="CART_ITEM_INSTANT_PURCHASE_RESPONSE")
    assert note.inner_text() == "Bought. Confirmation R-1042"
    assert checkout.control("parking-standard", "buy").count() == 0
    assert "PLACEMENT_COMPLETED" not in checkout.names()
    checkout.press("decline", "parking-linked")
    assert checkout.names() == ["OFFER_ENGAGEMENT", "PLACEMENT_COMPLETED"]


def test_what_is_sold_out_by_the_time_it_is_bought_is_not_offered_again(
    checkout: Checkout,
) -> None:
    """A reason of one word is a code, for programs: it is not shown."""
    del checkout.site.catalogue[2:]
    checkout.open("checkout.confirmation")
    for item, reason, said, buttons in (
        ("parking-standard", "declined", "That did not work.", 1),
        ("parking-linked", "sold_out", "Sold out.", 0),
    ):
        checkout.press("buy", item)
        request = checkout.messages()[-1]["body"]
        answer = {**request, "paid": False, "success": False, "reason": reason}
        checkout.send(answer, name="CART_ITEM_INSTANT_PURCHASE_RESPONSE")
        assert checkout.note(item).inner_text() == said
        assert checkout.control(item, "buy").count() == buttons


def test_closing_by_the_shopper_says_nothing_closing_by_the_page_does(checkout: Checkout) -> None:
    checkout.open()
    checkout.press("more")
    checkout.messages()
    checkout.page.locator("[data-rokt=close]").click()
    assert checkout.messages() == []
    assert checkout.page.locator(".rokt-stand-in").count() == 0
    checkout.open()
    checkout.messages()
    checkout.page.evaluate("selection.close()")
    assert checkout.names() == ["PLACEMENT_CLOSED"]
    assert checkout.page.locator(".rokt-stand-in").count() == 0


# ---- When it cannot be drawn -----------------------------------------------------------------

NEVER_READY = "selection.ready().then(() => 'ready', () => 'failed')"


@pytest.mark.parametrize(
    ("status", "body"), [(503, b"busy"), (200, b"<html>"), (200, b"{}"), (200, b"null")]
)
def test_offers_that_cannot_be_had_are_a_failure(
    checkout: Checkout, status: int, body: bytes
) -> None:
    checkout.site.offers_status, checkout.site.offers_body = status, body
    checkout.open_page()
    assert checkout.page.evaluate(NEVER_READY) == "failed"
    assert checkout.names() == ["PLACEMENT_FAILURE"]


def test_offers_that_cannot_be_reached_are_a_failure(checkout: Checkout) -> None:
    checkout.page.route("**/offers", lambda route: route.abort("connectionrefused"))
    checkout.open_page()
    assert checkout.page.evaluate(NEVER_READY) == "failed"
    assert checkout.names() == ["PLACEMENT_FAILURE"]


def test_a_page_without_the_target_is_a_failure(checkout: Checkout) -> None:
    checkout.site.launcher_attributes["data-target"] = "#elsewhere"
    checkout.open_page()
    assert checkout.page.evaluate(NEVER_READY) == "failed"
    assert checkout.names() == ["PLACEMENT_FAILURE"]


def test_nothing_to_offer_draws_nothing_and_is_no_failure(checkout: Checkout) -> None:
    checkout.site.catalogue.clear()
    checkout.open_page()
    assert checkout.page.evaluate(NEVER_READY) == "ready"
    assert checkout.page.evaluate("selection.getPlacements()") == []
    assert checkout.messages() == []


# ---- Legacy interface ------------------------------------------------------------------------


def test_the_legacy_cart_is_told_each_change_once(checkout: Checkout) -> None:
    checkout.open()
    for kind in ("more", "more", "less", "less"):
        checkout.press(kind)
    checkout.settle()
    calls = checkout.page.evaluate("legacyCalls")
    quantities = [[item and item["quantity"] for item in call] for call in calls]
    assert quantities == [[1, None], [2, 1], [1, 2], [None, 0]]
    assert calls[1][0]["cartItemId"] == cart_item_id(1)


def test_the_legacy_cart_reads_and_restores(checkout: Checkout) -> None:
    checkout.open()
    checkout.fill("3")
    items = checkout.page.evaluate("rokt.cart.getItems()")
    assert [(item["cartItemId"], item["quantity"]) for item in items] == [(cart_item_id(1), 3)]

    checkout.open()
    assert checkout.page.evaluate("rokt.cart.getItems()") == []
    checkout.page.evaluate("(items) => rokt.cart.setItems(items)", items)
    checkout.settle()
    assert checkout.control("parking-standard", "quantity").input_value() == "3"
    ((updated, old),) = checkout.page.evaluate("legacyCalls")
    assert (updated["cartItemId"], old["cartItemId"]) == (cart_item_id(2), cart_item_id(1))
    assert (updated["quantity"], old["quantity"]) == (3, 3)
    assert checkout.changes() == []

    checkout.page.evaluate("rokt.cart.setItems(rokt.cart.getItems())")
    checkout.settle()
    assert len(checkout.page.evaluate("legacyCalls")) == 1, "its own ids are shown without a word"
    checkout.press("more")
    checkout.settle()
    updated, old = checkout.page.evaluate("legacyCalls")[-1]
    assert (updated["quantity"], old["quantity"]) == (4, 3)


def test_the_legacy_cart_may_be_set_before_anything_is_drawn(checkout: Checkout) -> None:
    checkout.open()
    checkout.fill("2")
    items = checkout.page.evaluate("rokt.cart.getItems()")
    held_back: list[Route] = []
    checkout.page.route("**/offers", lambda route: held_back.append(route))
    checkout.open_page()
    checkout.page.evaluate("(items) => rokt.cart.setItems(items)", items)
    assert checkout.page.evaluate("rokt.cart.getItems()") == items
    held_back[0].continue_()
    checkout.page.wait_for_selector("[data-rokt=close]")
    expect(checkout.control("parking-standard", "quantity")).to_have_value("2")
    checkout.settle()
    ((updated, old),) = checkout.page.evaluate("legacyCalls")
    assert (updated["cartItemId"], old["cartItemId"]) == (cart_item_id(2), cart_item_id(1))


# ---- With the emulator -----------------------------------------------------------------------


def test_draws_what_the_emulator_offers(checkout: Checkout) -> None:
    with EmulatorServer() as emulator:
        checkout.site.offers_origin = emulator.url
        checkout.site.launcher_attributes["data-offers"] = (
            f"{emulator.url}/_emulator/offers?preselect=insurance.ticket:2"
        )
        checkout.open()
        ((item, old),) = checkout.changes()
        assert item is not None
        assert old is None
        assert (item["catalogItemId"], item["totalPrice"]) == ("insurance.ticket", 14.5)
        assert item["quantityMustBeSynchronized"] is True
        checkout.press("add", "parking.standard")
        ((item, _),) = checkout.changes()
        assert item is not None
        assert (item["unitPrice"], item["currency"]) == (12.5, "USD")
