"""``Upsells``, for a Flask shop.

Read in this order:

- ``upsells``: ``init_app``, and ``build``, which makes and joins all parts of an app
- ``verbs``: the verbs for a shop's own views, up to the payment
- ``order_verbs``: those from the payment on
- ``arguments``: reads what a shop passes to them
- ``instant_purchase``: the shop's own route for instant purchases
- ``signals``: the signals, and the listener that sends them
- ``setup``: the app's settings, its tables, and Flask-WTF beside it
- ``csp``: the sources for the shop's Content-Security-Policy

The endpoints are in ``bff.web``, the work in ``bff.checkout``.
"""
