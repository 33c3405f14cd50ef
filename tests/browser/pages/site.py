"""A page with Rokt's placement and the bridge, on the BFF's own origin and on another.

A Flask shop with its upsells runs in threads, on a SQLite file; the emulator beside it draws the
offers. The same page is served twice: by that shop, where the cookie counts ("shop"), and from
another loopback address, which to a browser is another site ("partner"). Both under a policy as
strict as a checkout's.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import requests
from flask import Flask, Response, jsonify, request, send_from_directory
from sqlalchemy import delete, select
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server

from bff import Upsells
from bff.cart.held_cart import CartItem
from bff.emulator import CatalogItem as Offer
from bff.emulator import EmulatorServer, EmulatorSettings
from bff.store.documents import load_cart
from bff.store.tables import sessions
from bff.web.runtime import runtime
from tests.support.browser import AGENT
from tests.support.emulator_client import Client
from tests.support.processes import settings_for
from tests.support.shop import SERVER_KEY

HERE = Path(__file__).parent
ORIGINS = ("shop", "partner")
PARTNER_HOST = "127.0.0.2"
THREADS = 8  # more than a browser's connections to one server
ROUND = 0.05  # seconds until a server notices that it is to stop
# What else the bridge's tag is told on these pages.
EXTRAS = 'data-guard="#continue" data-notices="#notices" data-purchase="/buy-again"'

# At the most three of one: what goes beyond is refused by the placement, without a word.
OFFERS = (
    Offer("parking", "Parking", Decimal("12.50"), "Lot A", max_item_count=3),
    Offer("poster", "Poster", Decimal("9.99"), "Signed", max_item_count=3),
    Offer("sticker", "Sticker", Decimal("0.10"), "A price of 0.1", max_item_count=3),
    Offer(
        "cover", "Cover", Decimal("7.25"), "One for every ticket", max_item_count=9,
        linked_product_id="ticket", quantity_must_be_synchronized=True,
    ),
)  # fmt: skip


@contextmanager
def serving(app: Flask, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve an app on a free port, in threads, and give its origin."""
    sockets: dict[int, Any] = {}
    server = create_server(app, map=sockets, host=host, port=0, threads=THREADS, ident=None)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            wasyncore.loop(timeout=ROUND, map=sockets, count=1)
        server.task_dispatcher.shutdown(timeout=5)
        for one in list(sockets.values()):
            if isinstance(one, HTTPChannel):
                one.handle_close()  # with the file that it was sending
        wasyncore.close_all(sockets)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://{host}:{server.effective_port}"
    finally:
        ended.set()
        thread.join()


