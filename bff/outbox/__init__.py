"""The calls owed to Rokt, and the work behind the requests.

Read in this order:

- ``queue``: the rows: owe, claim by a lease, postpone, close
- ``backoff``: how long a row waits between its attempts
- ``delivery``: one attempt at an owed call
- ``settlement``: what an outcome does to the row, the order and its items
- ``order_status``: an order as it stands, and the listeners that are notified of it
- ``renewal``: reserves a paid order's items again before their confirm
- ``expiry``: a confirm that Rokt refuses as expired
- ``releases``: the one place that owes a release
- ``sweep``: gives back what shoppers left reserved
- ``senders``, ``worker``: several attempts at a time, and the loop around all of it

``bff.rokt`` makes the calls, ``bff.ops`` has what an operator runs.
"""
