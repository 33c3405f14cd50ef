"""The HTTP endpoints: a Flask blueprint for a shop's app and for the standalone server.

Read in this order:

- ``endpoints``: the endpoints, each with who may call it, its body and its response.
- ``blueprint``: the decorator on a view, which reads the body and writes the response; errors.
- ``guard``: who may call, by cookie, handle or server key, and from which page.
- ``shopper``: the shopper of a request: cookie, handle, language.
- ``runtime``: the parts of one app, in ``app.extensions``.
- ``json_body``: a body's bytes as JSON, with limits on size and depth.
- ``rate_limits``: how many requests a session and a client may send.
- ``problems``: errors as problem documents.
- ``catch_all``: the response where no endpoint matches.
- ``cors``: which responses a page on another origin may read.
- ``scripts``: the bridge's files, releases and ``integrity`` hashes.
- ``schemas``, ``openapi``: the JSON, and its description.

What the endpoints do is left to ``bff.checkout``. The verbs in a shop's own views, and the wiring
of an app, are in ``bff.extension``.
"""
