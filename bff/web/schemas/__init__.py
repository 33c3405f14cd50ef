"""JSON from outside and to outside, as marshmallow schemas.

Read in this order:

- ``fields``: strict kinds of members, and ``load``, which names wrong members by their path.
- ``requests``: our own request bodies.
- ``sdk_items``: the Web SDK's cart items and its update message.
- ``instant_purchase``: the instant purchase's message and the response to it.
- ``responses``: Cart, Quote, Order, Placements and problem documents.

Reading a body's bytes is left to ``bff.web.json_body``, their description to ``bff.web.openapi``.
"""
