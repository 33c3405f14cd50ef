"""A checkout page with the stand-in on it, as a test drives it."""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page

from tests.browser.stand_in.site import Site

Message = dict[str, Any]

WIDE = 1280
NARROW = 390  # CSS pixels of a common phone


@dataclass(frozen=True)
class Checkout:
    """One page and the site that it is served from."""

    page: Page
    site: Site

    def open(self, identifier: str = "checkout.upsell") -> None:
        """Load the page and wait until the placement is drawn and all it said has arrived."""
        self.open_page(identifier)
        self.page.wait_for_selector("[data-rokt=close]")
        self.settle()

    def open_page(self, identifier: str = "checkout.upsell") -> None:
        """Load the page and wait for its own code only."""
        self.page.goto(f"{self.site.origin}/?identifier={identifier}")
        self.page.wait_for_selector("html[data-page=running]", state="attached")

    def settle(self) -> None:
        """Wait until everything said so far has arrived."""
        self.page.evaluate("window.settled()")

    def until(self, condition: str) -> None:
        """Wait until the JavaScript expression holds.

        Not by Playwright's `wait_for_function`, which evaluates strings and so fails under the
        page's policy.
        """
        self.page.evaluate(
            "() => new Promise((done) => {"
            f" const look = () => ({condition}) ? done() : setTimeout(look, 10); look(); }})"
        )

    def messages(self) -> list[Message]:
        """Take all that was said since the last look, as JSON would carry it."""
        self.settle()
        taken: list[Message] = self.page.evaluate(
            "JSON.parse(JSON.stringify(window.recorded.splice(0)))"
        )
        return taken

    def names(self) -> list[str]:
        return [message["name"] for message in self.messages()]

    def changes(self) -> list[tuple[Message | None, Message | None]]:
        """Take the changes since the last look: (cartItem, oldCartItem), each once."""
        return [
            (message["body"]["cartItem"], message["body"]["oldCartItem"])
            for message in self.messages()
            if message["name"] == "V2_CART_ITEM_UPDATED"
        ]

    def control(self, catalog_item_id: str, kind: str) -> Locator:
        return self.page.locator(f"[data-catalog-item='{catalog_item_id}'] [data-rokt='{kind}']")

    def note(self, catalog_item_id: str) -> Locator:
        return self.page.locator(f"[data-catalog-item='{catalog_item_id}'] [role=status]")

    def press(self, kind: str, catalog_item_id: str = "parking-standard") -> None:
        self.control(catalog_item_id, kind).click()

    def fill(self, text: str, catalog_item_id: str = "parking-standard") -> None:
        """Put the whole text into the quantity field at once, as pasting does."""
        self.control(catalog_item_id, "quantity").fill(text)

    def type(self, keys: str, catalog_item_id: str = "parking-standard") -> None:
        self.control(catalog_item_id, "quantity").press_sequentially(keys)

    def send(self, *bodies: object, name: str = "V2_UPDATE_CART_ITEM") -> None:
        """Send from the page to the placement, all bodies in one task; None means no body."""
        self.page.evaluate(
            "([name, bodies]) => Promise.all("
            "bodies.map((body) => toPlacement(name, body === null ? undefined : body)))",
            [name, list(bodies)],
        )

    def resize(self, width: int) -> None:
        """Change the window's width and wait until the offers are drawn for it."""
        self.page.set_viewport_size({"width": width, "height": 900})
        drawn = "narrow" if width < 600 else "wide"
        self.page.wait_for_selector(f".rokt-stand-in[data-drawn={drawn}]")


def cart_item_id(visit: int, catalog_item_id: str = "parking-standard") -> str:
    """The id of the first catalogue item on the given visit, as in the recording."""
    return f"v1:8ef7a1b2-0001-4a00-9000-{visit:012}:{catalog_item_id}"
