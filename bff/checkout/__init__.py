"""What a shopper's session can do. It knows handles and values, and nothing of Flask.

Read in this order:

- ``checkout``: ``Checkout``, one method for each verb
- ``reserve``: holds items at Rokt, and makes the quote
- ``confirm``: records a paid order, and sends its confirm
- ``new_order``: the rows of a paid order, in one transaction
- ``cancel``: gives up items after the sale
- ``instant_purchase``: one press after the payment

The rules are in ``bff.cart``. What is not done at once is owed: see ``bff.outbox``.
"""
