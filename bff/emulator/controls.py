"""The emulator's control endpoints under `/_emulator/`, for tests and the demo. JSON in and out.

- `GET offers?items=…&preselect=…`: one impression, for the stand-in of Rokt's SDK. Every response
  has new cartItemIds. `items` is a comma-separated list of `catalogItemId`; without it, all that
  are on offer. `preselect` is "all" or a list of `catalogItemId` or `catalogItemId:quantity`.
- `GET sdk/rokt-stand-in.js` and the files that it imports: the stand-in, for a shop's own pages.
- `GET journal?endpoint=&after=`: the calls. `GET state`: the stock, reservations and orders.
- `GET`, `PUT faults`: see `faults.py`.
- `GET`, `PUT settings`: the members of `EmulatorSettings` in camelCase. A PUT changes those given.
- `GET`, `PUT catalog`: `{"items": [{"catalogItemId": …, …}], "placements": bool?,
  "replace": bool?}`. A PUT changes the given members of a known item. A new item needs a name and
  a unitPrice. With `replace`, the list is the whole catalogue. `stock` is the free stock, without
  what is reserved. The members are those of `catalog.py`.
- `POST reset`: back to the start. `POST clock` `{"seconds": 601}`: moves the clock on.

An invalid body is a 422 and changes nothing. Its `errors[].value.field` names the member.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from flask import Blueprint, request, send_from_directory
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from bff.emulator.catalog import catalog_json, offer_json, read_catalog, read_preselect, read_shown
from bff.emulator.errors import ApiFault, Code, error_body
from bff.emulator.fault_effects import json_bytes
from bff.emulator.faults import ENDPOINTS, ON_THE_WIRE, Faults, read_faults
from bff.emulator.journal import Journal
from bff.emulator.json_body import BadInputError, Node, read_json
from bff.emulator.records import rokt_time
from bff.emulator.settings import ERROR_VALUES, REJECTION_FORMS, REPEATS, EmulatorSettings
from bff.emulator.state import State
from bff.emulator.wire import ENVIRON_KEY

# Ten years: longer than any expiry, and within the range of datetime.
LONGEST_MOVE = 10 * 365 * 86_400.0

_READ_SETTING: dict[str, tuple[str, Callable[[Node], Any]]] = {
    "apiKey": ("api_key", Node.text),
    "tagId": ("tag_id", Node.text),
    "reservationSeconds": ("reservation_seconds", lambda node: node.seconds(LONGEST_MOVE)),
    "rejectionForm": ("rejection_form", lambda node: node.choice(REJECTION_FORMS)),
    "rejectionStatus": ("rejection_status", Node.text),
    "errorValue": ("error_value", lambda node: node.choice(ERROR_VALUES)),
    "repeatConfirm": ("repeat_confirm", lambda node: node.choice(REPEATS)),
    "repeatRelease": ("repeat_release", lambda node: node.choice(REPEATS)),
    "repeatCancel": ("repeat_cancel", lambda node: node.choice(REPEATS)),
    "confirmNeedsSession": ("confirm_needs_session", Node.flag),
    "bodyOn401": ("body_on_401", Node.flag),
    "acceptUnissued": ("accept_unissued", Node.flag),
    "placements": ("placements", Node.flag),
    "maxTotal": ("max_total", lambda node: None if node.value is None else node.whole(0)),
}


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one emulator: its memory, the faults to come, and the journal of calls."""

    state: State
    faults: Faults
    journal: Journal


