"""The recording of the real renderer: its scenarios, steps and messages, written out.

`tests/data/sdk-events.json` is the recording in short form. The recording itself may lie beside a
checkout; then it must say the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests import TOP

SHORT_FORM = TOP / "tests" / "data" / "sdk-events.json"
RECORDING = TOP.parent / "shared" / "real-sdk-events.json"

Scenarios = dict[str, list[dict[str, Any]]]


def scenarios(file: Path = SHORT_FORM) -> Scenarios:
    """Read scenario → steps, each with its name and its messages."""
    read = json.loads(file.read_text(encoding="utf-8"))["scenarios"]
    for scenario in read:
        for step in scenario["steps"]:
            step["messages"] = [each for short in step["messages"] for each in written_out(short)]
    return {scenario["scenario"]: scenario["steps"] for scenario in read}


def written_out(short: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the two messages for which one stands."""
    if "both" not in short:
        return [short]
    return [
        {"direction": "placement->partner", "name": name, "body": short["both"]}
        for name in ("V2_CART_ITEM_UPDATED", "UPDATE_CART_ITEM_MESSAGE")
    ]
