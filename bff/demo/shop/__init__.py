"""Quayside, a ticket shop on Flask that sells upsells with ``bff.Upsells``.

Read in this order:

- ``catalogue.py``: the concert, its tickets, and the offers of the emulator.
- ``basket.py``: the chosen tickets. Pure.
- ``orders.py``: the shop's orders, in SQLite.
- ``card.py``: the card form, and a bank that charges nobody. Pure.
- ``texts.py``: what shoppers read about their extras. Pure.
- ``formats.py``: amounts, dates and times on the pages.
- ``context.py``: the parts of the running shop, and the browser's session.
- ``tickets.py``: the pages before payment.
- ``payment.py``: reserve, charge, confirm.
- ``thanks.py``: the pages after payment, and the instant purchase.

The app is built in ``bff.demo.app``.
"""
