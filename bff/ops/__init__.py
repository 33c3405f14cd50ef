"""For operators: what ``flask rokt`` and ``rokt-bff`` run. The commands are in ``bff.cli``.

- ``doctor``: checks the database, the settings and the way to Rokt
- ``invariants``: the promises, each as a query for what breaks it
- ``redrive``: owes failed calls again
- ``purge``: deletes what is over
"""
