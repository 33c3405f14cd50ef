"""The database. It knows no HTTP, and no rule: rules are in ``bff.cart``.

Read in this order:

- ``database``: read and write transactions, and the driver's errors as ours
- ``tables``: the five tables
- ``sessions``, ``handles``, ``quotes``, ``reservations``, ``orders``: the rows of four of them
- ``documents``: carts and quotes as JSON
- ``clock``: the clock that leases go by
- ``engine``: connections to SQLite and PostgreSQL
- ``schema`` and ``migrations``: the version of the tables

The fifth table is the outbox: its rows are written in ``bff.outbox.queue``.
"""
