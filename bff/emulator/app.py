"""The Flask application of the emulator: the Cart API's paths, the journal of calls, the controls.

The documentation has the paths with `Cart` and with `cart`, so the case of that segment does not
matter. Every call outside `/_emulator/` goes into the journal, even one to no endpoint.
"""

from __future__ import annotations

import re
import time
from typing import Final

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from bff.emulator.api import ApiResponse, respond
from bff.emulator.controls import Parts, controls
from bff.emulator.errors import ApiFault, Code, error_body
from bff.emulator.fault_effects import FinalResponse, apply_fault, json_bytes
from bff.emulator.faults import ENDPOINTS, Endpoint, Faults
from bff.emulator.journal import Journal, body_for_journal, headers_for_journal
from bff.emulator.rejection import ItemFault
from bff.emulator.settings import EmulatorSettings
from bff.emulator.state import State
from bff.emulator.wire import ENVIRON_KEY, Wire

_CART_PATH: Final = re.compile(r"/v1/(?i:cart)/(reserve|confirm|release)")


def endpoint_of(path: str) -> Endpoint | None:
    """Return the endpoint of a path, or None."""
    if path == "/v1/placements/any":
        return "any"
    if path == "/v1/confirmation/cancel":
        return "cancel"
    match = _CART_PATH.fullmatch(path)
    return next((one for one in ENDPOINTS if match and match[1] == one), None)


def create_emulator(settings: EmulatorSettings | None = None) -> Flask:
    """Create an emulator with a memory of its own.

    Use `EmulatorServer` to serve it. Other WSGI servers give no access to the connection. There a
    fault that needs it is rejected when it is set.
    """
    app = Flask(__name__, static_folder=None)
    parts = Parts(State(settings or EmulatorSettings()), Faults(), Journal())
    app.register_blueprint(controls(parts))

    @app.before_request  # no route: the journal has every path and method
    def cart_api() -> Response | None:
        """Handle a call of the Cart API, or return None for a control endpoint."""
        path: str = request.environ["PATH_INFO"]  # `request.path` hides a doubled slash
        if path.startswith("/_emulator/"):
            return None
        generation = parts.state.generation
        api_key = parts.state.settings.api_key
        endpoint = endpoint_of(path) if request.method == "POST" else None
        entry = parts.journal.arrive(
            parts.state.now(),
            endpoint or "other",
            path,
            headers_for_journal(request.headers, api_key),
            body_for_journal(request.get_data(), api_key),
        )
        wire: Wire | None = request.environ.get(ENVIRON_KEY)
        if endpoint is None:
            missing = "The Cart API has no such endpoint: check the path and the method."
            final = _not_found(404, ApiFault(Code.NOT_FOUND, {"path": path}, missing))
        else:
            fault = parts.faults.take(endpoint)
            entry.fault = fault.kind if fault else None
            item_fault = fault.item_fault if fault else ItemFault()

            def call() -> ApiResponse:
                if parts.state.generation != generation:  # during the delay of a fault
                    return ApiResponse(500, error_body("The emulator was reset meanwhile.", []))
                return respond(endpoint, request, parts.state, item_fault)

            final = apply_fault(fault, call, wire.pause if wire else time.sleep)
        if wire is not None:
            wire.wire_fault = final.wire_fault
        # Complete before the response is sent: a client that has it finds it in the journal.
        entry.status, entry.answer, entry.effect = final.status, final.body, final.effect
        entry.open = False
        return _to_flask(final)

    @app.errorhandler(HTTPException)
    def no_such_control(error: HTTPException) -> ResponseReturnValue:
        """Return JSON for a control endpoint that does not exist."""
        fault = ApiFault(Code.NOT_FOUND, {"path": request.path}, error.description or error.name)
        return _to_flask(_not_found(error.code or 500, fault))

    return app


def _to_flask(final: FinalResponse) -> Response:
    response = Response(final.raw, final.status or 200, final.headers)
    if final.raw:
        response.content_type = final.media_type
    else:
        del response.headers["Content-Type"]
    return response


def _not_found(status: int, fault: ApiFault) -> FinalResponse:
    body = error_body("There is nothing here.", [fault])
    return FinalResponse(status, json_bytes(body), body, effect=False)
