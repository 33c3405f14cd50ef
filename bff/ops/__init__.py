"""For operators: what the commands of ``flask rokt`` and ``rokt-bff`` run. ``bff.cli`` has those.

- ``doctor``: checks the database, the settings and the connection to Rokt
- ``invariants``: the promises, each as a query for rows that break it
- ``redrive``: retries the failed calls of an order
- ``purge``: deletes old rows
"""
