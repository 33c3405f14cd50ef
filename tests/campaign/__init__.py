"""The fault campaign: everything goes wrong at every step, and then the invariants are checked.

``python -m tests.campaign`` runs it and prints its table; pytest runs the same cases.

cases      the grid of faults: which are tried, and why the others make no sense
lane       where a case runs: an emulator, a database, a shop, a gate before Rokt
journey    one case of the grid, from the first page to nothing owed
points     where processes are killed
kills      one such case: killed at a named point or in the middle of a call, and restarted
till       the shop's side of a case: its requests, what was shown, locked and charged
facts      what is known after a case
verdict    the invariants, on those facts alone
"""
