"""A standalone server that tells all it can: for a test that looks for secrets in what it wrote.

Run as ``python -m tests.support.leaky_server FOLDER``, with the settings in the environment. Every
logger is at DEBUG; every value of our classes is printed as it is made, and every error of ours in
all its forms; ``/journal`` has the demo's timeline of the whole run. With ``TELL_SECRETS`` it is
careless on purpose, in each of these ways, so that the search itself can be tested.
"""

from __future__ import annotations

import dataclasses
import importlib
import logging
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request

import bff
from bff import Upsells
from bff.cli import main
from bff.demo.shop.orders import Orders
from bff.demo.timeline.listener import PARTNER, Listener
from bff.demo.timeline.timeline import Timeline
from bff.errors import BffError
from bff.server import serve as serving

CARELESS = "TELL_SECRETS" in os.environ


def classes() -> Iterator[Any]:
    """Give every class of ours that holds values."""
    for found in pkgutil.walk_packages(bff.__path__, "bff."):
        if found.name.startswith("bff.store.migrations"):
            continue
        module = importlib.import_module(found.name)
        for one in vars(module).values():
            own = isinstance(one, type) and one.__module__ == module.__name__
            if own and dataclasses.is_dataclass(one):
                yield one


def tell_each(cls: Any) -> None:
    """Print every value of a class as it is made."""
    init: Callable[..., None] = cls.__init__

    def told(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        print("VALUE", repr(self), file=sys.stdout)
        if CARELESS:
            print("CARELESS", kwargs, args)

    cls.__init__ = told


def tell_errors() -> None:
    """Print every error of ours as it is made."""
    init = BffError.__init__

    def told(self: BffError, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        print("ERROR", repr(self), str(self), self.args, self.errors)

    BffError.__init__ = told  # type: ignore[method-assign]


def log_all() -> None:
    """Set every logger that there is, and those that are yet to come, to DEBUG."""
    logging.basicConfig(level=logging.DEBUG, format="LOG %(name)s %(levelname)s %(message)s")
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.captureWarnings(True)


class Watched:
    """The app as it is made, with the demo's timeline on it."""

    def __init__(self, folder: Path) -> None:
        self._create = serving.create_app
        self._folder = folder
        self._listener: Listener | None = None  # signals hold theirs weakly

    def create_app(self, *args: Any, **kwargs: Any) -> tuple[Flask, Upsells]:
        app, upsells = self._create(*args, **kwargs)
        timeline = Timeline()
        self._listener = Listener(timeline, upsells, Orders(self._folder / "shop.db").find)
        self._listener.connect(app)

        @app.get("/journal")
        def journal() -> Response:
            entries, _ = timeline.since(PARTNER)
            return jsonify([one.to_json() for one in entries])

        if CARELESS:
            app.before_request(careless)
            app.after_request(more_careless)
        log_all()
        return app, upsells


def careless() -> None:
    """Log what came in."""
    logging.getLogger("somebody.else").debug("in: %r %r", dict(request.headers), request.get_data())


def more_careless(answer: Response) -> Response:
    """Repeat what came in, in problems."""
    if answer.status_code >= 400 and not answer.direct_passthrough:
        answer.set_data(answer.get_data() + repr(dict(request.headers)).encode())
        answer.set_data(answer.get_data() + request.get_data())
    return answer


if __name__ == "__main__":
    for one in list(classes()):
        tell_each(one)
    tell_errors()
    folder = Path(sys.argv[1])
    serving.create_app = Watched(folder).create_app
    main(["serve", "--port", "0", "--insecure-cookies"])
