"""``rokt-bff``, as installed, with a clock that the campaign can move: it is told by a file.

Started as ``python -m tests.campaign.process serve|deliver|redrive …`` with ``CAMPAIGN_CLOCK`` in
the environment, and ``BFF_FAULT_POINT`` where it is to end itself.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from unittest.mock import patch

from bff import Upsells, cli, serving
from tests.campaign.lane import FileClock

if __name__ == "__main__":
    clock = FileClock(Path(os.environ["CAMPAIGN_CLOCK"]))
    with patch.object(serving, "Upsells", partial(Upsells, clock=clock)):
        cli.main()