def controls(parts: Parts) -> Blueprint:
    """Create the blueprint of the control endpoints."""
    state, faults, journal = parts.state, parts.faults, parts.journal
    blueprint = Blueprint("controls", __name__, url_prefix="/_emulator")

    @blueprint.errorhandler(BadInputError)
    def refuse(bad: BadInputError) -> ResponseReturnValue:
        fault = ApiFault(Code.INVALID_REQUEST, {"field": bad.field}, str(bad))
        return _json(error_body("The control was not applied.", [fault]), 422)

    @blueprint.get("/offers")
    def offers() -> ResponseReturnValue:
        settings = state.settings
        items = Node(request.args.get("items", ""), "items")
        shown = read_shown(items, state.catalog()) if settings.placements else []
        chosen = read_preselect(Node(request.args.get("preselect", ""), "preselect"), shown)
        impression = {
            "sessionId": str(uuid4()),
            "pageInstanceGuid": str(uuid4()),
            "offers": [
                offer_json(item, state.issue(item), chosen.get(item.catalog_item_id))
                for item in shown
            ],
            "maxTotal": settings.max_total,
        }
        # Pages of any origin draw offers; no credentials are involved.
        return _json(impression, headers={"Access-Control-Allow-Origin": "*"})

    @blueprint.get("/sdk/<path:name>")
    def sdk(name: str) -> ResponseReturnValue:
        try:
            response = send_from_directory(_static() / "rokt-stand-in", name)
        except NotFound:
            return _json(error_body("There is no such file.", []), 404)
        response.headers["Access-Control-Allow-Origin"] = "*"  # a module is fetched with CORS
        return response

    @blueprint.get("/journal")
    def read_journal() -> ResponseReturnValue:
        endpoint = request.args.get("endpoint") or None
        if endpoint is not None:
            Node(endpoint, "endpoint").choice((*ENDPOINTS, "other"))
        after = request.args.get("after", "0")
        if not after.isascii() or not after.isdigit():
            raise BadInputError("after", "must be the number of an entry")
        return _json(journal.read(endpoint, int(after)))

    @blueprint.get("/state")
    def read_state() -> ResponseReturnValue:
        return _json(state.to_json())

    @blueprint.get("/faults")
    def read_all_faults() -> ResponseReturnValue:
        return _json(faults.to_json())

    @blueprint.put("/faults")
    def put_faults() -> ResponseReturnValue:
        found = read_faults(_body())
        for endpoint, queue in found.items():
            for n, fault in enumerate(queue):
                if fault.kind in ON_THE_WIRE and ENVIRON_KEY not in request.environ:
                    raise BadInputError(
                        f"{endpoint}.{n}.kind",
                        f"{fault.kind} needs the emulator's own server (EmulatorServer)",
                    )
        faults.replace(found)
        return _json(faults.to_json())

    @blueprint.get("/catalog")
    def read_whole_catalog() -> ResponseReturnValue:
        return _json(catalog_json(state))

    @blueprint.put("/catalog")
    def put_catalog() -> ResponseReturnValue:
        body = _body()
        state.change_catalog(lambda present: read_catalog(body, present))
        return _json(catalog_json(state))

    @blueprint.get("/settings")
    def read_settings() -> ResponseReturnValue:
        return _json(_settings_json(state.settings))

    @blueprint.put("/settings")
    def put_settings() -> ResponseReturnValue:
        node = _body()
        node.only(*_READ_SETTING)
        changes = {}
        for name, member in node.members().items():
            attribute, read = _READ_SETTING[name]
            changes[attribute] = read(member)
        return _json(_settings_json(state.change_settings(**changes)))

    @blueprint.post("/reset")
    def reset() -> ResponseReturnValue:
        faults.replace({})
        state.reset()
        journal.clear()
        return _json({"now": rokt_time(state.now())})

    @blueprint.post("/clock")
    def clock() -> ResponseReturnValue:
        node = _body()
        node.only("seconds")
        return _json(
            {"now": rokt_time(state.move_clock(node.need("seconds").seconds(LONGEST_MOVE)))}
        )

    return blueprint


def _static() -> Path:
    """Find the static files: inside the package in a wheel, beside it in a checkout.

    `bff.web.scripts` has the same two lines. The emulator stands for a server elsewhere, so it
    imports nothing of the rest.
    """
    package = Path(__file__).parent.parent
    return next(x for x in (package / "static", package.parent / "static") if x.is_dir())


def _body() -> Node:
    return read_json(request.get_data())


def _json(
    value: Any, status: int = 200, headers: dict[str, str] | None = None
) -> ResponseReturnValue:
    known = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return json_bytes(value), status, known | (headers or {})


def _settings_json(settings: EmulatorSettings) -> dict[str, Any]:
    """Return the settings as JSON, without the API key."""
    return {
        name: getattr(settings, attribute)
        for name, (attribute, _) in _READ_SETTING.items()
        if name != "apiKey"
    }
