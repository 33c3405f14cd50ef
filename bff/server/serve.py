"""The standalone server, for pages on other origins: the endpoints alone, served by waitress.

Every setting is an environment variable ``ROKT_BFF_…``. ``ROKT_BFF_SECRET_KEY`` is Flask's.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
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
from bff.server.headers import protect
from bff.web.problems import http_problem_response
from bff.web.runtime import runtime

# Threads beyond those that can wait for Rokt, for requests that need no call. A cart update takes
# milliseconds, so a few threads serve many shoppers.
FREE_THREADS = 8

# The server's limit is far above ours, so that a body that is a little too large gets our problem
# document. A body that is larger than this is not read.
HARD_BODY_LIMIT = 8 * 1024 * 1024

# Half-sent requests must not keep others out: many connections may be open, and none for long.
CONNECTIONS = 1000

IDLE_SECONDS = 20

# The interval of the search for idle connections.
CLEANUP_SECONDS = 5

_STOPS = (signal.SIGINT, signal.SIGTERM)

DEFAULT_DATABASE = "sqlite:///rokt-bff.db"

LOCAL = "127.0.0.1"

# A problem names Flask's key by this name; in the environment it has our prefix.
_OWN_KEY = re.compile(r"\bSECRET_KEY\b")


def create_app(
    environ: Mapping[str, str] | None = None, *, secure_cookies: bool = True, host: str = LOCAL
) -> tuple[Flask, Upsells]:
    """Make the standalone app.

    Args:
        environ: The environment; by default the process's own.
        secure_cookies: Whether cookies are sent over TLS only.
        host: The address on which the app will listen.

    Returns:
        The app and its extension.

    Raises:
        ConfigError: Settings are missing, invalid or insecure; it has every problem.
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
    # Here is nothing but our endpoints, so every other path gets a problem document too.
    app.register_error_handler(HTTPException, http_problem_response)
    protect(app, runtime(app).settings)
    return app, upsells


def serve(
    host: str,
    port: int,
    echo: Callable[[str], object] = print,
    *,
    secure_cookies: bool = True,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests and calls under way.

    Creates the tables on an empty database.

    Args:
        host: The address to listen on.
        port: The port; 0 for a free one.
        echo: Prints a line.
        secure_cookies: Whether cookies are sent over TLS only.

    Raises:
        ConfigError: Settings are missing, invalid or insecure.
        SchemaMismatch: The database's tables have another version.
        OSError: The port is taken.
    """
    app, upsells = create_app(secure_cookies=secure_cookies, host=host)
    with closing(runtime(app).store):
        _serve(app, upsells, host, port, echo)


def _serve(
    app: Flask, upsells: Upsells, host: str, port: int, echo: Callable[[str], object]
) -> None:
    settings = runtime(app).settings
    created = upsells.init_db(app)
    echo(f"Database: {_shown(settings.database_url)}{' (tables created)' if created else ''}")
    if not settings.server_key:
        echo("ROKT_BFF_SERVER_KEY is not set: nothing can be confirmed over HTTP.")
    if not settings.origins:
        echo("ROKT_BFF_ORIGINS is not set: only pages of this origin may call.")
    server = _listen(app, settings, host, port)
    stop_delivery: Callable[[], None] | None = None
    for number in _STOPS:
        signal.signal(number, _end)
    # A name such as localhost may have two addresses, each with its own server.
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


def _listen(app: Flask, settings: Settings, host: str, port: int) -> Any:
    """Make waitress's server, with our limits; the port is open, and nothing is read yet."""
    from waitress.server import create_server  # of the extra "server"

    from bff.server.channel import Channel

    sockets: dict[int, Any] = {}
    server = create_server(
        app,
        map=sockets,
        host=host,
        port=port,
        threads=settings.max_calls + settings.max_waiting + FREE_THREADS,
        max_request_body_size=HARD_BODY_LIMIT,
        connection_limit=_connections(),
        asyncore_use_poll=True,  # select() ends a server that has 1,024 files open
        channel_timeout=IDLE_SECONDS,
        cleanup_interval=CLEANUP_SECONDS,
        ident=None,
        **_proxied(settings),
    )
    for one in sockets.values():
        if hasattr(one, "channel_class"):  # the map also has the trigger that wakes the loop
            one.channel_class = Channel
    # By default waitress waits for its threads for less time than a confirm may take.
    tasks = server.task_dispatcher
    tasks.shutdown = partial(tasks.shutdown, timeout=MAX_CALL_SECONDS + 5)
    return server


def _connections() -> int:
    """Return how many connections may be open; the database needs some of the files too."""
    try:
        import resource
    except ImportError:  # this is not a Unix
        return CONNECTIONS
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return CONNECTIONS if files == resource.RLIM_INFINITY else min(CONNECTIONS, files // 2)


def _proxied(settings: Settings) -> dict[str, Any]:
    """Return the settings of the proxy whose word on the caller's address is trusted."""
    if not settings.trusted_proxy:
        # No proxy is trusted. But ``bff.web.rate_limits`` must see that there is one.
        return {"clear_untrusted_proxy_headers": False}
    return {
        "trusted_proxy": settings.trusted_proxy,
        "trusted_proxy_count": settings.trusted_proxy_count,
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"},
        "clear_untrusted_proxy_headers": True,
    }


def _shown(database_url: str) -> str:
    """Return a database's URL without its password; for SQLite, the whole path of the file."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        return str(Path(url.database).absolute())
    return url.render_as_string(hide_password=True)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    # A second signal would interrupt the stop and leave the delivery's thread running.
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(0)
