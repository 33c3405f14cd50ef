"""What a shopper does on a page with a placement, and what is seen of it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from playwright.sync_api import Page, Request

from tests.browser.pages.site import Site
from tests.support.waiting import PATIENCE

LOOK_MS = 10


class Tab:
    """A tab of a shopper, on the page of one origin."""

    def __init__(self, page: Page, site: Site, kind: str) -> None:
        self.page, self.site, self.kind = page, site, kind
        self.requests: list[tuple[str, Any]] = []
        page.on("request", self._note)
        site.gate.agent = page.evaluate("navigator.userAgent")

    def _note(self, request: Request) -> None:
        path = request.url.removeprefix(f"{self.site.shop}/rokt")
        if path != request.url and not path.startswith("/static"):
            self.requests.append((f"{request.method} {path}", request.post_data_json))

    @property
    def updates(self) -> list[Any]:
        """The updates that it has sent, as they were sent."""
        return [body for call, body in self.requests if call == "POST /cart/updates"]

    def open(self, sdk: str = "all", identifier: str = "checkout.upsell") -> None:
        """Load the page and wait until its placement can be used."""
        self.page.goto(f"{self.site.origin(self.kind)}/?sdk={sdk}&identifier={identifier}")
        self.wait()

    def reload(self) -> None:
        self.page.reload()
        self.wait()

    def wait(self) -> None:
        self.page.wait_for_selector("html[data-page=interactive]", state="attached")

    def redraw(self, width: int) -> None:
        """Change the window's width; where it crosses 600 pixels the offers are drawn anew."""
        self.page.set_viewport_size({"width": width, "height": 900})
        drawn = "narrow" if width < 600 else "wide"
        self.page.wait_for_selector(f".rokt-stand-in[data-drawn={drawn}]", state="attached")

    def press(self, kind: str, item: str = "parking", times: int = 1) -> None:
        """Click so often at once; not with the mouse: a tab in the background does not get it."""
        control = self.page.locator(f"[data-catalog-item={item}] [data-rokt={kind}]")
        control.evaluate("(one, times) => { while (times--) one.click(); }", times)

    def fill(self, text: str, item: str = "parking") -> None:
        """Put the whole text into the quantity field at once, as pasting does."""
        self.page.locator(f"[data-catalog-item={item}] [data-rokt=quantity]").fill(text)

    def settle(self) -> None:
        """Wait until what was said has arrived, and the server has answered all of it."""
        self.page.evaluate("window.settled()")

    def placement(self) -> dict[str, int] | None:
        """What the placement shows, catalogue item to quantity."""
        shown: dict[str, int] | None = self.page.evaluate("window.placement()")
        return shown

    def cart(self) -> dict[str, int] | None:
        """What the bridge says is held, catalogue item to quantity."""
        items = self.page.evaluate("bridge.cart?.items ?? null")
        return None if items is None else {one["catalogItemId"]: one["quantity"] for one in items}

    def handle(self) -> str:
        """What the shopper's session is known by: a page elsewhere has it, else the cookie."""
        if self.kind == "partner":
            found: str = self.page.evaluate("bridge.handle")
            return found
        [cookie] = self.page.context.cookies()
        return cookie["value"].rsplit(".", 1)[0]

    def heard(self, name: str) -> list[Any]:
        """What the bridge told under this name."""
        told: list[Any] = self.page.evaluate(f"window.heard.{name}")
        return told

    def views(self) -> list[dict[str, int] | None]:
        return [self.placement(), self.cart(), self.site.held()]

    def shows(self, **quantities: int) -> None:
        """Wait until placement, page and database have these, and nothing else."""
        self.until(lambda: self.views() == [quantities] * 3, self.views)

    def until(self, condition: Callable[[], bool], found: Callable[[], object] = str) -> None:
        """Wait until it holds. Between looks the browser's requests go on."""
        end = monotonic() + PATIENCE
        while not condition():
            assert monotonic() < end, f"it did not happen in time: {found()}"
            self.page.wait_for_timeout(LOOK_MS)


def watch_page(page: Page) -> list[str]:
    """Note the errors that are left to the page; whether its policy held, the context tells."""
    seen: list[str] = []
    page.on("pageerror", lambda error: seen.append(str(error)))
    return seen
