"""The Flask application of the emulator: the Cart API's paths, the journal of calls, the controls.

The documentation prints the paths with `Cart` and with `cart`, so that segment is taken in any
letter case. Every call outside `/_emulator/` is written down, also one that hits no endpoint.
"""

from __future__ import annotations

import re
import time
from typing import Final

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from bff.emulator.api import Answer, answer
from bff.emulator.controls import Parts, controls
from bff.emulator.errors import ApiFault, Code, error_body
from bff.emulator.fault_effects import Sent, carry_out, dump
from bff.emulator.faults import Endpoint, Faults
from bff.emulator.journal import Journal, body_for_journal, headers_for_journal
from bff.emulator.rejection import Tweak
from bff.emulator.settings import EmulatorSettings
from bff.emulator.state import State
from bff.emulator.wire import ENVIRON_KEY, Wire

_CART_PATH: Final = re.compile(r"/v1/(?i:cart)/(reserve|confirm|release)")


def endpoint_of(path: str) -> Endpoint | None:
    """Give the endpoint that a path stands for."""
    if path == "/v1/placements/any":
        return "any"
    if path == "/v1/confirmation/cancel":
        return "cancel"
    match = _CART_PATH.fullmatch(path)
    match match and match[1]:
        case "reserve":
            return "reserve"
        case "confirm":
            return "confirm"
        case "release":
            return "release"
    return None


def create_emulator(settings: EmulatorSettings | None = None) -> Flask:
    """Make an emulator with a memory of its own.

    Served by `EmulatorServer` it can do everything. Under another WSGI server the faults that need
    the connection are refused when they are set.
    """
    app = Flask(__name__, static_folder=None)
    parts = Parts(State(settings or EmulatorSettings()), Faults(), Journal())
    app.register_blueprint(controls(parts))

    @app.before_request  # rather than a route: no path and no method may slip by the journal
    def cart_api() -> Response | None:
        """Answer a call of the Cart API; None lets a control be answered."""
        where: str = request.environ["PATH_INFO"]  # `request.path` hides a doubled slash
        if where.startswith("/_emulator/"):
            return None
        generation = parts.state.generation
        api_key = parts.state.settings.api_key
        endpoint = endpoint_of(where) if request.method == "POST" else None
        entry = parts.journal.arrive(
            parts.state.now(),
            endpoint or "other",
            where,
            headers_for_journal(request.headers, api_key),
            body_for_journal(request.get_data(), api_key),
        )
        wire: Wire | None = request.environ.get(ENVIRON_KEY)
        if endpoint is None:
            missing = "The Cart API has no such call: see the path and the method."
            sent = _refused(404, ApiFault(Code.NOT_FOUND, {"path": where}, missing))
        else:
            fault = parts.faults.take(endpoint)
            entry.fault = fault.kind if fault else None
            tweak = fault.tweak if fault else Tweak()

            def work() -> Answer:
                if parts.state.generation != generation:  # a fault held the call up for so long
                    return Answer(500, error_body("The emulator was reset meanwhile.", []))
                return answer(endpoint, request, parts.state, tweak)

            sent = carry_out(fault, work, wire.pause if wire else time.sleep)
        if wire is not None:
            wire.act = sent.act
        # complete before the answer goes out: whoever has the answer finds it in the journal
        entry.status, entry.answer, entry.effect = sent.status, sent.answer, sent.effect
        entry.open = False
        return _respond(sent)

    @app.errorhandler(HTTPException)
    def no_such_control(error: HTTPException) -> ResponseReturnValue:
        """Answer for a control that does not exist, as JSON too."""
        fault = ApiFault(Code.NOT_FOUND, {"path": request.path}, error.description or error.name)
        return _respond(_refused(error.code or 500, fault))

    return app


def _respond(sent: Sent) -> Response:
    response = Response(sent.raw, sent.status or 200, sent.headers)
    if sent.raw:
        response.content_type = sent.media_type
    else:
        del response.headers["Content-Type"]
    return response


def _refused(status: int, fault: ApiFault) -> Sent:
    body = error_body("There is nothing here.", [fault])
    return Sent(status, dump(body), body, effect=False)
