"""The rules, pure: no database, no HTTP, no clock. Times and ids are passed in.

Read in this order:

- ``held_cart``: the held cart and its lines
- ``updates``: what one message of the Web SDK changes in it
- ``linked_products``: items that follow the shop's own products
- ``reservation``: the states of an item at Rokt, and its rows
- ``renewal``: when a reservation is renewed, and what a reserve has to do
- ``shown_cart``: the cart and its items as a page and a shop see them
- ``quote``: what may be charged
- ``order``: a paid order, its status and its errors

``bff.store`` saves these values, ``bff.rokt`` calls Rokt, ``bff.checkout`` joins them.
"""
