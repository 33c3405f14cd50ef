"""The panel "Behind the scenes": each message, cart change and call of a checkout.

Read in this order:

- ``captions.py``: the explanation of each step. Pure.
- ``timeline.py``: the entries, one trail for each shopper.
- ``listener.py``: adds entries from the BFF's signals.
- ``switches.py``: the switches that change the emulator.
- ``panel.py``: the panel's endpoints.

It imports nothing of the shop. The shop adds its own entries, such as "paid".
"""
