"""An emulator of Rokt's Cart API: an HTTP server of its own, with stock, prices and a memory.

It is faithful to what Rokt documents, and shows every face where Rokt is silent
(`EmulatorSettings`). It stands apart: it imports nothing of the rest of the package, and is reached
over HTTP alone.
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
