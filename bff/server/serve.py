"""The standalone server for partner pages: the blueprint alone, settings from the environment.

Every setting is an environment variable ``ROKT_BFF_…``; ``ROKT_BFF_SECRET_KEY`` is Flask's.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from flask import Flask
from sqlalchemy.engine import make_url
from werkzeug.exceptions import HTTPException

from bff.config.readers import MAX_CALL_SECONDS
from bff.config.settings import PREFIX, Settings
from bff.errors import ConfigError
from bff.extension.upsells import Upsells
from bff.server.headers import NOT_KEPT, fixed, protect
from bff.web.problems import failed
from bff.web.runtime import runtime

# One thread per request under way. These come on top of those that Rokt can hold up, for what
# needs no Rokt: an update takes milliseconds, so few are many.
FREE_THREADS = 8


# The server's own limit is far above ours, so that a body that is only a little too large gets
# our problem document; what is larger than this is cut off before it is read.
HARD_BODY_LIMIT = 8 * 1024 * 1024


# Half-sent requests must not keep others out: many may be open, and none for long.
CONNECTIONS = 1000


IDLE_SECONDS = 20


# How often it is looked for those that took longer.
CLEANUP_SECONDS = 5


_STOPS = (signal.SIGINT, signal.SIGTERM)


DEFAULT_DATABASE = "sqlite:///rokt-bff.db"


LOCAL = "127.0.0.1"


# Flask's name in a problem, which the environment has with our prefix.
_OWN_KEY = re.compile(r"\bSECRET_KEY\b")


def create_app(
    environ: Mapping[str, str] | None = None, *, secure_cookies: bool = True, host: str = LOCAL
) -> tuple[Flask, Upsells]:
    """Make the standalone app, to listen on ``host``.

    Raises ``ConfigError`` with every problem at once, what would be insecure among them.
    """
    environ = os.environ if environ is None else environ
    app = Flask("bff.standalone", static_folder=None, root_path=os.getcwd())
    app.config.update({k: v for k, v in environ.items() if k.startswith(PREFIX)})
    app.secret_key = app.config.pop(PREFIX + "SECRET_KEY", None)
    app.config.setdefault(PREFIX + "DATABASE_URL", DEFAULT_DATABASE)
    app.config.update(
        SESSION_COOKIE_SECURE=secure_cookies,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    upsells = Upsells(host=host)
    try:
        upsells.init_app(app)
    except ConfigError as error:
        named = (_OWN_KEY.sub(PREFIX + "SECRET_KEY", text) for text in error.problems)
        raise ConfigError(list(named)) from None
    # There is nothing but our endpoints here: whatever else is asked for gets our answers too.
    app.register_error_handler(HTTPException, failed)
    protect(app, runtime(app).settings)
    return app, upsells


def serve(
    host: str,
    port: int,
    echo: Callable[[str], object] = print,
    *,
    secure_cookies: bool = True,
) -> None:
    """Serve until SIGINT or SIGTERM; requests and calls under way are finished.

    Creates the tables on an empty database. Raises ``ConfigError``, ``SchemaMismatch``, and
    ``OSError`` when the port is taken.
    """
    from waitress.server import create_server  # of the extra "server"

    from bff.server.channel import channel_of

    app, upsells = create_app(secure_cookies=secure_cookies, host=host)
    with app.app_context():
        settings = upsells.settings
    created = upsells.init_db(app)
    echo(f"Database: {shown(settings.database_url)}{' (tables created)' if created else ''}")
    if not settings.server_key:
        echo("ROKT_BFF_SERVER_KEY is not set: nothing can be confirmed over HTTP.")
    if not settings.origins:
        echo("ROKT_BFF_ORIGINS is not set: pages of this origin only.")
    sockets: dict[int, Any] = {}
    server = create_server(
        app,
        map=sockets,
        host=host,
        port=port,
        threads=settings.max_calls + settings.max_waiting + FREE_THREADS,
        max_request_body_size=HARD_BODY_LIMIT,
        connection_limit=connections(),
        asyncore_use_poll=True,  # select() ends a server that has 1,024 files open
        channel_timeout=IDLE_SECONDS,
        cleanup_interval=CLEANUP_SECONDS,
        ident=None,
        **_proxied(settings),
    )
    channel = channel_of(fixed(settings) | NOT_KEPT)
    for one in sockets.values():
        if hasattr(one, "channel_class"):  # beside the sockets there is what wakes their loop
            one.channel_class = channel
    # The server's own patience with its threads is shorter than a confirm may take.
    tasks = server.task_dispatcher
    tasks.shutdown = partial(tasks.shutdown, timeout=MAX_CALL_SECONDS + 5)
    stop_delivery: Callable[[], None] | None = None
    for number in _STOPS:
        signal.signal(number, _end)
    # One server an address: a name such as localhost may stand for two.
    listening = getattr(server, "effective_listen", None) or [(host, server.effective_port)]
    address = f"http://{host}:{listening[0][1]}{settings.url_prefix}"
    try:
        if settings.deliver:
            stop_delivery = upsells.deliver_in_background(app)
        echo(f"rokt-bff at {address}  (Ctrl-C stops it)")
        sys.stdout.flush()
        server.run()  # returns when a signal ends it, after its threads have finished
    finally:
        server.close()
        if stop_delivery is not None:
            stop_delivery()
    echo("Stopped.")


def connections() -> int:
    """Tell how many connections may be open: of a process's files the database needs some too."""
    try:
        import resource
    except ImportError:  # no Unix
        return CONNECTIONS
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return CONNECTIONS if files == resource.RLIM_INFINITY else min(CONNECTIONS, files // 2)


def _proxied(settings: Settings) -> dict[str, Any]:
    """Return whose word on the caller's address the server takes."""
    if not settings.trusted_proxy:
        # Nobody is believed; but that there is a proxy must be seen, see ``bff.limiting``.
        return {"clear_untrusted_proxy_headers": False}
    return {
        "trusted_proxy": settings.trusted_proxy,
        "trusted_proxy_count": settings.trusted_proxy_count,
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"},
        "clear_untrusted_proxy_headers": True,
    }


def shown(database_url: str) -> str:
    """Return a database's address for people: a file's whole path, and no password."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        return str(Path(url.database).absolute())
    return url.render_as_string(hide_password=True)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    # Once is enough, until the process is gone: a second one, in the middle of stopping, would
    # leave the delivery's thread behind, which nobody stops then.
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(0)
