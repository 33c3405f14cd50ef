"""How the stand-in is used and seen: keyboard, screen reader, strict policy, phone and desktop."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stand_in.checkout import NARROW, WIDE, Checkout
from tests.browser.stand_in.site import serve
from tests.support.browser import ON_PURPOSE

pytestmark = pytest.mark.browser


@pytest.fixture
def checkout(page: Page) -> Iterator[Checkout]:
    with serve() as site:
        yield Checkout(page, site)


@pytest.mark.parametrize("layout", ["cart", "confirmation", "partner-event"])
def test_a_strict_policy_with_trusted_types_holds(checkout: Checkout, layout: str) -> None:
    mistakes: list[str] = []
    checkout.page.on("console", lambda said: mistakes.append(said.text))
    checkout.page.on("pageerror", lambda error: mistakes.append(str(error)))
    checkout.site.launcher_attributes["data-layout"] = layout
    checkout.open()
    checkout.page.locator(".add").first.click()
    checkout.resize(NARROW)
    assert checkout.page.evaluate("violations") == []
    assert mistakes == []
    styled = checkout.page.locator(".card").evaluate(
        "(card) => getComputedStyle(card).borderRadius"
    )
    assert styled == "12px", "the stylesheet is in force"


def test_the_policy_of_the_test_page_does_bite(checkout: Checkout) -> None:
    checkout.open()
    checkout.page.evaluate(
        """(word) => {
        window.policyWord = word;
        const style = document.createElement("div");
        style.setAttribute("style", "color: red");
        document.body.append(style);
    }""",
        ON_PURPOSE,
    )
    checkout.until("violations.length === 1")


def test_it_is_used_by_keyboard_alone(checkout: Checkout) -> None:
    checkout.open()
    keyboard = checkout.page.keyboard
    checkout.page.locator("#before").focus()
    visited = []
    for _ in range(5):
        keyboard.press("Tab")
        visited.append(
            checkout.page.evaluate(
                "document.querySelector('.rokt-stand-in').shadowRoot.activeElement.dataset.rokt"
            )
        )
    assert visited == ["close", "less", "quantity", "more", "add"]
    keyboard.press("Space")
    keyboard.press("Shift+Tab")
    keyboard.press("Enter")
    keyboard.press("Shift+Tab")
    keyboard.press("ArrowUp")
    keyboard.press("ArrowDown")
    keyboard.press("4")  # the field's whole content is selected when the keyboard enters it
    keyboard.press("Shift+Tab")
    for _ in range(5):
        keyboard.press("Enter")
    less = checkout.control("parking-standard", "less")
    expect(less).to_be_focused()
    expect(less).to_have_attribute("aria-disabled", "true")
    quantities = [item["quantity"] if item else 0 for item, _ in checkout.changes()]
    assert quantities == [1, 2, 3, 2, 4, 3, 2, 1, 0]


def test_the_focus_survives_a_redraw(checkout: Checkout) -> None:
    checkout.open()
    checkout.control("insurance-sync", "add").focus()
    checkout.resize(NARROW)
    expect(checkout.control("insurance-sync", "add")).to_be_focused()


def test_a_screen_reader_finds_names_roles_and_states(checkout: Checkout) -> None:
    checkout.open()
    page = checkout.page
    expect(page.get_by_role("region", name="Add to your order")).to_be_visible()
    expect(page.get_by_role("listitem")).to_have_count(5)
    expect(page.get_by_role("heading", name="Standard parking", level=3)).to_be_visible()
    field = page.get_by_role("spinbutton", name="Quantity of Standard parking")
    page.get_by_role("button", name="One more: Standard parking").click()
    expect(field).to_have_attribute("aria-valuenow", "1")
    expect(field).to_have_attribute("aria-valuemax", "4")
    expect(page.get_by_role("button", name="Added Standard parking")).to_be_visible()
    expect(page.get_by_role("button", name="Close offers")).to_be_visible()
    expect(page.get_by_role("status").first).to_have_text("1 in your order, $12.50")


def test_a_refused_number_gives_way_to_the_held_one_when_the_field_is_left(
    checkout: Checkout,
) -> None:
    checkout.open()
    checkout.fill("2")
    checkout.fill("9")
    field = checkout.control("parking-standard", "quantity")
    expect(field).to_have_value("9")
    field.press("Tab")
    expect(field).to_have_value("2")


def test_a_cleared_field_stays_empty_until_it_is_left(checkout: Checkout) -> None:
    checkout.open()
    checkout.fill("2")
    checkout.fill("")
    field = checkout.control("parking-standard", "quantity")
    expect(checkout.note("parking-standard")).to_have_text("")
    expect(field).to_have_value("")
    field.press("Tab")
    expect(field).to_have_value("0")


def test_the_page_can_change_the_shown_quantity(checkout: Checkout) -> None:
    checkout.open()
    checkout.fill("1")
    ((item, _),) = checkout.changes()
    assert item is not None
    checkout.send({"cartItemId": item["cartItemId"], "quantity": 3})
    expect(checkout.control("parking-standard", "quantity")).to_have_value("3")
    expect(checkout.note("parking-standard")).to_have_text("3 in your order, $37.50")


def test_after_a_purchase_the_focus_goes_to_what_became_of_it(checkout: Checkout) -> None:
    checkout.open("checkout.confirmation")
    checkout.control("parking-standard", "decline").press("Enter")
    expect(checkout.note("parking-standard")).to_be_focused()


def test_texts_are_text(checkout: Checkout) -> None:
    checkout.site.item("parking-standard")["name"] = "<b>Bold</b> & <img src=x>"
    checkout.open()
    heading = checkout.page.get_by_role("heading", level=3).first
    expect(heading).to_have_text("<b>Bold</b> & <img src=x>")


@pytest.mark.parametrize("identifier", ["checkout.upsell", "checkout.confirmation"])
@pytest.mark.parametrize("width", [320, NARROW, WIDE])
def test_it_fits_and_fingers_hit_it(checkout: Checkout, identifier: str, width: int) -> None:
    checkout.page.set_viewport_size({"width": width, "height": 900})
    checkout.site.item("parking-standard")["name"] = "Parking" * 12
    checkout.site.item("parking-linked")["description"] = "A long way to say little. " * 8
    checkout.open(identifier)
    overflow = checkout.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0
    controls = checkout.page.locator("[data-rokt]")
    boxes = [box for each in controls.all() if (box := each.bounding_box())]
    assert len(boxes) > 10
    for box in boxes:
        assert box["height"] >= 44
        assert box["width"] >= 44
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_the_shop_sets_the_look_and_its_own_rules_stay_out(checkout: Checkout) -> None:
    checkout.open()
    checkout.page.evaluate("""() => {
        const root = document.documentElement.style;
        root.setProperty("--rokt-accent", "rgb(140, 20, 60)");
        root.setProperty("--rokt-font", "monospace");
        root.setProperty("--rokt-radius", "0px");
    }""")
    add = checkout.control("parking-standard", "add")
    look = add.evaluate(
        "(add) => { const look = getComputedStyle(add); return [look.backgroundColor,"
        " look.fontFamily, look.borderRadius, look.textTransform]; }"
    )
    assert look == ["rgb(140, 20, 60)", "monospace", "0px", "none"]
