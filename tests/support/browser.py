"""A real browser for tests, as a pytest plugin: `pytest_plugins = ["tests.support.browser"]`.

Gives the fixtures `browser` (one a run), `context` and `page` (one a test, nothing shared between
tests), and fails a test in which a page broke its Content-Security-Policy. Tests that use them
carry `@pytest.mark.browser`. Where the machine has no Chromium they are skipped, and the summary
says so; with CI=true a missing browser is a failure. A test that fails leaves a picture of each
open page in `.playwright/` at the top of the repository.
"""

import os
import re
import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, sync_playwright

from tests import TOP

# The start of a context's user agent: a server can tell whose request comes late.
AGENT = "Chromium of a test/"
PICTURES = TOP / ".playwright"

# The sandbox needs rights that containers lack; the rest keeps the browser from calling home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

VIOLATION = "POLICY VIOLATION"
ON_PURPOSE = "VIOLATION ON PURPOSE"  # as a test says that wants to see one noticed
WATCH = f"""
document.addEventListener("securitypolicyviolation", (event) => {{
  const word = window.policyWord ?? "{VIOLATION}";
  console.error(word, event.violatedDirective, event.blockedURI, location.href);
}});
"""

# A local page responds at once, but not on a busy machine.
PATIENCE_MS = 30_000


def find_chromium() -> str | None:
    """Find a Chromium: on the PATH, else the one that `playwright install chromium` puts in.

    The headless shell comes first: it does the same with half the work.
    """
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright")
    installed = sorted(cache.glob("chromium-*/chrome-linux*/chrome"))
    return str(installed[-1]) if installed else None


def launch(playwright: Playwright) -> Browser:
    """Start the browser that `find_chromium` names, headless."""
    path = find_chromium()
    assert path, "no Chromium found: install one, or run `playwright install chromium`"
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find_chromium() or os.environ.get("CI") == "true":
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason="this machine has no Chromium"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A context of its own; at the end no page of it may have broken its policy."""
    opened = browser.new_context(
        viewport={"width": 1280, "height": 900}, locale="en-US", user_agent=f"{AGENT}{uuid4()}"
    )
    opened.set_default_timeout(PATIENCE_MS)
    violations = watch_policy(opened)
    yield opened
    try:
        with pictured(opened, request.node.name):
            assert not violations
    finally:
        opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def watch_policy(context: BrowserContext) -> list[str]:
    """Note each violation of a page's policy, in every page of the context from now on."""
    seen: list[str] = []
    context.add_init_script(WATCH)
    context.on("console", lambda said: seen.append(said.text) if VIOLATION in said.text else None)
    return seen


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    browser = getattr(item, "funcargs", {}).get("browser")
    if report.when == "call" and report.failed and isinstance(browser, Browser):
        take_pictures(browser.contexts, item.name)
    return report


@contextmanager
def pictured(context: BrowserContext, test_name: str) -> Iterator[None]:
    """Take pictures when a check at the end of a fixture fails: the pages are gone soon after."""
    try:
        yield
    except AssertionError:
        take_pictures([context], test_name)
        raise


def take_pictures(contexts: Sequence[BrowserContext], test_name: str) -> list[Path]:
    """Save every open page of the contexts as `.playwright/<test name>[-n].png`."""
    PICTURES.mkdir(exist_ok=True)
    stem = re.sub(r"[^\w.-]+", "-", test_name).strip("-")
    pictures = []
    for number, page in enumerate(page for context in contexts for page in context.pages):
        picture = PICTURES / f"{stem}{f'-{number}' if number else ''}.png"
        with suppress(Error):  # a page that cannot be pictured must not hide why the test failed
            page.screenshot(path=picture, full_page=True)
            pictures.append(picture)
    return pictures