class Gate:
    """Stands before the BFF, also for what a page sends while it is left.

    ``cookies``: what came with requests as their cookies. ``waiting``: how many are kept.
    """

    def __init__(self, app: Flask) -> None:
        self._open = threading.Event()
        self._open.set()
        self._is_down = False
        self._kept: list[threading.Event] = []  # by its methods, which no other thread splits
        self.cookies: list[str] = []
        # The user agent of the present test. A page of the last one may send while it is left.
        self.agent: str | None = None
        self._inner = app.wsgi_app
        setattr(app, "wsgi_app", self._pass)  # noqa: B010 - as Flask says; mypy takes it for wrong

    def _pass(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        self.cookies += [environ["HTTP_COOKIE"]] if "HTTP_COOKIE" in environ else []
        if environ["PATH_INFO"].startswith(("/rokt/cart", "/rokt/session")):
            self._wait()
            agent = environ.get("HTTP_USER_AGENT", "")
            if self._is_down or (agent.startswith(AGENT) and agent != self.agent):
                start("503 Service Unavailable", [("Content-Length", "0")])
                return []
        return self._inner(environ, start)

    @property
    def waiting(self) -> int:
        return len(self._kept)

    def _wait(self) -> None:
        passing = self._open
        self._kept.append(passing)
        passing.wait()
        self._kept.remove(passing)

    @contextmanager
    def keeping(self) -> Iterator[threading.Event]:
        """What came meanwhile is answered when the event is set; what comes later, at once."""
        before, self._open = self._open, threading.Event()
        try:
            yield self._open
        finally:
            self._open = before

    @contextmanager
    def closed(self) -> Iterator[None]:
        """What comes meanwhile is answered afterwards."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    @contextmanager
    def down(self) -> Iterator[None]:
        """What comes meanwhile is turned away."""
        self._is_down = True
        try:
            yield
        finally:
            self._is_down = False


@dataclass(frozen=True)
class Site:
    """Where everything is, and what the BFF holds."""

    app: Flask
    shop: str
    partner: str
    rokt: Client
    gate: Gate

    def origin(self, kind: str) -> str:
        return {"shop": self.shop, "partner": self.partner}[kind]

    def forget(self) -> None:
        """Be as if nobody had been here."""
        with runtime(self.app).store.write() as connection:
            connection.execute(delete(sessions))
        self.rokt.reset()
        self.gate.cookies.clear()
        self.gate.agent = None

    def lines(self) -> list[CartItem]:
        """What the database holds, in one cart, no item of the catalogue twice."""
        with runtime(self.app).store.read() as connection:
            documents = connection.execute(select(sessions.c.cart)).scalars()
            carts = [cart for cart in map(load_cart, documents) if cart.lines]
        assert len(carts) <= 1, f"one shopper has {len(carts)} carts: {carts}"
        items = [line.item for cart in carts for line in cart.lines]
        counts = Counter(item.catalog_item_id for item in items)
        assert set(counts.values()) <= {1}, f"a line is doubled: {items}"
        return items

    def held(self) -> dict[str, int]:
        """What the database holds, catalogue item to quantity."""
        return {item.catalog_item_id: item.quantity for item in self.lines()}


@contextmanager
def running_site(folder: Path, offers: Sequence[Offer] = OFFERS, **settings: str) -> Iterator[Site]:
    """Run all of it on free ports, the database in ``folder``; settings are those of the BFF."""
    pages = Flask("partner", static_folder=None)
    with ExitStack() as ending:
        emulator = ending.enter_context(EmulatorServer(EmulatorSettings(catalog=tuple(offers))))
        partner = ending.enter_context(serving(pages, PARTNER_HOST))
        needed = {
            "origins": partner,
            "database_url": f"sqlite:///{folder / 'bff.db'}",
            "sessions_per_minute": "1000",  # all tests have one address
        }
        environ = settings_for(emulator.url, **needed | settings)
        app = Flask("shop", static_folder=None)
        app.secret_key = environ.pop("ROKT_BFF_SECRET_KEY")
        app.config.update(environ)
        upsells = Upsells(app)
        ending.callback(runtime(app).store.close)
        upsells.init_db(app)
        gate = Gate(app)
        shop = ending.enter_context(serving(app))
        with app.app_context():
            for one, bff in ((app, ""), (pages, shop)):
                base = f"{bff}/rokt"
                tag = str(upsells.script_tag(base))
                values = {
                    "bff": base,
                    "emulator": emulator.url,
                    "tag": tag.replace("<script", f"<script {EXTRAS}"),
                }
                add_pages(one, values, spelled(upsells.csp(bff or "'self'")))
        app.post("/buy-again")(lambda: upsells.buy_instantly(lambda quote: quote.quote_id))
        pages.post("/buy-again")(lambda: buy_again(shop))

        @app.post("/login")
        def login() -> str:
            upsells.rotate()
            return "logged in"

        client = Client(emulator.url)
        ending.callback(client.http.close)
        yield Site(app, shop, partner, client, gate)


def add_pages(app: Flask, values: Mapping[str, str], policy: str) -> None:
    """Serve the pages, with these values in place of their names."""

    @app.get("/")
    def extras() -> Response:
        tag = values["tag"] if request.args["sdk"] == "tag" else ""
        return page("page.html", {**values, "tag": tag})

    @app.get("/next")
    def following() -> Response:
        return page("next.html", values)

    @app.get("/page/<name>")
    def script(name: str) -> Response:
        return send_from_directory(HERE, name, max_age=0)

    def page(name: str, values: Mapping[str, str]) -> Response:
        html = (HERE / name).read_text(encoding="utf-8")
        for key, value in values.items():
            html = html.replace(f"{{{key}}}", value)
        return Response(html, headers={"Content-Security-Policy": policy})


def buy_again(bff: str) -> Response:
    """Do what a partner's backend does after a press on its thanks page; its charges succeed."""
    headers = {"Authorization": f"Bearer {SERVER_KEY}"}
    handle = request.headers["Authorization"].removeprefix("Bearer ")
    press = {**request.get_json(), "handle": handle}
    begun = requests.post(f"{bff}/rokt/purchases", json=press, headers=headers, timeout=60).json()
    if not begun["quote"]:
        return jsonify({**press, "success": False, "paid": False})
    order = {
        "handle": begun["handle"],
        "orderId": f"again-{press['purchaseId']}",
        "quoteId": begun["quote"]["quoteId"],
    }
    answer = requests.post(f"{bff}/rokt/orders", json=order, headers=headers, timeout=60)
    return jsonify({"success": answer.ok, "paid": answer.ok})


def spelled(sources: dict[str, tuple[str, ...]]) -> str:
    """The page's whole policy: what the bridge and the SDK need, and nearly nothing else."""
    own = {
        "script-src": ("'self'",),
        "connect-src": ("'self'",),  # the page's own backend
        "img-src": ("data:",),
        "base-uri": ("'none'",),
    }
    directives = {name: (*own.get(name, ()), *sources.get(name, ())) for name in {**own, **sources}}
    rules = [f"{name} {' '.join(dict.fromkeys(values))}" for name, values in directives.items()]
    trusted = ["require-trusted-types-for 'script'", "trusted-types 'none'"]
    return "; ".join(["default-src 'none'", *rules, *trusted])
