"""An emulator of Rokt's Cart API: an HTTP server of its own, with stock, prices and a memory.

It does what Rokt documents. Where Rokt is silent, `EmulatorSettings` chooses among the possible
behaviours. It is reached over HTTP alone and imports nothing of the rest of `bff`.

Read in this order:

- `settings.py`: the settings and the default catalogue.
- `errors.py`, `json_body.py`: error bodies, and the reader of request bodies.
- `records.py`, `stock.py`: reservations, orders, and the free stock.
- `rejection.py`: the rules of reserve. Pure.
- `confirmation.py`: the rules of confirm, release and cancel. Pure.
- `state.py`: the memory, under one lock.
- `api.py`: the five endpoints of the Cart API.
- `faults.py`, `fault_effects.py`, `wire.py`: what can go wrong with a call, on purpose.
- `journal.py`: the calls that were received.
- `catalog.py`, `controls.py`: the control endpoints under `/_emulator/`.
- `app.py`: the Flask app.
- `server.py`: the HTTP server, and the command's `run`.

The stand-in of Rokt's Web SDK, which the emulator serves to pages, is `static/rokt-stand-in`.
"""

from bff.emulator.app import create_emulator
from bff.emulator.server import EmulatorServer, run
from bff.emulator.settings import REJECTION_FORMS, REPEATS, CatalogItem, EmulatorSettings

__all__ = [
    "REJECTION_FORMS",
    "REPEATS",
    "CatalogItem",
    "EmulatorServer",
    "EmulatorSettings",
    "create_emulator",
    "run",
]
