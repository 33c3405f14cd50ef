"""The client of Rokt's Cart API. It knows neither a database nor a shopper's HTTP request.

client       ``CartApi``: sends one call within a time limit
calls        the five calls as bytes, each with the headers of its session
headers      all headers that are sent to Rokt
outcomes     the four outcomes of a call: done, refused, not sent, unknown
responses    what a response to reserve or confirm says of each item
reserve      asks Rokt to reserve rows, and applies its responses to them
placements   ``placements/any``: the request, and the meaning of its outcome
redaction    what of a call listeners may see
json_values  reads JSON of which nothing is certain
transport    HTTP with a limit on the whole call and on the response's size
connect      the look-up of a host and the connection to it, within that limit
bulkhead     limits how many threads can wait for Rokt

Read ``client``, ``calls`` and ``outcomes`` first. ``bff.outbox`` decides whether and when a call is
sent again, ``bff.store`` keeps the rows.
"""
