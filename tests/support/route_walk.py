"""A walk along every route that changes something, trying each way in that must stay closed.

A way in is everything but right: it has a live cookie, a live handle or the server key, and a
body that the route takes, and lacks only what tells an honest caller from an attacker's page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from bff.store.tables import metadata
from bff.web.guard import SAFE_METHODS, Caller, caller_of
from bff.web.runtime import runtime

OWN = "http://localhost"  # where Flask's test client is
PARTNER = "https://shop.example"
LOOK_ALIKES = (
    "https://shop.example.evil.io",
    "https://shop.example:8443",
    "http://shop.example",
    "https://evilshop.example",
    "https://shop.example@evil.io",
    "https://SHOP.example",
    "http://localhost:8000",
    "https://localhost",
)
EVERY_METHOD = {"POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"}  # of a rule that names none
HEADER = {"Rokt-Bff": "1"}
VOUCHED = {"Origin": OWN, "Sec-Fetch-Site": "same-origin"}
JSON = "application/json"

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Keys:
    """What an attacker's page may carry along without reading it, or may have stolen."""

    cookie: tuple[str, str] = field(repr=False)
    handle: str = field(repr=False)
    server_key: str = field(repr=False)

    def carriers(self) -> dict[str, Headers]:
        """Give each credential's headers by its name; the cookie is sent with all of them."""
        return {
            "cookie": HEADER,
            "handle": HEADER | _bearer(self.handle),
            "server key": HEADER | _bearer(self.server_key),
        }


@dataclass(frozen=True, slots=True)
class Attack:
    """One way in. ``media`` is what the body is declared as, None: a form's."""

    name: str
    headers: Headers = field(repr=False)
    media: str | None = JSON
    with_cookie: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One route that changes something, with its path filled in."""

    rule: Rule
    method: str
    path: str
    caller: Caller | None


def steps(app: Flask) -> Iterator[Step]:
    """Go along every rule of the app that takes a method which may change something."""
    for rule in app.url_map.iter_rules():
        caller = caller_of(app.view_functions[rule.endpoint])
        given = dict.fromkeys(rule.arguments, "order-1")
        built = rule.build(given)
        assert built is not None, rule
        for method in sorted((rule.methods or EVERY_METHOD) - SAFE_METHODS):
            yield Step(rule, method, built[1], caller)


def attacks(keys: Keys, step: Step) -> Iterator[Attack]:
    """Give every way in that must stay closed on this route."""
    server = step.caller is Caller.SERVER
    yield Attack("no token", {}, with_cookie=False)
    yield Attack("no token, of our own page", VOUCHED, with_cookie=False)
    for name, token in {
        "nobody's handle": "A" * 43,
        "a guessed key": keys.server_key[:-1] + "x",
        # Each in the other's place.
        "the other's token": keys.handle if server else keys.server_key,
    }.items():
        signs = {} if server else VOUCHED
        yield Attack(f"foreign token: {name}", _bearer(token) | signs)
        yield Attack(f"foreign token: {name}, no header", _bearer(token))
    for name, carried in keys.carriers().items():
        yield from _pages(name, carried)
        # All else as the route wants it, but for the media type.
        signs = {} if server else VOUCHED
        yield Attack(f"text/plain, {name}", {**carried, **signs}, "text/plain")
        yield Attack(f"form post, {name}", {**carried, **signs}, None)
        if not (server and name == "server key"):  # that is a partner's backend
            yield Attack(f"no header, {name}", carried)
    for name, signs in {"": {}, ", of our own page": VOUCHED}.items():
        yield Attack(f"no header of the bridge{name}", signs)


def _pages(name: str, carried: Headers) -> Iterator[Attack]:
    """Give what a page of somebody else's can send."""
    yield Attack(f"cross-site, {name}", {**carried, "Sec-Fetch-Site": "cross-site"})
    for origin in (OWN, "https://evil.io"):
        both = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
        yield Attack(f"cross-site with {origin}, {name}", {**carried, **both})
    for origin in ("null", *LOOK_ALIKES):
        yield Attack(f"{origin}, {name}", {**carried, "Origin": origin})
        both = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
        yield Attack(f"{origin} as same-origin, {name}", {**carried, **both})


def attempt(app: Flask, keys: Keys, step: Step, attack: Attack, body: Any) -> TestResponse:
    """Make the call."""
    client = app.test_client()
    if attack.with_cookie:
        client.set_cookie(*keys.cookie)
    more: dict[str, Any] = {"json": body}
    if attack.media != JSON:
        flat = {key: value for key, value in body.items() if isinstance(value, str)}
        text = client.application.json.dumps(body)
        more = {"data": flat} if attack.media is None else {"data": text}
        more["content_type"] = attack.media or "application/x-www-form-urlencoded"
        if attack.media is None:
            more["data"] = urlencode(flat)
    return client.open(step.path, method=step.method, headers=dict(attack.headers), **more)


def walk(app: Flask, keys: Keys, body: Any, *endings: str) -> tuple[list[str], int]:
    """Try each way in on each route. Returns those that were let in, and how many there were.

    With ``endings``, only on routes whose path ends so.
    """
    let_in, count = [], 0
    for step in steps(app):
        if endings and not step.path.endswith(endings):
            continue
        for attack in attacks(keys, step):
            count += 1
            answer = attempt(app, keys, step, attack, body)
            if not is_refused(answer):
                let_in.append(f"{step.method} {step.rule} {attack.name}: {answer.status_code}")
    return let_in, count


def is_refused(answer: TestResponse) -> bool:
    """Tell whether a call was refused by the guard, rather than taken or failed at."""
    if answer.status_code == 200 and answer.is_json:
        # An instant purchase says no in the form that the placement waits for.
        said = answer.get_json()
        return bool(said.get("reason") == "no_session" and said["paid"] is False)
    return 400 <= answer.status_code < 500


def digest(app: Flask) -> str:
    """Sum up every row of every table."""
    summed = hashlib.sha256()
    with runtime(app).store.read() as connection:
        for table in metadata.sorted_tables:
            rows = sorted(repr(tuple(row)) for row in connection.execute(select(table)))
            summed.update(f"{table.name}: {rows}".encode())
    return summed.hexdigest()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
